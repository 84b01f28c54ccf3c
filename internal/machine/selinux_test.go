package machine

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const selinuxConfig = "-- /etc/selinux/config --\n# how\nSELINUX=enforcing\nSELINUXTYPE=targeted # which\n"

var policyTexts = map[string]string{
	"file_contexts": `
/.*	system_u:object_r:default_t:s0
/etc/.*	system_u:object_r:etc_t:s0
/etc/hostname	--	system_u:object_r:hostname_etc_t:s0
/etc/s?shadow.*	--	system_u:object_r:shadow_t:s0
/etc/(cron\.d|cron\.daily)(/.*)?	system_u:object_r:system_cron_spool_t:s0
/etc/a\.b\+c	system_u:object_r:exact_t:s0
/opt|/srv/.*	system_u:object_r:choice_t:s0
/home/[^/]+/.*	unconfined_u:object_r:early_t:s0
/run/.*	<<none>>
/usr/lib/.*	system_u:object_r:lib_t:s0
/usr/lib/systemd/system/.*	--	system_u:object_r:systemd_unit_file_t:s0
/dev/[0-9].*	-c	system_u:object_r:usb_device_t:s0
/var/log	-d	system_u:object_r:var_log_t:s0
/bad/(?=x).*	system_u:object_r:bad_t:s0
/broken
`,
	"file_contexts.homedirs": `
/home/[^/]+/.+	unconfined_u:object_r:user_home_t:s0
/home/[^/]+/\.ssh(/.*)?	unconfined_u:object_r:ssh_home_t:s0
/root/\.ssh(/.*)?	system_u:object_r:ssh_home_t:s0
`,
	"file_contexts.local":     "/etc/mine(/.*)?\tsystem_u:object_r:local_t:s0\n",
	"file_contexts.subs":      "/data/home /home\n",
	"file_contexts.subs_dist": "/lib /usr/lib\n/etc/systemd/system /usr/lib/systemd/system\n",
}

func policyFake() string {
	text := selinuxConfig
	for name, content := range policyTexts {
		text += "-- /etc/selinux/targeted/contexts/files/" + name + " --\n" + strings.TrimPrefix(content, "\n")
	}
	return text
}

var labelTests = []struct {
	name string
	mode fs.FileMode
	want string
}{
	{"/home/joe/.ssh", fs.ModeDir | 0o700, "unconfined_u:object_r:ssh_home_t:s0"},
	{"/home/joe/.ssh/authorized_keys", 0o600, "unconfined_u:object_r:ssh_home_t:s0"},
	{"/home/joe/x", 0o600, "unconfined_u:object_r:user_home_t:s0"},
	{"/home/joe", fs.ModeDir | 0o700, "system_u:object_r:default_t:s0"},
	{"/data/home/joe/.ssh/id", 0o600, "unconfined_u:object_r:ssh_home_t:s0"},
	{"/root/.ssh/authorized_keys", 0o600, "system_u:object_r:ssh_home_t:s0"},
	{"/etc/hostname", 0o644, "system_u:object_r:hostname_etc_t:s0"},
	{"/etc/hostname", fs.ModeDir | 0o755, "system_u:object_r:etc_t:s0"},
	{"/etc/shadow", 0, "system_u:object_r:shadow_t:s0"},
	{"/etc/sshadow-", 0, "system_u:object_r:shadow_t:s0"},
	{"/etc/cron.daily/x", 0o755, "system_u:object_r:system_cron_spool_t:s0"},
	{"/etc/a.b+c", 0o644, "system_u:object_r:exact_t:s0"},
	{"/etc/mine/x", 0o644, "system_u:object_r:local_t:s0"},
	{"/opt", fs.ModeDir | 0o755, "system_u:object_r:choice_t:s0"},
	{"/srv/x", 0o644, "system_u:object_r:choice_t:s0"},
	{"/run/cloud-init/x", 0o644, ""},
	{"/lib/systemd/system/x.service", 0o644, "system_u:object_r:systemd_unit_file_t:s0"},
	{"/etc/systemd/system/x.service", 0o644, "system_u:object_r:systemd_unit_file_t:s0"},
	{"/library", 0o644, "system_u:object_r:default_t:s0"},
	{"/var/log", fs.ModeDir | 0o755, "system_u:object_r:var_log_t:s0"},
	{"/var/log", 0o644, "system_u:object_r:default_t:s0"},
	{"/bad/xy", 0o644, "system_u:object_r:default_t:s0"},
}

