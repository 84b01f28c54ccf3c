package boot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// canaries are secrets, by what each is. None may be read anywhere but in files that are for their owner alone.
var canaries = map[string]string{
	"a password in plain text":         "canary-plain-password",
	"a user's password":                "canary-chpasswd-text",
	"the default user's password":      "canary-default-password",
	"a password in a list":             "canary-list-password",
	"a hash":                           "$6$canarysalt$canaryhashcanaryhashcanaryhashcanaryhashcanaryhashcanaryhashcanaryhashcanaryhash12",
	"a host key":                       "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW",
	"a token in an address":            "canary-query-token",
	"a password in an address":         "canary-url-password",
	"a header of a request":            "canary-header-value",
	"what is in a closed file":         "canary-closed-file",
	"what is in a file that is packed": "canary-packed-file",
	"a part that nobody handles":       "canary-unhandled-part",
	"a configuration that is no YAML":  "canary-broken-yaml",
	"a wrong value of a secret key":    "canary-wrong-type",
	"a token in a command":             "canary-runcmd-token",
	"a script's text":                  "canary-script-text",
	"vendor-data":                      "canary-vendor-data",
}

const secretUserData = `Content-Type: multipart/mixed; boundary="==="
MIME-Version: 1.0

--===
Content-Type: text/cloud-config

#cloud-config
users:
  - default
  - {name: maria, plain_text_passwd: canary-plain-password, lock_passwd: false}
  - {name: joao, hashed_passwd: "$6$canarysalt$canaryhashcanaryhashcanaryhashcanaryhashcanaryhashcanaryhashcanaryhashcanaryhash12", lock_passwd: false}
  - {name: wrong, plain_text_passwd: [canary-wrong-type]}
  - {name: "no good", passwd: canary-wrong-type}
password: canary-default-password
chpasswd:
  expire: false
  users: [{name: maria, password: canary-chpasswd-text, type: text}, {name: nobody-there, password: canary-chpasswd-text, type: text}]
ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
    QyNTUxOQAAACDygK07wU9QRzs7T3navubORJTe6LYzQyrBIX94JCOjcwAAAJD7DnVs+w51
    bAAAAAtzc2gtZWQyNTUxOQAAACDygK07wU9QRzs7T3navubORJTe6LYzQyrBIX94JCOjcw
    AAAECKDZ9eynT35WwSxXdjWPz6DDIqPb5Mv2PT74rl6YIUxvKArTvBT1BHOztPedq+5s5E
    lN7otjNDKsEhf3gkI6NzAAAACGhvc3RAc3NoAQIDBAU=
    -----END OPENSSH PRIVATE KEY-----
write_files:
  - {path: /root/closed, permissions: '0600', content: canary-closed-file}
  - {path: /nowhere/closed, permissions: '0600', owner: 'nobody-there:root', content: canary-closed-file}
  - {path: /root/packed, permissions: '0600', encoding: b64, content: Y2FuYXJ5LXBhY2tlZC1maWxl}
  - {path: /root/fetched, permissions: '0600', source: {uri: "file:///nowhere/x?token=canary-query-token", headers: {Authorization: canary-header-value}}, content: canary-closed-file}
runcmd: ["true canary-runcmd-token", "exit 3"]
bootcmd: ["true canary-runcmd-token"]

--===
Content-Type: text/cloud-config
Merge-Type: list(append)+dict(no_replace)+str()

#cloud-config
chpasswd: {list: ["maria:canary-list-password", "nobody-there:canary-list-password"]}
phone_home: {url: "http://user:canary-url-password@192.0.2.1/?token=canary-query-token"}

--===
Content-Type: text/cloud-config

#cloud-config
password: canary-broken-yaml
 : {

--===
Content-Type: text/plain

password: canary-unhandled-part

--===
Content-Type: text/x-shellscript

#!/bin/sh
: canary-script-text
exit 1
--===--
`

// Row U22: secrets are in no log, no status, no plan, on no console, and in no file that others may read.
func TestSecrets(t *testing.T) {
	s := open(t, secretUserData)
	s.write("/var/lib/cloud/seed/nocloud/vendor-data", "#cloud-config\nvendor_secret: canary-vendor-data\npassword: canary-vendor-data\n")
	said := map[string]string{}
	keep := func(what string, r result) { said["what "+what+" prints"] = r.stdout + r.stderr }
	keep("plan", s.us("plan"))
	keep("plan in JSON", s.us("plan", "--format", "json"))
	keep("boot", s.us("boot"))
	for i, stage := range stages {
		s.sh("rm -f /var/lib/cloud/instance/sem/config_write_files /var/lib/cloud/instance/sem/config_set_passwords /var/lib/cloud/instance/sem/config_users_groups")
		keep(fmt.Sprintf("stage %d", i), s.us(stage...))
	}
	keep("plan afterwards", s.us("plan"))
	for _, args := range []string{"status", "status --long", "status --format json", "status --format yaml", "schema --system", "query --list-keys", "why", "detect"} {
		keep(args, s.us(strings.Fields(args)...))
	}
	keep("query of somebody else", s.run("setpriv", "--reuid=daemon", "--clear-groups", "/usr/bin/openguest", "query", "--all"))
	said["the console"] = s.read("/dev/console")
	for name, text := range s.openFiles() {
		said[name] = text
	}
	for where, text := range said {
		for what, canary := range canaries {
			if i := strings.Index(text, canary); i >= 0 {
				from := strings.LastIndex(text[:i], "\n") + 1
				to := min(len(text), i+len(canary)+40)
				t.Errorf("%s shows %s: …%s…", where, what, text[from:to])
			}
		}
	}
	if len(said) < 40 {
		t.Errorf("only %d texts were searched", len(said))
	}
}

// openFiles are the files written since the sandbox was opened which others than their owner may read, and all logs.
func (s *sandbox) openFiles() map[string]string {
	s.t.Helper()
	found := map[string]string{}
	root := fmt.Sprintf("/proc/%d/root", s.pid)
	for _, top := range []string{"/.upper", "/run"} {
		err := filepath.WalkDir(root+top, func(full string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(strings.TrimPrefix(full, root), "/.upper")
			isLog := strings.HasPrefix(name, "/var/log/")
			isShadow := name == "/etc/shadow" || name == "/etc/shadow-" // of the group shadow
			if isShadow || !isLog && info.Mode().Perm()&0o077 == 0 || info.Sys().(*syscall.Stat_t).Nlink == 0 || name == "/usr/bin/openguest" {
				return nil
			}
			data, err := os.ReadFile(full)
			found[name] = string(data)
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return found
}
