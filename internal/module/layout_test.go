package module

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openguest/internal/disk"
	"openguest/internal/machine"
)

// a partition as sfdisk prints it, in sectors.
type printed struct {
	Start, Size int64
	Type        string
}

// sfdisk reads a table as others do.
func sfdisk(t *testing.T, image string) (parts []printed) {
	t.Helper()
	out, err := exec.Command("sfdisk", "-J", image).Output()
	if err != nil {
		t.Fatalf("sfdisk -J: %v", err)
	}
	var dump struct {
		PartitionTable struct{ Partitions []printed }
	}
	if err := json.Unmarshal(out, &dump); err != nil {
		t.Fatal(err)
	}
	return dump.PartitionTable.Partitions
}

// image is a new sparse file.
func image(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f
}

// ours is what we write for a layout.
func ours(t *testing.T, l layout, size int64) string {
	t.Helper()
	f := image(t, size)
	table, err := l.table(machine.NewFakeBlock(size, 512))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range table.Rewrite("", "").Writes {
		if _, err := f.WriteAt(w.Data, w.Offset); err != nil {
			t.Fatal(err)
		}
	}
	return f.Name()
}

// theirs is what cloud-init has sfdisk and sgdisk write.
func theirs(t *testing.T, l layout, size int64) string {
	t.Helper()
	name := image(t, size).Name()
	var script strings.Builder
	var options []string
	for i, s := range l.shares {
		count, end := fmt.Sprint(int64(float64(size/512)*(s.percent/100))), "0"
		if i == len(l.shares)-1 {
			count = ""
		} else {
			end = "+" + count
		}
		fmt.Fprintf(&script, ",%s,%s\n", count, cmp.Or(s.kind, "83"))
		options = append(options, "-n", fmt.Sprintf("%d:0:%s", i+1, end), "-t", fmt.Sprintf("%d:%s00", i+1, cmp.Or(s.kind, "83")))
	}
	tool := exec.Command("sgdisk", append(options, name)...)
	if l.label == disk.MBR {
		tool = exec.Command("sfdisk", "--force", name)
		tool.Stdin = strings.NewReader(script.String())
	}
	if out, err := tool.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", tool.Args, err, out)
	}
	return name
}

// reserved are the sectors that a GPT would need at the end of a disk. An MBR of ours leaves them free, as growpart does.
const reserved = 33

// Row M11. A partition that begins or ends elsewhere than cloud-init's is another size of disk for those who count on it.
func TestLayoutsAsCloudInitMakesThem(t *testing.T) {
	for _, tool := range []string{"sfdisk", "sgdisk"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed: there is nothing to compare with")
		}
	}
	for _, shares := range [][]share{
		{{percent: 100}},
		{{percent: 33}, {percent: 66, kind: "82"}},
		{{percent: 10, kind: "fd"}, {percent: 20}, {percent: 30, kind: "8e"}, {percent: 7}},
	} {
		for _, label := range []string{disk.MBR, disk.GPT} {
			t.Run(fmt.Sprintf("%s of %v", label, shares), func(t *testing.T) {
				t.Parallel() // sgdisk sleeps for a second
				compareLayout(t, layout{label: label, shares: shares})
			})
		}
	}
}

func compareLayout(t *testing.T, l layout) {
	const size = 1<<30 + 7*512 // the end of a disk need not be a round number
	mine := ours(t, l, size)
	want, got := sfdisk(t, theirs(t, l, size)), sfdisk(t, mine)
	if l.label == disk.MBR {
		want[len(want)-1].Size -= reserved
	}
	if !slices.Equal(want, got) {
		t.Errorf("the partitions are %v; want %v, in sectors", got, want)
	}
	if out, err := exec.Command("sfdisk", "--verify", mine).CombinedOutput(); err != nil {
		t.Errorf("sfdisk --verify: %v\n%s", err, out)
	}
}

// Row M11. What was made fits what was asked for, so that a second run, and a disk that has grown, are left alone.
func TestLayoutFitsItself(t *testing.T) {
	for _, shares := range [][]share{{{percent: 100}}, {{percent: 33}, {percent: 66, kind: "82"}}, {{percent: 1}, {percent: 1}, {percent: 98}}} {
		for _, label := range []string{disk.MBR, disk.GPT} {
			l := layout{label: label, shares: shares}
			table, err := l.table(machine.NewFakeBlock(1<<30, 512))
			if err != nil {
				t.Fatal(err)
			}
			if !l.fits(table) || !(layout{label: label, whole: true, shares: []share{{percent: 100}}}).fits(table) {
				t.Errorf("%s of %v does not fit %v", label, shares, table)
			}
			other := layout{label: label, shares: append(slices.Clone(shares), share{percent: 1})}
			swapped := layout{label: label, shares: slices.Clone(shares)}
			swapped.shares[0].kind = "fd"
			if other.fits(table) || swapped.fits(table) {
				t.Errorf("%s of %v fits other layouts too", label, shares)
			}
		}
	}
}
