package machine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// oneDisk is a machine with a disk of 1 MiB that has a partition, in a plan.
func oneDisk() (Machine, *FakeBlock, *Changes) {
	m := Fake(`
-- /sys/class/block/vda -> ../../devices/vda --
-- /sys/devices/vda/size --
2048
-- /sys/class/block/vda1 -> ../../devices/vda/vda1 --
-- /sys/devices/vda/vda1/size --
200
-- /sys/devices/vda/vda1/start --
100
-- /sys/devices/vda/vda1/partition --
1
-- /sys/devices/vda/vda1/dev --
8:1
-- /proc/self/mountinfo --
20 1 8:1 / / rw - ext4 /dev/vda1 rw
21 20 0:5 / /mnt/a\040b ro,nosuid - btrfs /dev/vda1 rw
22 20 0:6 / /net rw - nfs server:/x rw
`, time.Time{})
	disk := NewFakeBlock(1<<20, 512)
	disk.Partitions = []Extent{{1, 100 * 512, 200 * 512}}
	m.Blocks = FakeBlocks{"/dev/vda": disk}
	p, changes := Plan(m)
	return p, disk, changes
}

// A plan that wrote to a disk would be no plan; one that forgot what it would write would show the second step wrongly.
func TestPlanOfDisks(t *testing.T) {
	m, disk, changes := oneDisk()
	r := Rewrite{Device: "/dev/vda", Writes: []Write{{Offset: 512, Was: make([]byte, 4), Data: []byte("GPT!")}},
		Partitions: []Extent{{1, 100 * 512, 400 * 512}, {2, 600 * 512, 10 * 512}}, Detail: "grows"}
	for i, want := range []bool{true, false} {
		if changed, err := m.Blocks.Rewrite(r); err != nil || changed != want {
			t.Errorf("time %d: changed %v, %v", i, changed, err)
		}
	}
	data := make([]byte, 4)
	if disk.ReadAt(data, 512); string(data) == "GPT!" {
		t.Error("the plan wrote to the disk")
	}
	for name, size := range map[string]int64{"/dev/vda": 1 << 20, "/dev/vda1": 400 * 512, "/dev/vda2": 10 * 512} {
		b, err := m.Blocks.Open(name)
		if err != nil || b.Size() != size {
			t.Errorf("%s has in the plan: %v, %v", name, b, err)
		}
	}
	b, _ := m.Blocks.Open("/dev/vda")
	if b.ReadAt(data, 512); string(data) != "GPT!" {
		t.Errorf("a later step of the plan reads %q", data)
	}
	list := changes.List()
	if len(list) != 1 || list[0].Kind != KindDisk || list[0].Path != "/dev/vda" || list[0].Detail != "grows" {
		t.Errorf("the plan lists %+v", list)
	}
}

// Somebody else's change between reading and writing must not be written over.
func TestRewriteRefusesWhatChanged(t *testing.T) {
	m, disk, _ := oneDisk()
	disk.WriteAt([]byte("else"), 512)
	_, err := m.Blocks.Rewrite(Rewrite{Device: "/dev/vda", Writes: []Write{{Offset: 512, Was: make([]byte, 4), Data: []byte("GPT!")}}})
	if err == nil || !strings.Contains(err.Error(), "another program is at work there") {
		t.Errorf("got %v", err)
	}
}

// A file system of which nobody knows the size, because a command of the plan will change it, is unknown until run.
func TestPlanOfRoom(t *testing.T) {
	m, _, changes := oneDisk()
	changes.touching = append(changes.touching, Change{Argv: []string{"lvextend"}, Touches: []string{"/sys/class/block/vda1/size"}})
	if _, err := m.Blocks.Grow(m.Facts.MountOf("/")); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

// The kernel is told of what differs, and of nothing else: a partition that is in use cannot be told anew.
func TestUnknownPartitions(t *testing.T) {
	known := []Extent{{1, 100, 10}, {2, 200, 10}, {3, 300, 10}}
	tests := []struct {
		r            Rewrite
		forget, tell []int
	}{
		{Rewrite{}, nil, nil},
		{Rewrite{Partitions: []Extent{{2, 200, 10}}}, nil, nil},
		{Rewrite{Partitions: []Extent{{2, 200, 90}}}, nil, []int{2}},
		{Rewrite{Partitions: []Extent{{2, 250, 10}}}, []int{2}, []int{2}},
		{Rewrite{Partitions: []Extent{{2, 0, 0}, {4, 400, 10}}}, []int{2}, []int{4}},
		{Rewrite{Partitions: []Extent{{1, 100, 10}}, Only: true}, []int{2, 3}, nil},
	}
	numbers := func(list []kernelChange) (n []int) {
		for _, c := range list {
			n = append(n, c.Number)
		}
		return n
	}
	for _, test := range tests {
		forget, tell := test.r.unknown(known)
		if !slices.Equal(numbers(forget), test.forget) || !slices.Equal(numbers(tell), test.tell) {
			t.Errorf("%+v: forget %v, tell %v", test.r, numbers(forget), numbers(tell))
		}
	}
}

// A mount point with a blank in its name, one on another, and what stands on no disk.
func TestMounts(t *testing.T) {
	m, _, _ := oneDisk()
	for name, want := range map[string]string{"/": "/", "/etc/hosts": "/", "/mnt/a b/c": "/mnt/a b", "/network": "/", "/net/x": "/net"} {
		if got := m.Facts.MountOf(name).Point; got != want {
			t.Errorf("%s is on %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"/": "vda1", "/mnt/a b": "vda1", "/net": ""} {
		if got := m.Facts.MountedOn(m.Facts.MountOf(name)).Name; got != want {
			t.Errorf("%s stands on %q, want %q", name, got, want)
		}
	}
	if !m.Facts.MountOf("/mnt/a b").ReadOnly || m.Facts.MountOf("/").ReadOnly {
		t.Error("which one is read only is not known")
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 512: "512 B", 1 << 20: "1 MiB", 3 << 29: "1.5 GiB", 400 << 20: "400 MiB", 1<<40 - 1: "1024 GiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