// With a wrong label sshd may not read the keys that we write, and nobody can log in. Row M34.
func TestPolicyLabels(t *testing.T) {
	label := policyLabels(Fake(policyFake(), time.Unix(0, 0)).Files)
	if label == nil {
		t.Fatal("a tree with a policy has no labels")
	}
	for _, test := range labelTests {
		if got := label(test.name, test.mode); got != test.want {
			t.Errorf("%s (%v) gets %q, want %q", test.name, test.mode, got, test.want)
		}
	}
}

// The same names are asked of libselinux. It knows look-ahead, which Go does not: that rule is left out.
func TestPolicyAsMatchpathcon(t *testing.T) {
	program, err := exec.LookPath("matchpathcon")
	if err != nil {
		t.Skip("matchpathcon, of selinux-utils, is not installed")
	}
	dir := t.TempDir()
	for name, text := range policyTexts {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "/broken\n", ""), "/bad/(?=x).*", "/bad/y.*")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range labelTests {
		kind := "file"
		if test.mode.IsDir() {
			kind = "dir"
		}
		out, err := exec.Command(program, "-N", "-n", "-f", filepath.Join(dir, "file_contexts"), "-m", kind, test.name).Output()
		got := strings.TrimSpace(string(out))
		if got == "<<none>>" {
			got = ""
		}
		if err != nil || got != test.want {
			t.Errorf("matchpathcon says %q (%v) of %s, the test wants %q", got, err, test.name, test.want)
		}
	}
}

// Where there is no SELinux nothing may be labelled: many file systems refuse it.
func TestNoPolicy(t *testing.T) {
	tests := []struct {
		name, files string
		there       bool
	}{
		{"debian", "-- /etc/os-release --\nID=debian\n", false},
		{"switched off", "-- /etc/selinux/config --\nSELINUX=disabled\nSELINUXTYPE=targeted\n-- /etc/selinux/targeted/contexts/files/file_contexts --\n", false},
		{"configured without a policy", selinuxConfig, false},
		{"a running kernel without it", policyFake() + "-- /proc/self/ --\n", false},
		{"a running kernel with it", policyFake() + "-- /proc/self/ --\n-- /sys/fs/selinux/enforce --\n0\n", true},
		{"a kernel with it and no configuration", "-- /sys/fs/selinux/enforce --\n1\n", true},
	}
	for _, test := range tests {
		label := policyLabels(Fake(test.files, time.Unix(0, 0)).Files)
		if (label != nil) != test.there {
			t.Errorf("%s: labels are %v, want %v", test.name, label != nil, test.there)
		}
		if label != nil {
			label("/etc/x", 0o644) // must not panic
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add("/home/[^/]+/\\.ssh(/.*)?\t-d\tl\n/etc/x l\n", "/home/x/.ssh")
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 4096 || len(name) > 256 {
			t.Skip("longer than any line that matters")
		}
		p := &labelPolicy{exact: map[string][]*labelRule{}}
		for line := range strings.Lines(text) {
			p.addRule(strings.Fields(line))
		}
		for _, r := range p.patterns {
			if !strings.HasPrefix(name, r.prefix) && r.matches(name) {
				t.Errorf("%q matches %q, but does not begin with %q", r.pattern, name, r.prefix)
			}
		}
		p.label(name, 0)
	})
}
