// Package peer helps tests that compare with the real programs in the root of a Debian.
package peer

import (
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// usual is where the root tree is that scripts/test makes.
const usual = "/var/tmp/peer-bookworm"

// Tree is the folder with the root of a Debian that has a file, such as a program. Where there is none, or nobody may use it as a
// root, the test is skipped.
func Tree(t *testing.T, file string) string {
	t.Helper()
	tree := os.Getenv("PEER_TREE")
	if tree == "" {
		tree = usual
	}
	if _, err := os.Stat(path.Join(tree, file)); err != nil || os.Geteuid() != 0 {
		t.Skipf("needs root, and the root tree of a Debian with %s where PEER_TREE says", file)
	}
	return tree
}

// Snapshot reads parts of a root. The copies and locks that programs keep are left out, and what varies from run to run is made alike.
func Snapshot(t *testing.T, dir string, parts []string, varies *regexp.Regexp) map[string]machine.Node {
	t.Helper()
	m, err := machine.Tree(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]machine.Node{}
	for todo := slices.Clone(parts); len(todo) > 0; todo = todo[1:] {
		name := todo[0]
		n, err := machine.Get(m.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "-") || strings.HasSuffix(name, ".lock") {
			continue
		}
		n.Data = varies.ReplaceAllString(n.Data, "VARIES")
		if all[name] = n; n.Mode.IsDir() {
			names, _ := m.Files.List(name)
			for _, child := range names {
				todo = append(todo, path.Join(name, child))
			}
		}
	}
	return all
}

// Same says in what two snapshots differ: ours, and that of the real programs.
func Same(t *testing.T, ours, theirs map[string]machine.Node) {
	t.Helper()
	names := maps.Clone(ours)
	maps.Copy(names, theirs)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		our, have := ours[name]
		their, want := theirs[name]
		switch {
		case !have:
			t.Errorf("%s is not there; the real programs leave\n%v", name, their)
		case !want:
			t.Errorf("%s is there, and not where the real programs ran", name)
		case our != their:
			t.Errorf("%s: ours\n%v\nthe real programs'\n%v", name, our, their)
		}
	}
}
