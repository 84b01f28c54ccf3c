package machine

import (
	"io/fs"
	"slices"
	"strings"
)

// A Ledger is the list of what was changed through a machine, in order, and by whom. All of its methods may be called
// on nil, which writes nothing down.
type Ledger struct {
	Observe func(Entry) // is told of each entry; may be nil

	entries  []Entry
	who      string
	eachBoot bool
	random   bool
	cause    string
}

// An Entry is one change.
type Entry struct {
	Who      string      // the module
	Kind     string      // one of the Kind constants
	Path     string      // of a file
	Mode     fs.FileMode // of a file, a folder or a link
	UID, GID int         // its owner
	Argv     []string    // of a command
	Cause    string      // the command whose meaning the change to a file is
	EachBoot bool        // a command that runs again at every boot
	Random   bool        // a file whose content is random: keys, or a seed
	Detail   string      // what else is to say; of what is told, where and what
}

// The kinds of entries.
const (
	KindCreate   = "create"   // a file, folder or link that was not there
	KindChange   = "change"   // one that was there
	KindRemove   = "remove"   // one that is gone
	KindAppend   = "append"   // text added to the end of a file, or written into a device
	KindRun      = "run"      // a command of ours
	KindScript   = "script"   // a person's own program
	KindHostname = "hostname" // the kernel's host name
	KindLink     = "link"     // a network interface, until the next boot
	KindTell     = "tell"     // something that another machine is told
	KindDisk     = "disk"     // partitions of a disk, or the size of a file system on it
)

// Begin says who makes the changes that follow, and whether it does so at each boot.
func (l *Ledger) Begin(who string, eachBoot bool) {
	if l != nil {
		l.who, l.eachBoot = who, eachBoot
	}
}

// AtRandom says that what f writes into files is random: host keys, or a seed. A plan does not show it.
func (l *Ledger) AtRandom(f func() error) error {
	if l == nil {
		return f()
	}
	l.random = true
	defer func() { l.random = false }()
	return f()
}

// Len is how many changes there are. Who compares it before and after knows whether something changed.
func (l *Ledger) Len() int {
	if l == nil {
		return 0
	}
	return len(l.entries)
}

// Forget drops the changes so far: who runs for as long as the machine does need not keep them.
func (l *Ledger) Forget() {
	if l != nil {
		l.entries = nil
	}
}

// Entries are the changes so far.
func (l *Ledger) Entries() []Entry {
	if l == nil {
		return nil
	}
	return slices.Clone(l.entries)
}

func (l *Ledger) add(e Entry) {
	if l == nil {
		return
	}
	e.Who, e.Cause, e.Random = l.who, l.cause, l.random && e.Path != ""
	e.EachBoot = l.eachBoot && e.Argv != nil
	l.entries = append(l.entries, e)
	if l.Observe != nil {
		l.Observe(e)
	}
}

func (l *Ledger) file(name string, was bool, n Node, detail string) {
	kind := KindCreate
	switch {
	case n == gone:
		kind = KindRemove
	case was:
		kind = KindChange
	}
	l.add(Entry{Kind: kind, Path: name, Mode: n.Mode, UID: n.UID, GID: n.GID, Detail: detail})
}

func (l *Ledger) appended(name string, n Node) {
	l.add(Entry{Kind: KindAppend, Path: name, Mode: n.Mode, UID: n.UID, GID: n.GID})
}

// during says that what f does is the meaning of a command.
func (l *Ledger) during(argv []string, f func() error) error {
	if l == nil {
		return f()
	}
	l.cause = argv[0]
	defer func() { l.cause = "" }()
	return f()
}

// String is the change in a line, as the log shows it.
func (e Entry) String() string {
	what := e.Path
	if e.Argv != nil {
		what = strings.Join(e.Argv, " ")
	}
	line := e.Kind + " " + what
	if e.Detail != "" {
		line += " (" + e.Detail + ")"
	}
	return line
}
