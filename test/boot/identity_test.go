package boot

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Row S09: while the cloud is silent the machine stays the instance that it was: it gets no new host keys, and who was removed
// does not come back.
func TestSilentCloud(t *testing.T) {
	s := open(t, "#cloud-config\nusers: [{name: maria}]\nruncmd: [echo ran >> /root/ran]\n")
	s.mustBoot()
	key := s.read("/etc/ssh/ssh_host_ed25519_key.pub")
	s.sh("userdel -r maria; mv /var/lib/cloud/seed /root/seed")
	if codes := s.reboot(); codes != [4]int{} {
		t.Errorf("with a silent cloud the stages ended with %v", codes)
	}
	if id := s.read("/var/lib/cloud/data/instance-id"); id != "i-one\n" {
		t.Errorf("the instance became %q", id)
	}
	if s.read("/etc/ssh/ssh_host_ed25519_key.pub") != key {
		t.Error("the host key is another")
	}
	if strings.Contains(s.read("/etc/passwd"), "maria:") || s.read("/root/ran") != "ran\n" {
		t.Error("what is done once for an instance was done again")
	}
	tells(t, "the log", s.read("/var/log/cloud-init.log"), `\[WARNING\]: the cloud says nothing about this machine`)

	s.sh("mv /root/seed /var/lib/cloud/seed")
	if codes := s.reboot(); codes != [4]int{} || s.read("/etc/ssh/ssh_host_ed25519_key.pub") != key {
		t.Errorf("when the cloud spoke again the stages ended with %v, or the host key changed", codes)
	}
}

// Nothing is silent: whatever a person writes at the top of user-data, known, unknown or not built yet, has a verdict.
func TestEveryKeyHasAVerdict(t *testing.T) {
	const more = "packge_update: true\nntp: {enabled: true}\nyum_repos: {x: {baseurl: 'https://example/'}}\ntimezone: Nowhere/Land\nruncmd: [[]]\n" +
		"random_seed: {data: x, file: /root/seed}\nhostname_: x\nbootcmd: ['true', {no: list}]\n"
	text := strings.NewReplacer("timezone: Europe/Lisbon\n", "", "locale: C.UTF-8\n", "").Replace(typical) + more
	s := open(t, text)
	s.boot()
	var verdicts []struct{ Origin, Key, Verdict string }
	if err := json.Unmarshal([]byte(s.read("/var/lib/openguest/verdicts.json")), &verdicts); err != nil {
		t.Fatal(err)
	}
	key, of, judged := "", map[string]string{}, map[string]bool{} // the key of each line, and whether it has a verdict
	for i, line := range strings.Split(text, "\n") {
		if name, _, ok := strings.Cut(line, ":"); ok && !strings.ContainsAny(name[:1], " #-") {
			key = name
			judged[key] = false
		}
		of[fmt.Sprint("user-data part-001:", i+1)] = key
	}
	for _, v := range verdicts {
		line := v.Origin[:max(0, strings.LastIndex(v.Origin, ":"))]
		judged[of[line]] = judged[of[line]] || v.Verdict != ""
	}
	for key, is := range judged {
		if !is && key != "" {
			t.Errorf("%s has no verdict", key)
		}
	}
}

// Rows S14 and S15: which cloud this is, and the whole configuration, are where tools look for them.
func TestRunFiles(t *testing.T) {
	s := open(t, "#cloud-config\nhostname: keel\nruncmd: ['true']\n")
	s.mustBoot()
	if id := s.sh("readlink -f /run/cloud-init/cloud-id; cat /run/cloud-init/cloud-id"); id != "/run/cloud-init/cloud-id-nocloud\nnocloud\n" {
		t.Errorf("cloud-id is %q", id)
	}
	if mode := s.sh("stat -c '%a %u:%g' /run/cloud-init/combined-cloud-config.json /run/cloud-init/instance-data.json /run/cloud-init/instance-data-sensitive.json"); mode != "600 0:0\n644 0:0\n600 0:0\n" {
		t.Errorf("the modes are %q", mode)
	}
	var combined map[string]any
	if err := json.Unmarshal([]byte(s.read("/run/cloud-init/combined-cloud-config.json")), &combined); err != nil {
		t.Fatal(err)
	}
	if combined["hostname"] != "keel" || combined["disable_root"] != true || combined["runcmd"] == nil || combined["features"] == nil {
		t.Errorf("the whole configuration is %v", combined)
	}
}
