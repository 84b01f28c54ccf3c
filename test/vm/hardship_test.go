package vm

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"openguest/internal/vm"
)

// A machine in trouble that nobody can log in to has to be thrown away.
func TestHardships(t *testing.T) {
	t.Parallel()
	clock := func(c *vm.Config) { c.QEMU = []string{"-rtc", "base=1970-01-01T00:00:10"} }
	memory := func(c *vm.Config) { c.Memory = 256 }
	for name, change := range map[string]func(*vm.Config){
		"clock in 1970":                 clock,
		"256 MiB":                       memory,
		"256 MiB and the clock in 1970": func(c *vm.Config) { clock(c); memory(c) },
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(name, " and ") { // one boot shows as much, if it is a good one
				thorough(t)
			}
			t.Parallel()
			key := newKey(t)
			c := machine(t, "bookworm", "nocloud", userData(key))
			change(&c)
			m := start(t, c)
			booted(t, m)
			loggedIn(t, m, key)
		})
	}
}

// oneKind has a machine make one host key where no user-data says so: an RSA key takes an emulated processor as long as half a boot.
var oneKind = vm.File{Name: "/etc/cloud/cloud.cfg.d/50-test.cfg", Data: []byte("ssh_genkeytypes: [ed25519]\n")}

// The firmware names a seed that nobody serves.
func TestNoMetadata(t *testing.T) {
	t.Parallel()
	c := machine(t, "bookworm", "nocloud-http", userData(newKey(t)))
	c.Instance, c.Files = nil, append(c.Files, oneKind)
	m := start(t, c)
	if err := m.WaitSSH(within(t)); err != nil {
		t.Fatal(err)
	}
}

// A metadata server that is not ready for half a minute must not lock anybody out. If the machine has gone on without a seed, it has one
// at the next boot.
func TestMetadataComesLate(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	c := machine(t, "bookworm", "nocloud-http", userData(key))
	c.Files = append(c.Files, oneKind)
	m := start(t, c)
	faults(t, m, http.MethodPost, `{"path": "*", "status": 503}`)
	firstRequest(t, m)
	healed := make(chan struct{})
	time.AfterFunc(30*time.Second, func() {
		faults(t, m, http.MethodDelete, "")
		close(healed)
	})
	if _, err := m.WaitBoot(within(t)); err != nil {
		t.Fatal(err)
	}
	<-healed
	if ask(t, m, "id -un maria || true") == "" {
		if err := m.PowerCut(within(t)); err != nil { // it is the next boot that counts, not how this one ends
			t.Fatal(err)
		}
		again(t, m)
	}
	loggedIn(t, m, key)
}

// firstRequest waits until the machine has asked its metadata server for something.
func firstRequest(t *testing.T, m *vm.Machine) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for strings.TrimSpace(administer(t, m, http.MethodGet, "/v1/requests", "")) == "[]" {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the machine has not asked its metadata server for anything")
		}
	}
}

// faults tells the machine's metadata server what to do wrong.
func faults(t *testing.T, m *vm.Machine, method, body string) {
	administer(t, m, method, "/v1/faults", body)
}

// administer asks the administration of the machine's metadata server.
func administer(t *testing.T, m *vm.Machine, method, path, body string) string {
	w := httptest.NewRecorder()
	m.Metadata().Admin().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code >= http.StatusBadRequest {
		t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

// Without a network card there is still the console, and everything that needs no network.
func TestNoNetworkCard(t *testing.T) {
	t.Parallel()
	c := machine(t, "bookworm", "nocloud", userData(newKey(t)))
	keys, typed := io.Pipe()
	defer typed.Close()
	c.NICs, c.Keyboard = -1, keys
	m := start(t, c)
	answered := make(chan error, 1)
	go func() { answered <- m.WaitConsole(within(t), "state 42 active maria harbour") }()
	again := time.NewTicker(2 * time.Second) // the terminal may not listen yet
	defer again.Stop()
	for {
		select {
		case err := <-answered:
			if err != nil {
				t.Error(err)
			}
			return
		case <-again.C:
			_, _ = io.WriteString(typed, "systemctl is-active -q ssh && echo state $((40 + 2)) active $(id -un maria) $(hostname)\n")
		}
	}
}

// A machine whose power fails during its first boot could not be reached any more.
func TestPowerCutDuringFirstBoot(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	m := start(t, machine(t, "bookworm", "nocloud", userData(key)))
	cuts := cutAt(t, m, "running 'init-local' at", "running 'init' at", "AT BOOTCMD", "running 'modules:config' at", "AT RUNCMD")
	if err := m.PowerCut(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, c := range cuts {
		t.Run(c.point, func(t *testing.T) {
			t.Parallel()
			watch(t, c.twin)
			again(t, c.twin)
			loggedIn(t, c.twin, key)
		})
	}
}

// A cut is a machine as the power left it.
type cut struct {
	point string
	twin  *vm.Machine
}

// cutAt copies the machine when it prints each of the texts. Where there is time for it, it also does so in between.
func cutAt(t *testing.T, m *vm.Machine, points ...string) (cuts []cut) {
	t.Helper()
	take := func(point string) {
		twin, err := m.Twin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { twin.Close() })
		cuts = append(cuts, cut{point, twin})
	}
	for _, point := range points {
		if err := m.WaitConsole(within(t), point); err != nil {
			t.Fatal(err)
		}
		take(point)
		for n := 0; n < 3 && level() == "all"; n++ {
			<-time.After(200 * time.Millisecond) // as far as it comes
			take(point + " and a little later")
		}
	}
	return cuts
}
