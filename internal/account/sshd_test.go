package account

import (
	"testing"
	"time"

	"openguest/internal/machine"
)

// TestSetSSHD: a setting in the wrong file, or inside a Match, would not count. Row M37.
func TestSetSSHD(t *testing.T) {
	for _, test := range []struct{ name, files, file, want string }{
		{"not there", "", sshdFile, "PasswordAuthentication yes\n"},
		{"added", "-- /etc/ssh/sshd_config 0600 0:0 --\nPort 22\n", sshdFile, "Port 22\nPasswordAuthentication yes\n"},
		{"before a match", "-- /etc/ssh/sshd_config --\nPort 22\nMatch User x\n  PasswordAuthentication no\n", sshdFile,
			"Port 22\nPasswordAuthentication yes\nMatch User x\nPasswordAuthentication yes\n"},
		{"changed", "-- /etc/ssh/sshd_config --\n#PasswordAuthentication no\nSubsystem\tsftp x\npasswordauthentication=no\n", sshdFile,
			"#PasswordAuthentication no\nSubsystem\tsftp x\nPasswordAuthentication yes\n"},
		{"as it is", "-- /etc/ssh/sshd_config --\nPasswordAuthentication   yes\n", sshdFile, "PasswordAuthentication   yes\n"},
		{"included", "-- /etc/ssh/sshd_config --\nInclude /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication no\n", sshdOwnFile, "PasswordAuthentication yes\n"},
		{"only the folder", "-- /etc/ssh/sshd_config.d/ --\n", sshdOwnFile, "PasswordAuthentication yes\n"},
		{"our own", "-- /etc/ssh/sshd_config --\nInclude /etc/ssh/sshd_config.d/*.conf\n-- /etc/ssh/sshd_config.d/50-cloud-init.conf 0600 0:0 --\nPasswordAuthentication no\n",
			sshdOwnFile, "PasswordAuthentication yes\n"},
	} {
		m := machine.Fake(test.files, time.Unix(0, 0))
		changed, err := SetSSHD(m.Files, "PasswordAuthentication", "yes")
		n, _ := machine.Get(m.Files, test.file)
		if err != nil || n.Data != test.want || changed != (test.name != "as it is") || test.file == sshdOwnFile && n.Mode != 0o600 {
			t.Errorf("%s: %v %v\n%v", test.name, changed, err, n)
		}
		if changed, err := SetSSHD(m.Files, "PasswordAuthentication", "yes"); changed || err != nil {
			t.Errorf("%s: the second time: %v %v", test.name, changed, err)
		}
	}
}

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

func FuzzSSHD(f *testing.F) {
	f.Add("Port 22\nMatch all\nPasswordAuthentication no")
	f.Add("Include *\nInclude /etc/ssh/sshd_config\nPasswordAuthentication=\"no\"")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			return
		}
		once := setKeyword(text, "PasswordAuthentication", "yes")
		if twice := setKeyword(once, "PasswordAuthentication", "yes"); twice != once {
			t.Errorf("%q, then %q", once, twice)
		}
		m := machine.Fake("-- /etc/ssh/ --", time.Unix(0, 0))
		m.Files.Put(sshdFile, machine.File(0o644, once))
		if d, err := readSSHD(m.Files); err != nil || d.value("passwordauthentication", "") == "" {
			t.Errorf("%q: %v %v", once, d, err)
		}
	})
}
