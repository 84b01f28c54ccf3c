package pack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"openguest/test/peer"
)

// tree is the root tree of a Debian with cloud-init.
func tree(t *testing.T) string {
	t.Helper()
	return peer.Tree(t, "usr/bin/cloud-init")
}

// sandbox runs a script in a copy of the tree and returns what it printed, by the headings that it gave with "## ".
func sandbox(t *testing.T, script string, boot bool) map[string]string {
	t.Helper()
	mode := inside
	if boot {
		mode = booted
	}
	return sandboxIn(t, packages(t), script, mode)
}

// sandboxWith is sandbox with more packages.
func sandboxWith(t *testing.T, more, script string) map[string]string {
	t.Helper()
	folder := packages(t)
	if out, err := run(t, "sh", "-c", `cp "$1"/* "$2"`, "sh", more, folder); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return sandboxIn(t, folder, script, inside)
}

// Where a sandbox's script runs: in the copy of the tree, there with a boot after it, or beside it with this system's programs.
const (
	inside  = ""
	booted  = "boot"
	outside = "outside"
)

func sandboxIn(t *testing.T, folder, script, mode string) map[string]string {
	t.Helper()
	peer := tree(t)
	old(t, folder)
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-m", "-p", "-f", "-n", "-u", "-i", "./sandbox", peer, folder, file, mode}
	if mode == booted {
		tool(t, "systemd-nspawn")
		args = []string{"-m", "./sandbox", peer, folder, file, mode}
	}
	out, err := exec.Command("unshare", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("the sandbox: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	return sections(string(out))
}

// old puts the package cloud-init beside ours, where apt can have it.
func old(t *testing.T, folder string) {
	t.Helper()
	data, err := made.fetch("cloud-init")
	if err != nil {
		t.Logf("going back to cloud-init is not tested: %v", err)
		return
	}
	if err := os.WriteFile(folder+"/cloud-init", data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func sections(out string) map[string]string {
	all := map[string]string{}
	for _, part := range strings.Split("\n"+out, "\n## ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		all[name] = strings.TrimSpace(text)
	}
	return all
}

func expect(t *testing.T, got map[string]string, name, want string) {
	t.Helper()
	if text, there := got[name]; !there || text != want {
		t.Errorf("%s: %q, want %q", name, text, want)
	}
}

// Row B02: a unit that systemd cannot read is a stage that never runs.
func TestUnitsVerify(t *testing.T) {
	got := sandbox(t, `
dpkg --install /packages/*.deb >/dev/null 2>&1
echo "## verify"
systemd-analyze --man=no verify cloud-init-local.service cloud-init-network.service cloud-init.service cloud-config.service \
  cloud-final.service cloud-config.target cloud-init.target openguest.target 2>&1
echo "## enabled"
for u in cloud-init-local cloud-init-network cloud-config cloud-final; do systemctl is-enabled $u; done
systemctl disable cloud-config cloud-init 2>/dev/null
dpkg --install /packages/*.deb >/dev/null 2>&1
echo "## after an upgrade"
for u in cloud-init-local cloud-init-network cloud-config cloud-final; do systemctl is-enabled $u; done
`, false)
	expect(t, got, "verify", "")
	expect(t, got, "enabled", "enabled\nenabled\nenabled\nenabled")
	expect(t, got, "after an upgrade", "enabled\ndisabled\ndisabled\nenabled")
}

// cloud-init of Debian 11 masks its units when it is removed: the stages would never run, and nothing would say why.
func TestMasks(t *testing.T) {
	got := sandbox(t, `
systemctl --quiet mask cloud-final.service
dpkg --remove cloud-init >/dev/null 2>&1
DPKG_MAINTSCRIPT_PACKAGE=cloud-init deb-systemd-helper mask cloud-config.service cloud-init.service >/dev/null
echo "## before"
for u in cloud-init cloud-config cloud-final; do systemctl is-enabled $u 2>/dev/null; done
dpkg --install /packages/*.deb >/root/dpkg 2>&1 || cat /root/dpkg
echo "## after"
for u in cloud-init-network cloud-config cloud-final; do systemctl is-enabled $u; done
dpkg --purge cloud-init >/root/dpkg 2>&1 || cat /root/dpkg
echo "## after the purge"
for u in cloud-init-network cloud-config cloud-final; do systemctl is-enabled $u; done
true
`, false)
	expect(t, got, "before", "masked\nmasked\nmasked")
	expect(t, got, "after", "enabled\nenabled\nmasked")
	expect(t, got, "after the purge", "enabled\nenabled\nmasked")
}

// lifetime sets a machine up with the real cloud-init and takes it through all that can happen to the package. The
// script counts its runs; a host key that changes locks people out.
const lifetime = `
mkdir -p /run/systemd/system /var/lib/cloud/seed/nocloud
echo "instance-id: i-life" >/var/lib/cloud/seed/nocloud/meta-data
cat >/var/lib/cloud/seed/nocloud/user-data <<'END'
#cloud-config
users: [{name: ada}]
ssh_genkeytypes: [ed25519]
ssh_deletekeys: true
runcmd: [echo run >>/root/runs]
bootcmd: [echo boot >>/root/boots]
END
stages() {
	rm -rf /run/cloud-init
	mkdir -p /run/cloud-init
	: >/run/cloud-init/enabled # as the generator does where somebody enables the stages
	[ -z "$1" ] || /usr/lib/cloud-init/ds-identify
	for stage in "init --local" init "modules --mode=config" "modules --mode=final"; do
		cloud-init $stage >>/root/output 2>&1 </dev/null || echo "$stage: $?"
	done
	echo "$(cat /var/lib/cloud/data/instance-id) runs $(wc -l </root/runs) boots $(wc -l </root/boots) $(id -u ada)"
	sha256sum </etc/ssh/ssh_host_ed25519_key | cmp -s - /root/key || echo "the host key changed"
	cloud-init status
}
units() { ls /usr/lib/systemd/system | grep -E '^(cloud-|openguest)' | xargs; }
/usr/lib/cloud-init/ds-identify
for stage in "init --local" init "modules --mode=config" "modules --mode=final"; do cloud-init $stage >/root/output 2>&1 </dev/null; done
sha256sum </etc/ssh/ssh_host_ed25519_key >/root/key

dpkg --install /packages/*.deb >/root/dpkg 2>&1 || cat /root/dpkg
echo "## units"; units
echo "## installed over"; stages detect
dpkg --purge cloud-init >/root/dpkg 2>&1 || cat /root/dpkg
echo "## units after the purge"; units
echo "## purged old"; ls -d /etc/cloud 2>&1; stages detect
rm -r /var/lib/cloud/seed
echo "## silent cloud"; stages ""
dpkg --remove openguest >/root/dpkg 2>&1 || cat /root/dpkg
echo "## removed"; units; ls /usr/bin/cloud-init /usr/bin/openguest 2>&1 | wc -l; ls -d /var/lib/openguest /etc/logrotate.d/openguest
dpkg --install /packages/*.deb >/root/dpkg 2>&1 || cat /root/dpkg
echo "## returned"; stages ""
dpkg --purge openguest >/root/dpkg 2>&1 || cat /root/dpkg
echo "## purged"; find / -xdev -name '*openguest*' -not -path '/proc/*' -not -path '/packages/*'; cat /var/lib/cloud/data/instance-id; dpkg-divert --list '*systemd*'
dpkg --install /packages/*.deb >/root/dpkg 2>&1 || cat /root/dpkg
echo "## returned after a purge"; stages ""
dpkg --purge openguest >/root/dpkg 2>&1 || cat /root/dpkg
[ -e /packages/cloud-init ] || exit 0
dpkg --install /packages/cloud-init >/root/dpkg 2>&1 || cat /root/dpkg
mkdir -p /var/lib/cloud/seed/nocloud
echo "instance-id: i-life" >/var/lib/cloud/seed/nocloud/meta-data
cp /var/lib/cloud/instance/user-data.txt /var/lib/cloud/seed/nocloud/user-data
echo "## cloud-init again"; stages detect 2>/dev/null
true
`

// Rows O06 and S09, and row 69 of gce-linux: whatever happens to the packages, the machine stays the instance that it was.
func TestLifetime(t *testing.T) {
	got := sandbox(t, lifetime, false)
	const all = "cloud-config.service cloud-config.target cloud-final.service cloud-init-hotplugd.service cloud-init-hotplugd.socket " +
		"cloud-init-local.service cloud-init-network.service " +
		"cloud-init.service cloud-init.target openguest-hostkeys.service openguest-watch.service openguest.target"
	expect(t, got, "units", all)
	expect(t, got, "installed over", "i-life runs 1 boots 2 1000\nstatus: done")
	expect(t, got, "units after the purge", all)
	expect(t, got, "purged old", "ls: cannot access '/etc/cloud': No such file or directory\ni-life runs 1 boots 3 1000\nstatus: done")
	expect(t, got, "silent cloud", "i-life runs 1 boots 4 1000\nstatus: done")
	expect(t, got, "removed", "2\n/etc/logrotate.d/openguest\n/var/lib/openguest")
	expect(t, got, "returned", "i-life runs 1 boots 5 1000\nstatus: done")
	expect(t, got, "purged", "i-life")
	expect(t, got, "returned after a purge", "i-life runs 1 boots 6 1000\nstatus: done")
	if _, tested := got["cloud-init again"]; tested {
		expect(t, got, "cloud-init again", "i-life runs 1 boots 7 1000\nstatus: done")
	}
}

// booting makes the tree one that boots with a seed and reports when all is done.
const booting = `
dpkg --install /packages/*.deb >/dev/null 2>&1
mkdir -p /var/lib/cloud/seed/nocloud /etc/systemd/system/multi-user.target.wants
echo "instance-id: i-boot" >/var/lib/cloud/seed/nocloud/meta-data
cat >/var/lib/cloud/seed/nocloud/user-data <<'END'
#cloud-config
users: [{name: ada}]
hostname: booted
bootcmd: [echo boot >>/boots]
runcmd: [touch /ran]
END
SEED
cat >/etc/systemd/system/report.service <<'END'
[Unit]
DefaultDependencies=no
After=cloud-init.target multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /report.sh
END
ln -s ../report.service /etc/systemd/system/multi-user.target.wants/
cat >/report.sh <<'END'
exec >/report 2>&1
echo "## target"; systemctl is-active cloud-init.target
echo "## failed"; systemctl --failed --no-legend --plain | grep -iE 'cloud|openguest'
echo "## status"; cloud-init status --long | grep -E '^(status|boot_status_code)'
echo "## made"; ls /ran; id -u ada; hostname
echo "## ssh"; systemctl is-active ssh.service
echo "## order"; journalctl --boot --no-pager --output=cat _PID=1 |
	grep -oE '(Starting|Finished) (cloud-init-network|openguest-hostkeys|ssh)[.]service'
echo "## socket"; systemctl is-active ssh.socket; systemctl show --property=Before --value openguest-hostkeys.service | grep -c socket
echo "## keys"; ls /etc/ssh/*_key; ls /var/lib/openguest/host-keys.json
echo "## cycles"; journalctl --boot --no-pager | grep -i 'ordering cycle'
echo "## keygen"; systemctl show --property=ConditionResult --value sshd-keygen@rsa.service
stages="cloud-init-local cloud-init-network cloud-config cloud-final"
systemctl show --property=Id,InvocationID $stages >/before
dpkg --install /packages/openguest*.deb >/root/dpkg 2>&1 || cat /root/dpkg
systemctl show --property=Id,InvocationID $stages >/after
echo "## upgraded"; cmp /before /after; grep -c InvocationID=. /after; wc -l </boots; systemctl is-active cloud-init.target
systemctl --no-block poweroff
END
`

// neighbours are units as other packages have them, that were in ordering cycles with cloud-init: systemd drops one unit
// of a cycle, whichever it likes.
const neighbours = `
put() {
	printf '%s\nType=oneshot\nExecStart=/bin/true\n' "$2" >/etc/systemd/system/$1.service
	ln -s ../$1.service /etc/systemd/system/multi-user.target.wants/$1.service
}
put dkms "[Unit]
Before=network-pre.target graphical.target
[Service]"
put ufw "[Unit]
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target local-fs.target
After=local-fs.target
[Service]"
put NetworkManager "[Unit]
Wants=network.target
After=network-pre.target dbus.service
Before=network.target
[Service]"
put storage "[Unit]
After=cloud-config.target
[Service]"
put kpatch "[Unit]
Before=network.target
[Service]"
`

// Rows B02 and B22: the stages in a real systemd, without a network: nothing waits and nothing fails. Row X08: the network stage does not
// wait for the RSA key, nor does what comes behind the ssh server's socket, but the server does.
func TestBoot(t *testing.T) {
	got := sandbox(t, strings.Replace(booting, "SEED\n", `
cat >/etc/systemd/system/sshd-keygen@.service <<'END'
[Service]
Type=oneshot
ExecStart=/bin/true
END
ln -s ../sshd-keygen@.service /etc/systemd/system/multi-user.target.wants/sshd-keygen@rsa.service
systemctl --quiet enable ssh.socket
`+neighbours, 1), true)
	expect(t, got, "target", "active")
	expect(t, got, "failed", "")
	expect(t, got, "status", "status: done\nboot_status_code: enabled-by-generator")
	expect(t, got, "made", "/ran\n1000\nbooted")
	expect(t, got, "ssh", "active")
	expect(t, got, "order", "Starting cloud-init-network.service\nFinished cloud-init-network.service\n"+
		"Starting openguest-hostkeys.service\nFinished openguest-hostkeys.service\nStarting ssh.service")
	expect(t, got, "socket", "active\n0")
	expect(t, got, "keys", "/etc/ssh/ssh_host_ecdsa_key\n/etc/ssh/ssh_host_ed25519_key\n/etc/ssh/ssh_host_rsa_key\n"+
		"ls: cannot access '/var/lib/openguest/host-keys.json': No such file or directory")
	expect(t, got, "cycles", "")
	expect(t, got, "keygen", "no")
	expect(t, got, "upgraded", "4\n1\nactive") // an upgrade of the running machine starts no stage: people's scripts would run in the middle of a day
}

// Row B24: where no cloud is, no stage runs, and the machine can be logged in to.
func TestBootWithoutCloud(t *testing.T) {
	got := sandbox(t, strings.Replace(booting, "SEED\n", "rm -r /var/lib/cloud/seed\nssh-keygen -A >/dev/null\n", 1), true)
	expect(t, got, "target", "inactive")
	expect(t, got, "failed", "")
	expect(t, got, "status", "status: disabled\nboot_status_code: disabled-by-generator")
	expect(t, got, "ssh", "active")
}

// Row C19: what a person's bootcmd ran once under cloud-init would run again, or what is to run each time would not. The script runs
// the real program and ours in the same way.
func TestPer(t *testing.T) {
	got := sandbox(t, `
cp /usr/bin/cloud-init-per /root/real
dpkg --install /packages/*.deb >/dev/null 2>&1
try() {
	rm -rf /var/lib/cloud/sem /var/lib/cloud/instance /var/lib/cloud/instances
	mkdir -p /var/lib/cloud/instances/i/sem /var/lib/cloud/sem
	ln -s instances/i /var/lib/cloud/instance
	echo 0 >/var/lib/cloud/sem/bootper.by-old-name.once
	for turn in 1 2; do
		for frequency in once instance always; do
			$1 $frequency a-name sh -c 'echo "$0 ran"; exit 3' "$frequency"
			echo "$turn $frequency $?"
		done
		$1 once by-old-name echo again
	done
	for wrong in "" "once" "once name" "never name true" "once a/b true"; do
		$1 $wrong 2>/dev/null
		echo "$wrong: $?"
	done
	$1 --help >/dev/null
	echo "help: $?"
	cd /var/lib/cloud
	for file in sem/* instance/sem/*; do echo "$file $(cut -f 1 $file)"; done
	cd /
}
echo "## real"
try /root/real
echo "## ours"
try /usr/bin/cloud-init-per
echo "## which"
cmp -s /root/real /usr/bin/cloud-init-per || echo another
`, false)
	expect(t, got, "which", "another")
	expect(t, got, "ours", got["real"])
	if !strings.Contains(got["ours"], "1 once 3\n") || !strings.Contains(got["ours"], "2 once 0\n") {
		t.Errorf("neither did what it should: %s", got["ours"])
	}
}
