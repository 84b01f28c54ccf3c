package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// runningClock is the bubble's clock.
type runningClock struct{ start time.Time }

func (c runningClock) Now() time.Time        { return time.Now() }
func (c runningClock) Uptime() time.Duration { return time.Since(c.start) }

// google is a metadata service that people change while it is asked.
type google struct {
	mutex    sync.Mutex
	own      map[string]string // attributes of the instance
	id       string
	tag      int
	err      error         // answered in place of all
	body     string        // the same
	deaf     bool          // it holds nothing back
	changed  chan struct{} // closed at the next change
	requests []string
}

func newGoogle() *google {
	return &google{own: map[string]string{}, id: "4520031799277581759", tag: 1}
}

// set changes an attribute; without a value it goes.
func (g *google) set(name, value string) {
	g.change(func() { g.own[name] = value })
}

// change changes what it answers, which whoever waits is told.
func (g *google) change(how func()) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	how()
	g.tag++
	close(g.changed)
	g.changed = make(chan struct{})
}

// asked is what it was asked so far.
func (g *google) asked() []string {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return slices.Clone(g.requests)
}

// heard notes a question, and returns what is closed once there is something new for it; nil where it is answered at once.
func (g *google) heard(query string, q url.Values) <-chan struct{} {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.requests = append(g.requests, query)
	if q.Get("wait_for_change") == "true" && q.Get("last_etag") == fmt.Sprint(g.tag) && g.err == nil && !g.deaf {
		return g.changed
	}
	return nil
}

func (g *google) Fetch(ctx context.Context, r machine.Request) (machine.Response, error) {
	_, query, _ := strings.Cut(r.URL, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return machine.Response{}, err
	}
	if changed := g.heard(query, q); changed != nil {
		hold, _ := time.ParseDuration(q.Get("timeout_sec") + "s")
		select {
		case <-changed:
		case <-time.After(hold):
		case <-ctx.Done():
			return machine.Response{}, context.Cause(ctx)
		}
	}
	return g.answer(r)
}

func (g *google) answer(r machine.Request) (machine.Response, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.err != nil {
		return machine.Response{}, g.err
	}
	body, err := json.Marshal(map[string]any{
		"instance": map[string]any{"id": json.Number(g.id), "hostname": "web1.c.lab.internal", "attributes": g.own},
		"project":  map[string]any{"attributes": map[string]any{}},
	})
	if g.body != "" {
		body = []byte(g.body)
	}
	return machine.Response{Status: 200, Body: body, URL: r.URL, Header: map[string]string{"Metadata-Flavor": "Google", "Etag": fmt.Sprint(g.tag)}}, err
}

