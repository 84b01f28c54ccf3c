package machine

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Fake is a system that is not running, out of a text: "-- NAME MODE UID:GID --" and a file's content. A name that ends
// in a slash is a folder; "-- NAME -> TARGET --" is a link. The folders on the way are root's. The clock stands at now.
func Fake(text string, now time.Time) Machine {
	memory := &Changes{nodes: nodes{".": Folder(0o755)}, growing: map[string]*strings.Builder{}}
	for _, part := range strings.Split("\n"+text, "\n-- ")[1:] {
		memory.nodes.add(part)
	}
	ledger := &Ledger{}
	files := walked{store: &shared{below: memory}, ledger: ledger}
	clock := fixedClock(now)
	kernel := offlineKernel{}
	return Machine{Files: files, Commands: meanings{files, clock, ledger}, Kernel: kernel, Disks: offlineDisks{}, Blocks: FakeBlocks{}, Swap: offlineSwap{}, Net: offlineNet{}, Links: offlineLinks{files.quiet()},
		Serial: offlineSerial{}, Init: noInit{}, Clock: clock, Facts: NewFacts(files, kernel), Ledger: ledger}
}

// nodes are what is kept in memory, by place.
type nodes map[string]Node

// add reads "NAME MODE UID:GID --\nCONTENT" or "NAME -> TARGET --".
func (m nodes) add(part string) {
	head, data, _ := strings.Cut(part, " --")
	n := Node{Mode: 0o644}
	name, target, link := strings.Cut(head, " -> ")
	if link {
		n = Link(target)
	} else {
		mode := chmodNumber(n.Mode)
		fmt.Sscanf(head, "%s %o %d:%d", &name, &mode, &n.UID, &n.GID)
		n.Mode = Permissions(mode)
		n.Data = strings.TrimPrefix(strings.TrimSuffix(data, "\n")+"\n", "\n")
	}
	if strings.HasSuffix(name, "/") {
		if !strings.Contains(head, " ") {
			n.Mode = 0o755
		}
		n.Mode, n.Data = n.Mode|fs.ModeDir, ""
	}
	name = strings.TrimPrefix(path.Clean(name), "/")
	m[name] = n
	for dir := path.Dir(name); m[dir] == (Node{}); dir = path.Dir(dir) {
		m[dir] = Folder(0o755)
	}
}

type fixedClock time.Time

func (c fixedClock) Now() time.Time      { return time.Time(c) }
func (fixedClock) Uptime() time.Duration { return 10 * time.Second }
