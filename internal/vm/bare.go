package vm

// hostKeys makes the ssh server's key where nothing else does.
const hostKeys = `[Unit]
Description=Make an ssh host key, for no agent does
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
`

// Bare are the files of a machine without an agent: without them its ssh server would have no host key and not start.
func Bare() []File {
	const unit = "/etc/systemd/system/lab-hostkeys.service"
	return []File{{Name: unit, Data: []byte(hostKeys)}, {Name: "/etc/systemd/system/multi-user.target.wants/lab-hostkeys.service", Link: unit}}
}
