package module

import (
	"testing"

	"openguest/internal/instance"
)

// On some clouds a name with a domain is the system's name as a whole: a machine that cloud-init named so keeps its name.
func TestWholeName(t *testing.T) {
	for isWhole, want := range map[bool]hostName{true: {short: "web1.example.com", full: "web1.example.com"}, false: {short: "web1", full: "web1.example.com"}} {
		e := &Env{Instance: &instance.Instance{Hostname: "web1.example.com", IsWholeName: isWhole}}
		if got := e.hostName(&hostnameKeys{}); got != want {
			t.Errorf("it is %+v, want %+v", got, want)
		}
		if got := e.hostName(&hostnameKeys{Hostname: "mine"}); got.short != "mine" || got.full != "web1.example.com" {
			t.Errorf("with a name of one's own it is %+v", got)
		}
	}
}

// FuzzWriteHostname: whatever stands in /etc/hostname, the name that is written there is the one that is read.
func FuzzWriteHostname(f *testing.F) {
	for _, text := range []string{"", "base\n", "# a comment\n\nbase # ours\n", "one\ntwo\n", "no newline", "\r\n#\r\nx\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		written := writeHostname(text, "web01")
		if name := readHostname(written); name != "web01" {
			t.Errorf("%q has the name %q", written, name)
		}
		if again := writeHostname(written, "web01"); again != written {
			t.Errorf("a second run makes %q of %q", again, written)
		}
	})
}

// TestWriteHostname: comments that a person wrote into /etc/hostname stay.
func TestWriteHostname(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "web01\n",
		"base":                   "web01\n",
		"# ours\n\nbase # was\n": "# ours\n\nweb01 # was\n",
		"one\ntwo\n":             "web01\n",
	} {
		if got := writeHostname(text, "web01"); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// FuzzHosts: a line of /etc/hosts has an address at least.
func FuzzHosts(f *testing.F) {
	f.Add("127.0.0.1 localhost # mine\n\n  ::1\tlocalhost ip6-localhost\n#x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, entry := range hostsEntries(text) {
			if len(entry) == 0 {
				t.Errorf("%q has a line without words", text)
			}
		}
	})
}
