package boot

import "testing"

// Row X08. Where systemd does not answer, the key that takes long must be made all the same: this sandbox has its systemctl, and no systemd.
func TestHostKeyWithoutItsUnit(t *testing.T) {
	s := open(t, "#cloud-config\nssh_genkeytypes: [rsa, ed25519]\n")
	s.env = append(s.env, "INVOCATION_ID=0123456789abcdef0123456789abcdef")
	s.mustBoot()
	if keys := s.sh("cd /etc/ssh; ls *_key; ssh-keygen -l -f ssh_host_rsa_key.pub | grep -o '^3072'; ls /var/lib/openguest/host-keys.json 2>&1 || true"); keys !=
		"ssh_host_ed25519_key\nssh_host_rsa_key\n3072\nls: cannot access '/var/lib/openguest/host-keys.json': No such file or directory\n" {
		t.Errorf("after the boot there is\n%s", keys)
	}
	tells(t, "the log", s.read("/var/log/cloud-init.log"), `\[INFO\]: the host key that takes long is made at once: systemctl start`)
}