// onGoogle is a machine that became an instance of Google's at its boot.
func onGoogle(t *testing.T, g *google, more string) machine.Machine {
	t.Helper()
	m := machine.Fake(debian+"-- etc/login.defs --\nUSERGROUPS_ENAB yes\n"+more, time.Now())
	m.Clock, m.Net = runningClock{time.Now()}, g
	text, err := json.Marshal(kept{&instance.Instance{Source: "GCE", ID: "4520031799277581759"}, m.Facts.DMI("product_uuid")})
	if err == nil {
		err = machine.MakeFolders(m.Files, OwnState, machine.Folder(0o700))
	}
	if err == nil {
		_, err = m.Files.Put(OwnState+"/instance.json", machine.File(0o600, string(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// watched follows the cloud while do changes it, in a bubble of time; settle lets all that is due happen.
func watched(t *testing.T, g *google, more string, do func(m machine.Machine, settle func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g.changed = make(chan struct{}) // of this bubble, so that waiting for it counts as waiting
		m := onGoogle(t, g, more)
		w, err := NewWatch(m, Options{Version: "test", Terminal: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		do(m, synctest.Wait)
		why := errors.New("told to stop")
		stop(why)
		if err := <-ended; err != why {
			t.Errorf("it ended with %v", err)
		}
	})
}

const adasKeys = "/home/ada/.ssh/authorized_keys"

// Rows 2, 3, 9 and 17 of gce-linux.md §14. One request asks for all there is, and one waits, with the tag of the first answer: a
// guest that asks again and again costs every machine and the cloud. A change is done at once, and an unrelated one does nothing.
func TestWatch(t *testing.T) {
	g := newGoogle()
	g.own["ssh-keys"] = "ada:ssh-ed25519 AAAA1 ada@desk"
	watched(t, g, "", func(m machine.Machine, settle func()) {
		if text := read(t, m, adasKeys); text != "# Added by Google\nssh-ed25519 AAAA1 ada@desk\n" {
			t.Errorf("the first keys are %q", text)
		}
		if want := []string{"alt=json&recursive=true", "alt=json&recursive=true&wait_for_change=true&timeout_sec=60&last_etag=1"}; !slices.Equal(g.asked(), want) {
			t.Errorf("it asked %q, want %q", g.asked(), want)
		}
		g.set("ssh-keys", "ada:ssh-ed25519 AAAA2 ada@desk")
		settle()
		if text := read(t, m, adasKeys); text != "# Added by Google\nssh-ed25519 AAAA2 ada@desk\n" {
			t.Errorf("after the change the keys are %q", text)
		}
		before := len(read(t, m, "/var/log/cloud-init.log"))
		g.set("unrelated", "1")
		settle()
		time.Sleep(10 * time.Minute) // the cloud holds ten questions back
		settle()
		if log := read(t, m, "/var/log/cloud-init.log")[before:]; log != "" {
			t.Errorf("where nothing of ours changed, it did: %s", log)
		}
		if len(g.asked()) != 3+1+10 {
			t.Errorf("it asked %d times", len(g.asked()))
		}
		g.set("ssh-keys", "")
		settle()
		if machine.Exists(m.Files, adasKeys) || !strings.Contains(read(t, m, "/etc/passwd"), "ada:") {
			t.Error("after the last key the file is there, or the account is not")
		}
		if v := ReadVerdicts(m); len(v) != 1 || v[0].Key != "ssh-keys.ada" || v[0].Verdict != module.Applied {
			t.Errorf("the verdicts are %+v", v)
		}
	})
}

// Row 11. A key goes when it expires, not when the cloud next has something new.
func TestWatchExpires(t *testing.T) {
	g := newGoogle()
	watched(t, g, "", func(m machine.Machine, settle func()) {
		end := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05+0000") }
		g.set("ssh-keys", fmt.Sprintf(`ada:ssh-ed25519 AAAA1 google-ssh {"userName":"a","expireOn":%q}`+"\n"+`ada:ssh-ed25519 AAAA2 google-ssh {"userName":"a","expireOn":%q}`,
			end(5*time.Second), end(90*time.Second)))
		settle()
		for _, c := range []struct {
			after time.Duration
			keys  int
		}{{0, 2}, {4 * time.Second, 2}, {time.Second, 1}, {84 * time.Second, 1}, {time.Second, 0}} {
			time.Sleep(c.after)
			settle()
			text, _ := m.Files.Read(adasKeys)
			if n := strings.Count(text, "ssh-ed25519"); n != c.keys {
				t.Errorf("%v later there are %d keys, want %d: %q", c.after, n, c.keys, text)
			}
		}
	})
}

// Row 4. While the cloud is silent or another speaks in its place, everybody keeps their keys; when it is back, it counts again.
func TestWatchSilence(t *testing.T) {
	g := newGoogle()
	g.own["ssh-keys"] = "ada:ssh-ed25519 AAAA1 ada@desk"
	watched(t, g, "", func(m machine.Machine, settle func()) {
		before := len(g.asked())
		g.change(func() { g.err = &machine.StatusError{URL: "http://169.254.169.254/computeMetadata/v1/", Status: 503} })
		time.Sleep(5 * time.Minute)
		settle()
		if n := len(g.asked()) - before; n < 5 || n > 15 {
			t.Errorf("in five minutes of silence it asked %d times", n)
		}
		if !strings.Contains(read(t, m, adasKeys), "AAAA1") {
			t.Error("silence took the keys away")
		}
		g.change(func() { g.own["ssh-keys"], g.err = "ada:ssh-ed25519 AAAA2 ada@desk", nil })
		time.Sleep(2 * time.Minute)
		settle()
		if !strings.Contains(read(t, m, adasKeys), "AAAA2") {
			t.Error("when the cloud was back, its keys did not come")
		}
		log := read(t, m, "/var/log/cloud-init.log")
		if strings.Count(log, "answered 503") != 1 || !strings.Contains(log, "the cloud answers again") {
			t.Errorf("the log says\n%s", log)
		}
		g.change(func() { g.id, g.own["ssh-keys"] = "99", "mallory:ssh-ed25519 AAAA3 m" })
		settle()
		if strings.Contains(read(t, m, "/etc/passwd"), "mallory") || !strings.Contains(read(t, m, adasKeys), "AAAA2") {
			t.Error("another instance's people came, or ours went")
		}
	})
}

// Rows 4 and 11. While another instance's answers come, a key of ours still goes when it expires, and the program does not spin until
// the next boot: its time had come, and it was never done.
func TestWatchExpiresUnderAnother(t *testing.T) {
	g := newGoogle()
	watched(t, g, "", func(m machine.Machine, settle func()) {
		g.set("ssh-keys", fmt.Sprintf(`ada:ssh-ed25519 AAAA1 google-ssh {"userName":"a","expireOn":%q}`, time.Now().Add(90*time.Second).UTC().Format("2006-01-02T15:04:05+0000")))
		settle()
		g.change(func() { g.id, g.own["ssh-keys"] = "99", "mallory:ssh-ed25519 AAAA3 m" })
		time.Sleep(89 * time.Second)
		settle()
		if !strings.Contains(read(t, m, adasKeys), "AAAA1") {
			t.Error("the key went before its time")
		}
		time.Sleep(time.Second)
		settle()
		if machine.Exists(m.Files, adasKeys) || strings.Contains(read(t, m, "/etc/passwd"), "mallory") {
			t.Error("the key is there after its time, or another instance's people came")
		}
	})
}

// Row 4. An answer without the attributes is none: who lost their keys by it could not come in to find out why.
func TestWatchHalfAnAnswer(t *testing.T) {
	for _, body := range []string{
		`{"instance": {"id": 4520031799277581759}, "project": {"attributes": {}}}`,
		`{"instance": {"id": 4520031799277581759, "attributes": {}}}`,
		`{"instance": {"id": 4520031799277581759, "attributes": "none"}, "project": {"attributes": {}}}`,
		`{"instance": {"id": 4520031799277581759, "attributes": {}}, "project": null}`,
	} {
		g := newGoogle()
		g.own["ssh-keys"] = "ada:ssh-ed25519 AAAA1 ada@desk"
		watched(t, g, "", func(m machine.Machine, settle func()) {
			g.change(func() { g.body = body })
			time.Sleep(time.Minute)
			settle()
			if text, _ := m.Files.Read(adasKeys); !strings.Contains(text, "AAAA1") {
				t.Errorf("%s took the keys away", body)
			}
			if !strings.Contains(read(t, m, "/var/log/cloud-init.log"), "attributes") {
				t.Errorf("the log does not say what is wrong with %s", body)
			}
		})
	}
}

// A metadata service that holds nothing back must not be asked without pause.
func TestWatchDeafCloud(t *testing.T) {
	g := newGoogle()
	g.deaf = true
	watched(t, g, "", func(m machine.Machine, settle func()) {
		time.Sleep(10 * time.Minute)
		if n := len(g.asked()); n > 20 {
			t.Errorf("it asked %d times in ten minutes", n)
		}
	})
}

// What fails is done again, though nothing is new, and is done when it can be.
func TestWatchRetries(t *testing.T) {
	g := newGoogle()
	g.own["ssh-keys"] = "ada:ssh-ed25519 AAAA1 ada@desk"
	watched(t, g, "-- home/ada --\nin the way\n-- var/lib/openguest/ --\n", func(m machine.Machine, settle func()) {
		if v := ReadVerdicts(m); len(v) == 0 || v[0].Verdict != module.Failed {
			t.Errorf("the verdicts are %+v", v)
		}
		if _, err := m.Quiet().Files.Remove("/home/ada"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryAfter)
		settle()
		if !strings.Contains(read(t, m, adasKeys), "AAAA1") {
			t.Error("the key did not come")
		}
	})
}

// The configuration of Google's agent counts, its sources in the order of its README.
func TestWatchConfiguration(t *testing.T) {
	g := newGoogle()
	g.own["ssh-keys"] = "ada:ssh-ed25519 AAAA1 ada@desk"
	g.own["google-instance-configs"] = "[Daemons]\naccounts_daemon = true\n"
	files := "-- etc/default/instance_configs.cfg --\n[daemons]\nACCOUNTS_DAEMON = false\n[Accounts]\ngroups = video\n" +
		"-- etc/default/instance_configs.cfg.distro --\n[accounts]\ngroups = adm,audio\n"
	watched(t, g, files, func(m machine.Machine, settle func()) {
		if group := read(t, m, "/etc/group"); !strings.Contains(group, ":ada") || strings.Contains(group, "audio:x:29:ada") || strings.Contains(group, "adm:x:4:ada") {
			t.Errorf("the groups are\n%s", group)
		}
		g.change(func() {
			g.own["google-instance-configs"], g.own["ssh-keys"] = "[Daemons]\naccounts_daemon = false\n", ""
		})
		settle()
		if !machine.Exists(m.Files, adasKeys) {
			t.Error("it went on though accounts_daemon is false")
		}
	})
}

// A machine of another cloud is left alone: there the program ends.
func TestNothingToWatch(t *testing.T) {
	m := machine.Fake(debian, noon)
	if _, err := NewWatch(m, Options{Terminal: true}); !errors.Is(err, ErrUnwatched) {
		t.Errorf("without a cloud: %v", err)
	}
	if _, err := NewWatch(machine.Fake(debian+"-- sys/class/dmi/id/product_name --\nGoogle Compute Engine\n", noon), Options{Terminal: true}); err != nil {
		t.Errorf("where the facts name Google: %v", err)
	}
	if _, err := NewWatch(machine.Fake(debian+"-- etc/cloud/cloud-init.disabled --\n", noon), Options{Terminal: true}); !errors.Is(err, ErrDisabled) {
		t.Errorf("where all is switched off: %v", err)
	}
}

// A disk that moved from Google to another cloud keeps no one's keys: their owners may have nothing to do with it any more. The
// accounts stay, and so do a person's own lines.
func TestMovedFromGoogle(t *testing.T) {
	files := "-- etc/passwd --\nroot:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n" +
		"-- etc/group --\nroot:x:0:\ngoogle-sudoers:x:900:ada\n-- var/lib/google/google_users 600 0:0 --\nada\n" +
		"-- home/ada/ 755 1000:1000 --\n-- home/ada/.ssh/ 700 1000:1000 --\n-- home/ada/.ssh/authorized_keys 600 1000:1000 --\n" +
		"ssh-rsa OWN ada\n# Added by Google\nssh-ed25519 AAAA1 ada@desk\n"
	m := machine.Fake(strings.Replace(debian, "-- etc/passwd --\nroot:x:0:0:root:/root:/bin/bash\n-- etc/group --\nroot:x:0:\nadm:x:4:\nusers:x:100:\n", "", 1)+files, noon)
	boot(t, m, Options{Given: given("i-elsewhere", "")})
	if text := read(t, m, adasKeys); text != "ssh-rsa OWN ada\n" {
		t.Errorf("the keys are %q", text)
	}
	if strings.Contains(read(t, m, "/etc/group"), "google-sudoers:x:900:ada") || read(t, m, "/var/lib/google/google_users") != "" {
		t.Error("ada may become root, or is still somebody with keys")
	}
}
