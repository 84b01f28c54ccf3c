package vm

import (
	"strconv"
	"strings"
	"testing"

	"openguest/internal/vm"
)

// A life is that of one machine, from its first boot to an image that is made of it.
type life struct {
	m      *vm.Machine
	key    *vm.Key
	before string // its state at the end of the first boot
}

// What happens to a machine in its life must not lock its people out, nor run their scripts again.
func TestLife(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	c := wholeMachine(t, "bookworm", "nocloud", allKeys(userData(key)))
	c.Files = append(c.Files, secondMaker)
	l := &life{m: start(t, c), key: key}
	booted(t, l.m)
	for _, chapter := range []struct {
		name string
		of   func(*testing.T, *life)
	}{
		{"first boot", firstBoot}, {"console", console}, {"keys before the server", keysFirst}, {"one maker of keys", oneMaker},
		{"clone", clone}, {"second boot", secondBoot}, {"new instance", newInstance}, {"baked", baked},
	} {
		if !t.Run(chapter.name, func(t *testing.T) { chapter.of(t, l) }) {
			t.Fatalf("the life ends with %q", chapter.name)
		}
	}
}

// allKeys is user-data that leaves it to the guest which host keys to make.
func allKeys(userData string) string {
	return strings.Replace(userData, "ssh_genkeytypes: [ed25519]\n", "", 1)
}

func firstBoot(t *testing.T, l *life) {
	loggedIn(t, l.m, l.key)
	keptOut(t, l.m)
	if out := ask(t, l.m, "openguest status; hostname; cat /etc/app.conf /var/tmp/runcmd"); out != "status: done\nharbour\nlisten: 8080\nonce\n" {
		t.Errorf("after the first boot:\n%s", out)
	}
}

// Row L04. Who has nothing but the serial console could not see how far the boot came, nor check the host's keys.
func console(t *testing.T, l *life) {
	text := l.m.Console(2000)
	for _, want := range []string{"running 'init-local' at", "running 'init' at", "running 'modules:config' at", "running 'modules:final' at", "ci-info: ",
		"-----BEGIN SSH HOST KEY KEYS-----", "-----BEGIN SSH HOST KEY FINGERPRINTS-----", "finished at"} {
		if !strings.Contains(text, want) {
			t.Errorf("the console does not show %q:\n%s", want, text)
		}
	}
}

