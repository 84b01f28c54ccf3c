package main

import (
	_ "embed"
	"fmt"
	"strings"

	"openguest/internal/vm"
)

// userData is the same for all: two people with keys, a name, five files, one command, and a root that grows from 2 to 4 GiB.
const userData = `#cloud-config
hostname: peer1
users:
  - {name: alice, sudo: "ALL=(ALL) NOPASSWD:ALL", shell: /bin/bash, ssh_authorized_keys: [%[1]q]}
  - {name: bob, shell: /bin/bash, ssh_authorized_keys: [%[1]q]}
write_files:
  - {path: /etc/lab/f1, content: "content 1\n", permissions: "0640"}
  - {path: /etc/lab/f2, content: "content 2\n", permissions: "0640"}
  - {path: /etc/lab/f3, content: "content 3\n", permissions: "0640"}
  - {path: /etc/lab/f4, content: "content 4\n", permissions: "0640"}
  - {path: /etc/lab/f5, content: "content 5\n", permissions: "0640"}
growpart: {mode: auto, devices: ["/"]}
resize_rootfs: true
ssh_genkeytypes: [ed25519]
locale: C.UTF-8
runcmd:
  - touch /run/lab-marker
`

// googleAttributes say the same to Google's agent, as far as it can: the name comes by DHCP, and its images grow in their initrd.
func googleAttributes(key *vm.Key) map[string]string {
	k := key.Authorized()
	return map[string]string{
		"ssh-keys":       "alice:" + k + "\nbob:" + k,
		"enable-oslogin": "FALSE",
		"startup-script": "#!/bin/sh\nmkdir -p /etc/lab\nfor n in 1 2 3 4 5; do echo content $n >/etc/lab/f$n; done\ntouch /run/lab-marker\n",
	}
}

// googleFiles have it make one host key, as the others do: finding a prime for RSA takes longer than all the rest, and never as long.
var googleFiles = []vm.File{{Name: "/etc/default/instance_configs.cfg", Data: []byte("[InstanceSetup]\nhost_key_types = ed25519\n")}}

// accounting has systemd count each unit's processor time, in every machine alike.
const accounting = "[Manager]\nDefaultCPUAccounting=yes\nDefaultMemoryAccounting=yes\n"

// reportUnit begins when all is ready: what it runs would make the ssh server late.
const reportUnit = `[Unit]
Description=Say when everything is done
After=multi-user.target ssh.service
[Service]
ExecStart=/bin/sh /usr/share/lab/report
`

//go:embed report.sh
var reportScript []byte

// pathUnit has systemd note when a file appears: no program has to look.
const pathUnit = `[Unit]
Description=Note when %[1]s appears
DefaultDependencies=no
[Path]
PathExists=%[1]s
Unit=%[2]s.target
`

const noteUnit = "[Unit]\nDescription=%s is there\nDefaultDependencies=no\n"

// milestones are the files whose time is noted, by the name of their unit.
var milestones = map[string]string{"lab-alice": ready[0], "lab-bob": ready[1], "lab-script": ready[2]}

const units = "/etc/systemd/system/"

// probes are the files that make a machine report.
func probes(waits []string) []vm.File {
	files := []vm.File{
		{Name: "/etc/systemd/system.conf.d/lab.conf", Data: []byte(accounting)},
		{Name: "/usr/share/lab/report", Data: reportScript},
		{Name: "/usr/share/lab/waits", Data: []byte(strings.Join(waits, "\n"))},
		{Name: units + "lab-report.service", Data: []byte(reportUnit)},
		{Name: units + "multi-user.target.wants/lab-report.service", Link: units + "lab-report.service"},
	}
	for name, path := range milestones {
		files = append(files,
			vm.File{Name: units + name + ".path", Data: fmt.Appendf(nil, pathUnit, path, name)},
			vm.File{Name: units + name + ".target", Data: fmt.Appendf(nil, noteUnit, path)},
			vm.File{Name: units + "sysinit.target.wants/" + name + ".path", Link: units + name + ".path"})
	}
	return files
}

const recorderUnit = `[Unit]
Description=Look at the memory of processes
DefaultDependencies=no
After=systemd-remount-fs.service
[Service]
ExecStart=/usr/share/lab/recorder
`

// idle is how long a weighed machine is left alone, in seconds.
const idle = 60

// weighing are the files that have a machine's processes looked at.
func weighing(recorder []byte) []vm.File {
	return []vm.File{
		{Name: "/usr/share/lab/recorder", Mode: 0o755, Data: recorder},
		{Name: "/usr/share/lab/idle", Data: fmt.Append(nil, idle)},
		{Name: units + "lab-recorder.service", Data: []byte(recorderUnit)},
		{Name: units + "sysinit.target.wants/lab-recorder.service", Link: units + "lab-recorder.service"},
	}
}
