package metadata

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"openguest/test/peer"
)

// insideAgent is Google's agent as Debian has it, and before it the program that runs the start-up script.
const insideAgent = `
cp "$AGENT"/usr/bin/google_* "$r/usr/bin/"
printf '[InstanceSetup]\nhost_key_types = ed25519\n' > "$r/etc/default/instance_configs.cfg"
PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
chroot "$r" /usr/bin/google_metadata_script_runner startup < /dev/null > "$OUT/startup" 2>&1 || echo "it ended with $?" >> "$OUT/startup"
chroot "$r" /usr/bin/google_guest_agent < /dev/null > "$OUT/output" 2>&1 || echo "it ended with $?" >> "$OUT/output"
`

// A visited is a sandbox with Google's agent in it, and our server that it asks.
type visited struct {
	t     *testing.T
	admin *Client
	root  string // the sandbox's root folder
	out   string // what the programs printed
}

// Google's agent, as Debian ships it, must do with our answers what it does with Google's: make the accounts, write its host keys
// back, and be told of a change while it waits.
func TestRealGuestAgent(t *testing.T) {
	v := visit(t, peer.Tree(t, "usr/bin/cloud-init"), guestAgent(t))
	bob, carol, all := sshKey(t), sshKey(t), sshKey(t)
	v.set(projectKey, map[string]any{"id": "lab", "number": 129303, "ssh-keys": []string{"all:" + all}})
	v.set("web1", agentInstance("bob:"+bob))
	v.until("the accounts of the metadata", func() bool { return v.holdsKey("bob", bob) && v.holdsKey("all", all) })
	if got := v.read("ran"); got != "started" {
		t.Errorf("the start-up script left %q", got)
	}

	var w Written
	v.until("the host key in the guest attributes", func() bool {
		value, err := v.admin.Written(t.Context(), "web1")
		return err == nil && json.Unmarshal(value, &w) == nil && strings.HasPrefix(w.GuestAttributes["hostkeys"]["ssh-ed25519"], "AAAA")
	})
	if public := v.read("etc/ssh/ssh_host_ed25519_key.pub"); !strings.Contains(public, w.GuestAttributes["hostkeys"]["ssh-ed25519"]) {
		t.Errorf("it published another key than it has: %s", public)
	}

	v.until("a request that is held back", func() bool { return v.waiting() == 1 })
	v.set("web1", agentInstance("carol:"+carol))
	v.until("the account of the change", func() bool { return v.holdsKey("carol", carol) && !v.holdsKey("bob", bob) })
	if !v.wasWoken() {
		t.Error("none of its requests was held back and then answered by the change")
	}
	v.until("the next request that is held back", func() bool { return v.waiting() == 1 })
}

// agentInstance is the machine that the agent is told it is.
func agentInstance(key string) map[string]any {
	return map[string]any{
		"hostname": "web1.lab.example", "zone": "lab1-a", "nics": []any{map[string]any{"mac": "52:54:00:ab:cd:01", "ips": []string{"10.0.0.5/24"}}},
		"attributes": map[string]string{"enable-guest-attributes": "TRUE", "startup-script": "#!/bin/sh\nprintf started > /ran\n"}, "ssh-keys": []string{key},
	}
}

// guestAgent is a folder with the programs of Debian's package.
func guestAgent(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	download := exec.Command("apt-get", "download", "google-guest-agent")
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		t.Skipf("google-guest-agent cannot be had from this host's apt (%v): %s", err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "; "))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if out, err := exec.Command("dpkg-deb", "--extract", found[0], filepath.Join(dir, "agent")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "agent")
}

func sshKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// visit starts the sandbox; the test's end kills all that is in it.
func visit(t *testing.T, tree, agent string) *visited {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, data, out := t.TempDir(), t.TempDir(), t.TempDir()
	store, err := OpenFile(data)
	if err != nil {
		t.Fatal(err)
	}
	value, err := json.Marshal(agentInstance("first:" + sshKey(t)))
	if err == nil {
		_, err = store.Write(t.Context(), Change{Key: "instance/web1", Value: value, IfMatch: Any})
	}
	if err != nil || store.Close() != nil {
		t.Fatal(err)
	}
	command := exec.Command("unshare", "-m", "-n", "-p", "-f", "-u", "-i", "--kill-child", "bash", "-c", insideTree+insideAgent)
	command.Env = append(os.Environ(), "WORK="+dir, "TREE="+tree, "OUT="+out, "SELF="+self, "DATA="+data, "AGENT="+agent)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill() // it has ended where the agent ended
		command.Wait()         // that it was killed is known
	})
	root := filepath.Join("/proc", strconv.Itoa(command.Process.Pid), "root", dir, "root")
	return &visited{t: t, admin: NewClient(filepath.Join(data, "admin.sock")), root: root, out: out}
}

// until waits for what the agent must do.
func (v *visited) until(what string, is func() bool) {
	v.t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(2 * patience); time.Now().Before(end); <-again.C {
		if is() {
			return
		}
	}
	said, _ := os.ReadFile(filepath.Join(v.out, "output"))    // what it said helps where it is there
	before, _ := os.ReadFile(filepath.Join(v.out, "startup")) // the same
	requests, err := v.admin.Requests(v.t.Context(), "", 0)
	v.t.Fatalf("never came: %s\n%s\n%s\n%+v %v", what, before, tail(said, 40), requests, err)
}

// set writes an object as soon as the server answers.
func (v *visited) set(name string, object map[string]any) {
	v.t.Helper()
	value, err := json.Marshal(object)
	if err != nil {
		v.t.Fatal(err)
	}
	v.until("the server", func() bool { return v.admin.Import(v.t.Context(), importOf(name, string(value))) == nil })
}

func (v *visited) read(name string) string {
	data, err := os.ReadFile(filepath.Join(v.root, name))
	if err != nil {
		return ""
	}
	return string(data)
}

// holdsKey says whether the agent made an account and let a key in.
func (v *visited) holdsKey(user, key string) bool {
	return strings.Contains(v.read("etc/passwd"), "\n"+user+":") && strings.Contains(v.read("home/"+user+"/.ssh/authorized_keys"), "# Added by Google\n"+key)
}

// waiting is how many requests are held back.
func (v *visited) waiting() int {
	text, err := v.admin.Metrics(v.t.Context())
	if err != nil {
		return -1
	}
	return metric(v.t, text, "waiting")
}

// wasWoken says whether a request of the agent was held back until there was something to tell.
func (v *visited) wasWoken() bool {
	all, err := v.admin.Requests(v.t.Context(), "web1", 0)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, r := range all {
		if r.Waited && r.Status == 200 && strings.Contains(r.Path, "wait_for_change=true") && strings.Contains(r.Path, "recursive=true") {
			return true
		}
	}
	return false
}
