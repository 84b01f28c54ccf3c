package boot

import (
	"strings"
	"testing"
)

// Row M13. What a person asks for is mounted when the boot has ended, stands in fstab for the boots to come, and is left alone
// after that: nothing is written, and no program is run, even for a new instance from the same image.
func TestMounts(t *testing.T) {
	s := open(t, "")
	s.sh(`printf '#!/bin/sh\necho "$@" >> /root/systemctl\n' > /usr/bin/systemctl; chmod 755 /usr/bin/systemctl`)
	s.sh(`rm -f /etc/fstab; printf '# of the image\nLABEL=root / ext4 defaults 0 1\n' > /etc/fstab; mkdir -p /srv/from`)
	s.sh("mv /bin/mount /bin/mount.real")
	s.sh(`printf '#!/bin/sh\n[ "$1" = -a ] || exec /bin/mount.real "$@"\necho "$@" >> /root/mount\nexec /bin/mount.real -a -t tmpfs\n' > /bin/mount; chmod 755 /bin/mount`)
	const userData = `#cloud-config
mounts:
  - [none, "/srv/with space", tmpfs, "size=1M,nofail"]
  - [none, /srv/waits, tmpfs, "size=1M,noauto"]
  - [LABEL=none-such, /srv/late, ext4, "nofail,noauto"]
`
	s.seed("i-one", userData)
	s.mustBoot()
	if got := s.sh("findmnt -n -o TARGET,FSTYPE '/srv/with space'; ls -d /srv/waits /srv/late"); !strings.Contains(got, "tmpfs") {
		t.Errorf("mounted is %q", got)
	}
	want := "# of the image\nLABEL=root / ext4 defaults 0 1\n" +
		"none\t/srv/with\\040space\ttmpfs\tsize=1M,nofail,comment=cloudconfig\t0\t2\n" +
		"none\t/srv/waits\ttmpfs\tsize=1M,noauto,comment=cloudconfig\t0\t2\n" +
		"LABEL=none-such\t/srv/late\text4\tnofail,noauto,comment=cloudconfig\t0\t2\n"
	if got := s.read("/etc/fstab"); got != want {
		t.Errorf("fstab is\n%s", got)
	}
	before := s.files()["/etc/fstab"]
	s.seed("i-two", userData)
	if codes := s.reboot(); codes != [4]int{} {
		t.Errorf("the second boot ended with %v", codes)
	}
	if after := s.files()["/etc/fstab"]; after != before {
		t.Errorf("fstab was %+v and is %+v", before, after)
	}
	if got := s.read("/root/mount"); got != "-a\n" {
		t.Errorf("mount was run as %q", got)
	}
	if got := s.read("/root/systemctl"); strings.Count(got, "daemon-reload") != 1 {
		t.Errorf("systemctl was run as %q", got)
	}
}
