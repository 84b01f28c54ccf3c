package vm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// growTurns grows the partition and the mounted ext4 of a disk in memory, by both in turns, and prints the microseconds that each took.
const growTurns = `set -e
modprobe loop
disk() {
  truncate -s 64M /dev/shm/disk
  printf 'label: gpt\n,\n' | sfdisk --quiet /dev/shm/disk
  l=$(losetup --partscan --find --show /dev/shm/disk)
  udevadm settle
  mkfs.ext4 -q ${l}p1
  mount ${l}p1 /mnt
  truncate -s 128M /dev/shm/disk
  losetup --set-capacity $l
  udevadm settle
}
took() {
  before=${EPOCHREALTIME/./}
  "$@" >/dev/null
  echo $((${EPOCHREALTIME/./} - before))
}
peer() { growpart $l 1; resize2fs ${l}p1 2>&1; }
for turn in 1 2 3 4 5; do
  for who in peer "openguest disk grow /mnt"; do
    disk
    t=$(took $who)
    [ $(df --output=size -BM /mnt | tail -n 1 | tr -d M) -gt 100 ]
    echo ${who%% *} $t
    udevadm settle
    umount /mnt
    losetup --detach $l
    rm /dev/shm/disk
  done
done
`

// A machine that waits for its root to grow starts late: partition and mounted ext4 take at most a tenth of what growpart and resize2fs
// take, side by side. Time is counted in instructions, and the disk is memory, so that this is no matter of luck. docs/growing.md has
// the figures.
func TestGrowCost(t *testing.T) {
	thorough(t)
	t.Parallel()
	c := machine(t, "bookworm", "nocloud", "#cloud-config\nssh_genkeytypes: [ed25519]\n")
	c.Counted = true
	m := start(t, c)
	booted(t, m)
	took := map[string][]int{}
	for line := range strings.Lines(ask(t, m, "bash -c '"+strings.ReplaceAll(growTurns, "'", `'\''`)+"'")) {
		var who string
		var µs int
		if _, err := fmt.Sscan(line, &who, &µs); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		took[who] = append(took[who], µs)
	}
	peer, own := median(took["peer"]), median(took["openguest"])
	t.Logf("growpart and resize2fs take %.1f ms, openguest disk grow %.1f ms: 1/%.1f; of %v", float64(peer)/1e3, float64(own)/1e3, float64(peer)/float64(own), took)
	if own*10 > peer {
		t.Errorf("openguest takes more than a tenth of the time")
	}
}

func median(of []int) int {
	slices.Sort(of)
	return of[len(of)/2]
}
