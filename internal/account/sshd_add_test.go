package account

import (
	"testing"
	"time"

	"openguest/internal/machine"
)

// Row M31. A line of the server's configuration that lands in a Match keeps the server from starting.
func TestAddSSHD(t *testing.T) {
	const line = "HostCertificate /etc/ssh/ssh_host_rsa_key-cert.pub\n"
	const include = "Include /etc/ssh/sshd_config.d/*.conf\n"
	for _, c := range []struct{ name, before, file, after string }{
		{"no configuration", "", "/etc/ssh/sshd_config", line},
		{"an old one", "-- etc/ssh/sshd_config 0644 0:0 --\nPort 22\n", "/etc/ssh/sshd_config", "Port 22\n" + line},
		{"a match", "-- etc/ssh/sshd_config 0644 0:0 --\nPort 22\nMatch User x\n  X11Forwarding no\n", "/etc/ssh/sshd_config", "Port 22\n" + line + "Match User x\n  X11Forwarding no\n"},
		{"another certificate", "-- etc/ssh/sshd_config 0644 0:0 --\nHostCertificate /etc/a\n", "/etc/ssh/sshd_config", "HostCertificate /etc/a\n" + line},
		{"a folder", "-- etc/ssh/sshd_config 0644 0:0 --\n" + include, "/etc/ssh/sshd_config.d/50-cloud-init.conf", line},
	} {
		m := machine.Fake(c.before, time.Unix(0, 0))
		if changed, err := AddSSHD(m.Files, "HostCertificate", "/etc/ssh/ssh_host_rsa_key-cert.pub"); !changed || err != nil {
			t.Errorf("%s: changed %v, %v", c.name, changed, err)
		}
		if text, _ := m.Files.Read(c.file); text != c.after {
			t.Errorf("%s: have\n%swant\n%s", c.name, text, c.after)
		}
		if changed, err := AddSSHD(m.Files, "HostCertificate", "/etc/ssh/ssh_host_rsa_key-cert.pub"); changed || err != nil {
			t.Errorf("%s: a second run changed %v, %v", c.name, changed, err)
		}
	}
}
