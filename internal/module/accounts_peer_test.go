package module

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/test/peer"
)

// accountParts are the folders that hold what users_groups and set_passwords change.
var accountParts = []string{"etc", "home", "srv", "root", "var/mail"}

const accountConfig = `
groups:
  - lab: [root]
  - extra
users:
  - default
  - {name: ada, gecos: Ada L, groups: "sudo, lab", shell: /bin/bash, passwd: $6$abc$def, lock_passwd: false, sudo: ALL=(ALL) ALL,
     ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUAAHaFPpjFc3OoMFY7t6lSkXdJfVfSBdMoCmbGyGYJ a@example]}
  - {name: bob, plain_text_passwd: s3cret, lock_passwd: false, uid: 1234, primary_group: extra}
  - {name: svc, system: true}
  - {name: nch, no_create_home: true, no_user_group: true, expiredate: '2032-09-01', inactive: '5'}
  - {name: cee, homedir: /srv/x/cee, hashed_passwd: $6$x$y, sudo: [ALL=(root) /bin/ls, ALL=(root) /bin/true]}
  - {name: dee, create_groups: false, groups: [adm], selinux-user: ''}
  - {name: games, sudo: ALL=(ALL) ALL, lock_passwd: true}
chpasswd:
  users:
    - {name: svc, password: $6$q$w}
    - {name: cee, password: hello, type: text}
ssh_pwauth: true
system_info:
  distro: debian
  default_user: {name: debian, lock_passwd: true, gecos: Debian, groups: [adm, audio, lab], sudo: ["ALL=(ALL) NOPASSWD:ALL"], shell: /bin/bash}
`

// peerAccounts is what cloud-init does with the configuration.
const peerAccounts = `import logging, sys, yaml
from cloudinit import distros, helpers
from cloudinit.config import cc_set_passwords, cc_users_groups
cfg = yaml.safe_load(sys.argv[1])
class Cloud:
    distro = distros.fetch("debian")("debian", cfg["system_info"], helpers.Paths({}))
    def get_public_ssh_keys(self): return []
cc_users_groups.handle("users-groups", cfg, Cloud(), logging.getLogger(), [])
cc_set_passwords.handle("set-passwords", cfg, Cloud(), logging.getLogger(), [])`

// TestAccountsAsThePeer runs the real cloud-init in the root of a Debian, with the real useradd, and ours on a copy of that
// root which does not run. All that is left of both must be the same. Rows M22, M24, M35, M37, O01.
func TestAccountsAsThePeer(t *testing.T) {
	tree := peer.Tree(t, cloudInit)
	ours, theirs := t.TempDir(), t.TempDir()
	parts := strings.Join(accountParts, " ")
	shell(t, "cd "+tree+" && cp -a --parents "+parts+" "+ours)
	shell(t, `cd "`+theirs+`"; mkdir mounts; mount -t tmpfs none mounts; mkdir mounts/u mounts/w mounts/m
		mount -t overlay none -o lowerdir=`+tree+`,upperdir=mounts/u,workdir=mounts/w mounts/m; cd mounts/m
		mount -t tmpfs none run; chroot . python3 -c "$1" "$2" >/dev/null; cp -a --parents `+parts+" "+theirs, peerAccounts, accountConfig)
	applyAccounts(t, ours)
	peer.Same(t, accountFiles(t, ours), accountFiles(t, theirs))
}

// cloudInit is where the packages of Debian have it.
const cloudInit = "/usr/lib/python3/dist-packages/cloudinit"

// shell runs a script where nobody else sees its mounts.
func shell(t *testing.T, script string, args ...string) {
	t.Helper()
	if err := exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt").Run(); err != nil {
		t.Skip("needs the right to mount")
	}
	out, err := exec.Command("unshare", append([]string{"-m", "-n", "sh", "-ec", script, "sh"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// applyAccounts runs the modules, twice: the second time must change nothing.
func applyAccounts(t *testing.T, dir string) {
	m, err := machine.Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := conf.Parse("user-data", []byte(accountConfig))
	if err != nil {
		t.Fatal(err)
	}
	distro, _ := FindDistro("debian", config)
	s := &scene{}
	e := &Env{Machine: m, Instance: &instance.Instance{ID: "i-1"}, Config: config, Distro: distro, Report: s, Version: "22.4.2"}
	for turn := range 2 {
		before := m.Ledger.Len()
		for _, mod := range []*Module{usersGroups, setPasswords} {
			if err := mod.Run(t.Context(), e); err != nil {
				t.Fatal(err, s.said.String())
			}
		}
		if turn == 1 && m.Ledger.Len() > before {
			t.Errorf("the second time changed again: %v", m.Ledger.Entries()[before:])
		}
	}
}

// accountFiles reads what a root holds, but for the copies and the lock that the programs keep, and salts and dates.
func accountFiles(t *testing.T, dir string) map[string]machine.Node {
	return peer.Snapshot(t, dir, accountParts, regexp.MustCompile(`\$(y|6)\$[^:]{40,}|(?m:on \w{3}, .*$)`))
}
