package boot

import (
	"fmt"
	"strings"
	"testing"
)

// Row M02: bootcmd runs at every boot, before the files are written that depend on what it does.
func TestBootcmd(t *testing.T) {
	s := open(t, "#cloud-config\nbootcmd:\n- test -e /etc/written && echo late >> /root/order || echo early >> /root/order\n- [sh, -c, 'echo \"$INSTANCE_ID\" >> /root/id']\n"+
		"write_files: [{path: /etc/written, content: x}]\n")
	s.mustBoot()
	s.reboot()
	if order, ids := s.read("/root/order"), s.read("/root/id"); order != "early\nlate\n" || ids != "i-one\ni-one\n" {
		t.Errorf("two boots left %q and the ids %q", order, ids)
	}
}

// Rows M22, M23, M28: the default user of the image, or the one that user: names, may log in with the cloud's keys and become
// root, and sudo takes the rules; root is told whom to log in as.
func TestDefaultUser(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cQ"
	for name, config := range map[string]string{"debian": "", "ec2-user": "system_info: {default_user: {name: ec2-user, sudo: ['ALL=(ALL) NOPASSWD:ALL'], groups: [adm]}}\n",
		"cloud-user": "system_info: {default_user: {name: cloud-user, sudo: ['ALL=(ALL) NOPASSWD:ALL'], groups: [adm]}}\n", "admin": "user: admin\n"} {
		t.Run(name, func(t *testing.T) {
			s := open(t, "#cloud-config\n{}\n")
			s.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-one\npublic-keys: ['"+key+"']\n")
			if config != "" {
				s.config("50-user", config)
			}
			s.mustBoot()
			home := "/home/" + name
			if keys := s.read(home + "/.ssh/authorized_keys"); keys != key+"\n" {
				t.Errorf("the keys of %s are %q", name, keys)
			}
			want := fmt.Sprintf("700 %[1]s:%[1]s\n600 %[1]s:%[1]s\n440 root:root\n", name)
			if modes := s.sh("stat -c '%a %U:%G' " + home + "/.ssh " + home + "/.ssh/authorized_keys /etc/sudoers.d/90-cloud-init-users"); modes != want {
				t.Errorf("the modes are %q, want %q", modes, want)
			}
			s.sh("visudo -c -q") // fails where the rules are wrong
			if may := s.sh("su -s /bin/sh " + name + " -c 'sudo -n id -u'"); may != "0\n" {
				t.Errorf("with sudo %s is %q", name, may)
			}
			if root := s.read("/root/.ssh/authorized_keys"); !strings.Contains(root, `Please login as the user \"`+name+`\" rather than the user \"root\"`) {
				t.Errorf("root's keys are %q", root)
			}
		})
	}
}

// Row M16: which of two names a machine is called by, in the kernel, in its file, and in the file of hosts.
func TestHostname(t *testing.T) {
	const both = "hostname: one\nfqdn: two.example.org\nmanage_etc_hosts: true\n"
	for _, c := range []struct{ config, name, file, long string }{ // the configuration is the image's: user-data comes after the early name
		{"hostname: one\n", "one", "one", ""},
		{both, "one", "one", "two.example.org"},
		{both + "prefer_fqdn_over_hostname: true\n", "two.example.org", "two.example.org", "two.example.org"},
		{both + "prefer_fqdn_over_hostname: false\n", "one", "one", "two.example.org"},
		{both + "create_hostname_file: true\n", "one", "one", "two.example.org"},
		{both + "create_hostname_file: false\n", "one", "", "two.example.org"},
		{"hostname: one.example.net\nmanage_etc_hosts: localhost\n", "one", "one", "one.example.net"},
		{"preserve_hostname: true\nhostname: one\n", "base", "", ""},
	} {
		s := open(t, "")
		s.config("50-names", c.config)
		s.sh("rm -f /etc/hostname")
		s.mustBoot()
		file, _ := s.look("/etc/hostname")
		if name := s.sh("hostname"); name != c.name+"\n" || strings.TrimSpace(file) != c.file {
			t.Errorf("%q: the machine is %q, and %q by its file", c.config, name, file)
		}
		if c.long != "" {
			if long := s.sh("getent hosts 127.0.1.1; hostname -f"); !strings.HasSuffix(long, c.long+"\n") && !strings.Contains(long, c.long+" ") {
				t.Errorf("%q: its long name is %q", c.config, long)
			}
			tells(t, "/etc/hosts", s.read("/etc/hosts"), "127\\.0\\.1\\.1\\s+"+c.long+"\\s+one\n")
		}
		s.close()
	}
}

// Row U01: a script as user-data runs once, at the end of the first boot: here one that sets root's password.
func TestScriptAsUserData(t *testing.T) {
	const hash = "$6$saltsaltsaltsalt$ph0yGsyjzqdeFaon7.gJZo8eAG5/rj9/JdzOu1Rl7dKzBYg3xgvl7T2VQ2Rt81bc5AXkdA54r0p8QvC1omD6R1"
	s := open(t, "#!/bin/sh\nprintf 'root:%s\\n' '"+hash+"' | chpasswd -e\necho ran >> /root/ran\n")
	for _, stage := range stages[:3] {
		s.us(stage...)
	}
	if s.exists("/root/ran") {
		t.Error("the script ran before the final stage")
	}
	if r := s.us(stages[3]...); r.code != 0 {
		t.Errorf("the final stage ended with %d: %s", r.code, r.stderr)
	}
	s.reboot()
	if ran := s.read("/root/ran"); ran != "ran\n" || !strings.Contains(s.read("/etc/shadow"), "root:"+hash+":") {
		t.Errorf("after two boots the script left %q, or root's password is another", ran)
	}
}

// Row D20: a machine without a cloud boots with what its image says, and says that this was the last resort.
func TestNoCloudAtAll(t *testing.T) {
	s := open(t, "")
	s.sh("rm -r /var/lib/cloud/seed")
	s.config("50-none", "datasource_list: [NoCloud, None]\ndatasource: {None: {userdata_raw: \"#!/bin/sh\\necho ran > /root/ran\\n\"}}\n")
	s.mustBoot()
	if !s.exists("/root/ran") || s.read("/var/lib/cloud/data/instance-id") != "iid-datasource-none\n" {
		t.Errorf("the image's script did not run, or the instance is %q", s.read("/var/lib/cloud/data/instance-id"))
	}
	tells(t, "the log", s.read("/var/log/cloud-init.log"), `\[WARNING\]: Used fallback datasource`)
}