// at gives properties of units that are moments.
func at(t *testing.T, m *vm.Machine, property, unit string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(ask(t, m, "systemctl show -P "+property+" "+unit)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// logged is the moment in µs at which this boot's journal has a text first.
func logged(t *testing.T, m *vm.Machine, text string) int {
	t.Helper()
	line := ask(t, m, "journalctl -b -o short-monotonic --no-pager | grep -F -m 1 '"+text+"'")
	stamp, _, _ := strings.Cut(strings.TrimLeft(line, "[ "), "]")
	n, err := strconv.Atoi(strings.Replace(stamp, ".", "", 1))
	if err != nil {
		t.Fatalf("the journal's line %q: %v", line, err)
	}
	return n
}

// Row X08. A server that starts before its keys are there does not start, or makes its own. If the network stage waited for the key
// that takes long, so would all of the boot behind it.
func keysFirst(t *testing.T, l *life) {
	first, stage := logged(t, l.m, "Generating public/private ed25519 key pair."), at(t, l.m, "ExecMainExitTimestampMonotonic", "cloud-init-network")
	last, server := logged(t, l.m, "Generating public/private rsa key pair."), at(t, l.m, "ExecMainStartTimestampMonotonic", "ssh")
	if first > stage || stage > last || last > server || stage == 0 {
		t.Errorf("the first key was there at %d µs, the stage ended at %d µs, the last key was there at %d µs, the server began at %d µs", first, stage, last, server)
	}
	if out := ask(t, l.m, "ls /etc/ssh/ssh_host_*_key | wc -l; journalctl -b -u ssh --no-pager | grep -c 'no hostkeys' || true"); out != "3\n0\n" {
		t.Errorf("keys, and complaints of the server about them: %q", out)
	}
}

// secondMaker is a unit that Fedora has, and that would make keys while ours are being made.
var secondMaker = vm.File{Name: "/etc/systemd/system/sshd-keygen@.service", Data: []byte("[Service]\nType=oneshot\nExecStart=/usr/bin/touch /run/second-maker\n")}

// Row B22. On Fedora another unit would make keys while ours are being made.
func oneMaker(t *testing.T, l *life) {
	out := ask(t, l.m, `systemctl start sshd-keygen@rsa
systemctl show -P LoadState -P ConditionResult sshd-keygen@rsa
ls /run/second-maker 2>/dev/null || echo none`)
	if out != "loaded\nno\nnone\n" {
		t.Errorf("unit, condition, and what it made: %q", out)
	}
}

// clone goes on in another machine from a snapshot of this one, which is switched off.
func clone(t *testing.T, l *life) {
	if err := l.m.Snapshot(within(t), "booted"); err != nil {
		t.Fatal(err)
	}
	ask(t, l.m, "touch /run/after-the-snapshot")
	if err := l.m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	c, err := l.m.Clone(t.Context(), "booted")
	if err != nil {
		t.Fatal(err)
	}
	watch(t, c)
	if err := c.WaitSSH(within(t)); err != nil {
		t.Fatal(err)
	}
	loggedIn(t, c, l.key)
	if out := ask(t, c, "ls /run/after-the-snapshot 2>&1 || true"); !strings.Contains(out, "No such file") {
		t.Errorf("the clone knows what came after its snapshot: %s", out)
	}
	l.before = ask(t, c, state)
}

// state is what a second boot must not change: who may log in, the machine's own keys, its name and what ran once.
const state = `cat /etc/passwd /etc/shadow /etc/group /etc/hostname /etc/hosts /etc/machine-id /var/tmp/runcmd /var/lib/cloud/data/instance-id
sha256sum /etc/ssh/ssh_host_* /home/*/.ssh/authorized_keys /root/.ssh/authorized_keys /etc/app.conf /etc/sudoers.d/*
ls -1 /var/lib/cloud/instances /var/lib/cloud/instance/sem`

// again boots a machine that is off, and waits for the end of the boot.
func again(t *testing.T, m *vm.Machine) {
	t.Helper()
	if err := m.Boot(); err != nil {
		t.Fatal(err)
	}
	booted(t, m)
}

// A restart would make a machine another one: new host keys, scripts that run again.
func secondBoot(t *testing.T, l *life) {
	again(t, l.m)
	if after := ask(t, l.m, state); after != l.before {
		t.Errorf("the second boot changed something. Before:\n%s\nafter:\n%s", l.before, after)
	}
	loggedIn(t, l.m, l.key)
	if out := ask(t, l.m, "openguest status"); strings.TrimSpace(out) != "status: done" {
		t.Errorf("after the second boot: %s", out)
	}
}

// who is what two machines must not share, one in each line.
const who = `cat /etc/machine-id /var/lib/cloud/data/instance-id
ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2
ls /etc/ssh/ssh_host_*_key | wc -l
sha256sum </var/lib/systemd/random-seed`

// The fields of who, where they are compared.
const (
	whoMachine = iota
	whoInstance
	whoKey
	whoKeys // how many; the user-data of later instances wants one
	whoSeed
)

// seed gives a machine that is off the same user-data as before, as another instance.
func seed(t *testing.T, m *vm.Machine, key *vm.Key, id string) {
	t.Helper()
	s := vm.Seed{UserData: []byte(userData(key)), MetaData: []byte("instance-id: " + id + "\n")}
	if err := m.Insert(s.NoCloud()); err != nil {
		t.Fatal(err)
	}
}

// A disk that is given to another instance would keep the first one's host keys, and never run its own script.
func newInstance(t *testing.T, l *life) {
	before := strings.Fields(ask(t, l.m, who))
	if err := l.m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	seed(t, l.m, l.key, "i-other")
	again(t, l.m)
	loggedIn(t, l.m, l.key)
	after := strings.Fields(ask(t, l.m, who))
	if after[whoInstance] != "i-other" || after[whoKey] == before[whoKey] || after[whoKeys] != "1" {
		t.Errorf("instance and host keys before: %v, and after: %v", before, after)
	}
	if out := ask(t, l.m, "cat /var/tmp/runcmd; openguest status"); out != "once\nonce\nstatus: done\n" {
		t.Errorf("the script, and the status: %q", out)
	}
}

// Row S25. Two machines from one image would have each other's host keys, machine-id and seed of randomness.
func baked(t *testing.T, l *life) {
	ask(t, l.m, "openguest clean --logs --machine-id && rm /var/tmp/runcmd && sync")
	if err := l.m.PowerOff(within(t)); err != nil {
		t.Fatal(err)
	}
	twin, err := l.m.Twin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	watch(t, twin)
	machines, all := []*vm.Machine{l.m, twin}, make([][]string, 2)
	t.Run("both", func(t *testing.T) {
		for i, m := range machines {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				all[i] = bakedBoot(t, m, l.key, "i-baked"+strconv.Itoa(i))
			})
		}
	})
	if t.Failed() {
		return
	}
	a, b := all[0], all[1]
	if a[whoMachine] == b[whoMachine] || a[whoMachine] == "uninitialized" || a[whoKey] == b[whoKey] || a[whoSeed] == b[whoSeed] {
		t.Errorf("two machines of one image: %v and %v", a, b)
	}
}

// bakedBoot is the first boot of an instance from an image, which says who it is.
func bakedBoot(t *testing.T, m *vm.Machine, key *vm.Key, id string) []string {
	seed(t, m, key, id)
	again(t, m)
	loggedIn(t, m, key)
	if out := ask(t, m, "cat /var/tmp/runcmd; openguest status"); out != "once\nstatus: done\n" {
		t.Errorf("the script, and the status: %q", out)
	}
	return strings.Fields(ask(t, m, who))
}
