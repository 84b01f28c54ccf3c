package module

import (
	"slices"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// TestPackageCommands: a wrong word here and no machine of that family gets its packages. Row M49.
func TestPackageCommands(t *testing.T) {
	const aptGet = "apt-get --option=Dpkg::Options::=--force-confold --option=Dpkg::options::=--force-unsafe-io --assume-yes --quiet "
	for _, test := range []struct{ distro, update, upgrade, install string }{
		{"debian", aptGet + "update", aptGet + "dist-upgrade", aptGet + "install git vim=9.1"},
		{"ubuntu", aptGet + "update", aptGet + "dist-upgrade", aptGet + "install git vim=9.1"},
		{"fedora", "dnf -y makecache", "dnf -y upgrade", "dnf -y install git vim-9.1"},
		{"rhel 2", "yum -t -y makecache", "yum -t -y upgrade", "yum -t -y install git vim-9.1"},
		{"photon 3", "tdnf -y makecache", "tdnf -y upgrade", "tdnf -y install git vim-9.1"},
		{"alpine", "apk --quiet update", "apk --quiet upgrade --update-cache --available", "apk --quiet add git vim=9.1"},
		{"opensuse-leap", "zypper --non-interactive refresh", "zypper --non-interactive update", "zypper --non-interactive install --auto-agree-with-licenses git vim-9.1"},
		{"arch", "pacman -Sy --quiet --noconfirm -y", "pacman -Sy --quiet --noconfirm -u", "pacman -Sy --quiet --noconfirm git vim-9.1"},
	} {
		id, which, _ := strings.Cut(test.distro, " ")
		distro, known := FindDistro(id, nil)
		if !known {
			t.Errorf("%s is not known", id)
		}
		m := distro.Packages[strings.Index("123", which)*min(1, len(which))]
		words := []string{m.word(&wantedPackage{name: "git"}), m.word(&wantedPackage{name: "vim", version: "9.1"})}
		for want, got := range map[string][]string{test.update: m.Update, test.upgrade: m.Upgrade, test.install: slices.Concat(m.Install, words)} {
			change := m.change(&Env{}, got...)
			if argv := strings.Join(change.Argv, " "); argv != want || change.Limit != machine.NoLimit {
				t.Errorf("%s: %s, want %s", id, argv, want)
			}
		}
	}
}
