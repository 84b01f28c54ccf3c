package boot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// driveMakers make the disks that Nova makes, of the folder $1 in the file $2.
var driveMakers = map[string]string{
	"iso9660": `xorriso -as mkisofs -quiet -J -r -V config-2 -o "$2" "$1"`,
	"vfat":    `mkfs.vfat -C -n CONFIG-2 "$2" 8192 && mcopy -s -i "$2" "$1"/openstack ::/`,
}

// Row D07. A machine is set up from a disk, whatever file systems the kernel knows, and keeps what was changed later.
func TestConfigDriveDisks(t *testing.T) {
	for kind, maker := range driveMakers {
		t.Run(kind, func(t *testing.T) {
			s := open(t, "")
			s.sh("rm -r /var/lib/cloud/seed/nocloud")
			s.config("99-cloud", "datasource_list: [ConfigDrive, None]\n")
			device := s.addDrive(maker)
			s.mustBoot()
			for name, want := range map[string]string{"/srv/three": "put in", "/srv/new/four": "\x01\xff", "/srv/one": "from user-data", "/etc/hostname": "web1\n",
				"/var/lib/cloud/data/instance-id": "83679162-1378-4288-a2d4-70e13ec132aa\n", "/var/lib/cloud/instance/datasource": "DataSourceConfigDrive: DataSourceConfigDrive [net,ver=2][source=" + device + "]\n"} {
				if got := s.read(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			s.write("/srv/three", "changed")
			if codes := s.reboot(); codes != [4]int{} || s.read("/srv/three") != "changed" {
				t.Errorf("the second boot ended with %v; the file has %q", codes, s.read("/srv/three"))
			}
		})
	}
}

// addDrive puts a config drive into the machine and returns its device. Of all disks of the host, it alone has a node there.
func (s *sandbox) addDrive(maker string) (device string) {
	s.t.Helper()
	dir, image := s.t.TempDir(), filepath.Join(s.t.TempDir(), "drive")
	lines := strings.ReplaceAll(configDrive, "/var/lib/cloud/seed/config_drive", dir)
	if out, err := exec.Command("sh", "-ec", lines+maker, "sh", dir, image).CombinedOutput(); err != nil {
		s.t.Skipf("a config drive cannot be made here (scripts/tools installs what that needs): %v: %s", err, out)
	}
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	if err != nil {
		s.t.Skip("losetup cannot make a loop device here")
	}
	device = strings.TrimSpace(string(out))
	s.t.Cleanup(func() {
		if err := exec.Command("losetup", "--detach", device).Run(); err != nil {
			s.t.Error(err)
		}
	})
	number, err := os.ReadFile("/sys/class/block/" + filepath.Base(device) + "/dev")
	major, minor, ok := strings.Cut(strings.TrimSpace(string(number)), ":")
	if err != nil || !ok {
		s.t.Fatalf("the device %s has no number: %q, %v", device, number, err)
	}
	s.sh("mknod " + device + " b " + major + " " + minor)
	return device
}
