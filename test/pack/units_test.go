package pack

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// others are Debian packages whose services have been in ordering cycles with cloud-init, or stand where it does.
var others = []string{"ufw", "network-manager", "firewalld", "chrony", "nftables", "netplan.io", "dnsmasq", "google-guest-agent", "waagent", "open-vm-tools", "qemu-guest-agent"}

// download puts the services of real packages into a folder of the sandbox's packages, as far as this host's apt has them.
func download(t *testing.T, folder string) (had []string) {
	t.Helper()
	for _, name := range others {
		data, err := made.fetch(name)
		if err != nil {
			t.Logf("%s is left out: %v", name, err)
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, "other-"+name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		had = append(had, name)
	}
	return had
}

// Row 69 of gce-linux, and the issues of ufw, NetworkManager and networkd: in an ordering cycle systemd drops one of the units,
// whichever it likes, and that may be the firewall or the stage that makes people's keys. All of them are enabled at once, and a RSA key is made. (Row X08.)
func TestNoCycleWithRealPackages(t *testing.T) {
	tree(t)
	more := t.TempDir()
	had := download(t, more)
	if len(had) == 0 {
		t.Skip("this host's apt has none of the packages, so that there is nothing to be in a cycle with")
	}
	got := sandboxWith(t, more, `
dpkg --purge cloud-init >/dev/null 2>&1
dpkg --install /packages/openguest*.deb >/root/dpkg 2>&1 || cat /root/dpkg
mkdir -p /etc/systemd/system/multi-user.target.wants /etc/systemd/system/sysinit.target.wants
for package in /packages/other-*; do
	dpkg-deb --extract "$package" /other
done
cp --recursive --update /other/lib/systemd/system /other/usr/lib/systemd/system /usr/lib/systemd/ 2>/dev/null
for unit in ufw NetworkManager NetworkManager-wait-online firewalld chrony chronyd nftables dnsmasq google-guest-agent walinuxagent open-vm-tools qemu-guest-agent \
	systemd-networkd systemd-networkd-wait-online systemd-resolved; do
	[ -e /usr/lib/systemd/system/$unit.service ] || continue
	systemctl --quiet enable $unit.service 2>/dev/null
	echo "$unit" >>/enabled
done
echo "## enabled"; wc -l </enabled
ln -sf /usr/lib/systemd/system/openguest.target /usr/lib/systemd/system/openguest-hostkeys.service /etc/systemd/system/multi-user.target.wants/
echo "## mistakes"
systemd-analyze --man=no verify openguest-hostkeys.service 2>&1 | grep openguest
echo "## cycles"
systemd-analyze --man=no verify multi-user.target 2>&1 | grep -iE 'cycle|deleted to break'
echo "## proof"
mkdir -p /etc/systemd/system/cloud-init-local.service.d
printf '[Unit]\nAfter=multi-user.target\n' >/etc/systemd/system/cloud-init-local.service.d/cycle.conf
systemd-analyze --man=no verify multi-user.target 2>&1 | grep -ciE 'ordering cycle' | grep -v '^0$' >/dev/null && echo "a cycle is found where there is one"
true
`)
	expect(t, got, "mistakes", "")
	expect(t, got, "cycles", "")
	expect(t, got, "proof", "a cycle is found where there is one")
	if n, err := strconv.Atoi(got["enabled"]); err != nil || n < len(had) {
		t.Errorf("of the services of %v only %s are enabled", had, got["enabled"])
	}
}

// What a unit may do to the machine if its program is broken into must not be more than cloud-init's may. It is not less: people's
// scripts are run by it, and mount, load modules, set the clock and start what lives on.
func TestSecurity(t *testing.T) {
	got := sandbox(t, `
exposed() { for u in cloud-init-local cloud-init cloud-config cloud-final; do
	systemd-analyze security --offline=yes $u.service 2>&1 | sed -n "s/^✗ \([^ ]*\) .*/$u \1/p"
done; }
echo "## cloud-init"; exposed
dpkg --install /packages/openguest*.deb >/root/dpkg 2>&1 || cat /root/dpkg
echo "## openguest"; exposed
`, false)
	theirs, ours := strings.Split(got["cloud-init"], "\n"), strings.Split(got["openguest"], "\n")
	if len(theirs) < 100 || len(ours) < 100 {
		t.Fatalf("systemd-analyze finds %d exposures of cloud-init's units and %d of ours: the test does not read it right", len(theirs), len(ours))
	}
	for _, one := range ours {
		if !slices.Contains(theirs, one) {
			t.Errorf("%s is exposed, and cloud-init's is not", one)
		}
	}
}

// daemon is the one unit that goes on running, and so has to be stopped and begun again.
const daemon = "openguest-watch.service"

// The maintainer scripts of both kinds start, stop and restart no stage: a stage belongs to a boot.
func TestMaintainerScriptsStartNothing(t *testing.T) {
	tool(t, "dpkg-deb", "rpm")
	control := t.TempDir()
	if out, err := run(t, "dpkg-deb", "--control", pkg(t, "deb", "amd64"), control); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	scripts := ""
	for _, name := range []string{"preinst", "postinst", "postrm"} {
		data, err := os.ReadFile(filepath.Join(control, name))
		if err != nil {
			t.Fatal(err)
		}
		scripts += string(data)
	}
	out, err := run(t, "rpm", "--query", "--package", "--scripts", pkg(t, "rpm", "amd64"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(scripts + out) {
		code, _, _ := strings.Cut(line, "#")
		if strings.HasSuffix(code, " "+daemon+" || :\n") || strings.HasSuffix(code, " "+daemon+" || true\n") {
			continue
		}
		for _, word := range strings.Fields(code) {
			switch word {
			case "start", "restart", "try-restart", "reload-or-restart", "stop", "--now", "invoke-rc.d", "deb-systemd-invoke", "service":
				t.Errorf("a maintainer script does %q: %s", word, line)
			}
		}
	}
}
