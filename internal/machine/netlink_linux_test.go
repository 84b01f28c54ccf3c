package machine

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// udev may rename a link until it has noted that it is done; then the name that we would use is gone.
func TestIsSettled(t *testing.T) {
	m := Fake(`
-- /run/udev/control --
-- /run/udev/data/n2 --
I:1234567
E:ID_NET_NAME_PATH=enp1s0
-- /run/udev/data/n3 --
I:1234567
E:ID_RENAMING=1
-- /run/udev/data/n4 --
E:ID_NET_NAME_PATH=enp3s0
`, time.Unix(0, 0))
	l := newLiveLinks(m.Files.(walked), nil)
	for index, want := range map[int]bool{2: true, 3: false, 4: false, 5: false} {
		if got := l.isSettled(NetLink{Index: index}); got != want {
			t.Errorf("link %d: %v", index, got)
		}
	}
}

// A link that was looked at before udev began is not known for good: udev may be about to rename it.
func TestUdevBeginsLater(t *testing.T) {
	m := Fake("-- /sys/class/net/eth0/ifindex --\n2\n-- /sys/class/net/eth0/device/x --\n", time.Unix(0, 0))
	l := newLiveLinks(m.Files.(walked), nil)
	link := NetLink{NIC: NIC{Name: "eth0"}, Index: 2}
	for _, step := range []struct {
		name, text string
		settled    bool
	}{{"run/other", "", true}, {"run/udev/control", "", false}, {"run/udev/data/n2", "I:1\n", true}} {
		if err := MakeFolders(m.Files, "/run/udev/data", Folder(0o755)); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Files.Put(step.name, File(0o644, step.text)); err != nil {
			t.Fatal(err)
		}
		if got := l.described(link).Settled; got != step.settled {
			t.Errorf("with %s: %v", step.name, got)
		}
	}
}

// The kernel is trusted, its format is not: another version of it must not end the boot.
func FuzzNetlink(f *testing.F) {
	n, err := openNetlink()
	if err != nil {
		f.Skip("there is no netlink here: ", err)
	}
	defer n.close()
	for kind, body := range dumpRequests {
		list, err := n.dump(kind, body)
		if err != nil {
			f.Fatal(err)
		}
		for _, m := range list {
			f.Add(m.kind, m.body)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint16, body []byte) {
		m := netlinkMessage{kind: kind, body: body}
		s := LinkState{Links: []NetLink{{NIC: NIC{Name: "eth0"}, Index: 1}}}
		s.addAddress(m)
		s.addRoutes(m)
		linksIn([]netlinkMessage{m})
		netlinkError(netlinkMessage{flags: unix.NLM_F_ACK_TLVS, body: body})
		splitAnswer(body, 0)
	})
}

// A checksum that was left for a network card must not make us throw an answer away.
func TestIsUnsummed(t *testing.T) {
	for _, extra := range [][]byte{nil, {1}, make([]byte, 128)} {
		if isUnsummed(extra) {
			t.Errorf("%v is unsummed", extra)
		}
	}
}
