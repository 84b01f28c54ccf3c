package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Plan returns a machine like m that changes nothing: it keeps to itself what would be there, so that later steps see
// it, and writes it down in its ledger. Changes shows what came of it.
func Plan(m Machine) (Machine, *Changes) {
	c := &Changes{real: m, nodes: nodes{}, growing: map[string]*strings.Builder{}, ledger: &Ledger{}}
	p := m
	p.Files, p.Commands, p.Kernel, p.Ledger = walked{store: c, ledger: c.ledger}, planned{c}, &planKernel{below: m.Kernel, ledger: c.ledger}, c.ledger
	p.Swap = planSwap{c, m.Swap}
	p.Blocks = &planBlocks{Changes: c, disks: map[string]*Rewrite{}, grown: map[string]bool{}}
	p.Links, p.Init = &planLinks{below: m.Links, ledger: c.ledger}, noInit{}
	p.Facts = NewFacts(p.Files, m.Kernel)
	if net, ok := m.Net.(liveNet); ok { // an address may name a file, which the plan may have changed
		net.files, net.ledger, net.onlyAsks = walked{store: c}, c.ledger, true
		p.Net = net
	}
	return p, c
}

// Changes are what a plan would do.
type Changes struct {
	real     Machine
	nodes    nodes                       // what would be different
	growing  map[string]*strings.Builder // the texts of files that were only added to since they were put
	touching []Change                    // the commands that may have touched more
	scripts  int                         // how many of a person's own programs would have run
	ledger   *Ledger
}

// Scripts is how many programs of a person's own the plan would run. What follows them assumes that they left alone
// what it is about.
func (c *Changes) Scripts() int { return c.scripts }

func (c *Changes) self() int {
	if w, ok := c.real.Files.(walked); ok {
		return w.self()
	}
	return 0
}

func (c *Changes) look(p place) (Node, error) {
	n, ok := c.nodes[p.path]
	if !ok {
		for _, done := range c.touching {
			if below(p.path, done.Touches) {
				return Node{}, fmt.Errorf("%s: %w, after %s", p.name(), ErrUnknown, strings.Join(done.Argv, " "))
			}
		}
		if c.real.Files != nil {
			return c.real.Files.Look(p.path)
		}
	}
	if !ok || n == gone {
		return n, &fs.PathError{Op: "look", Path: p.name(), Err: fs.ErrNotExist}
	}
	return n, nil
}

func (c *Changes) read(p place) (string, error) {
	n, err := c.look(p)
	if _, ok := c.nodes[p.path]; ok || err != nil {
		return n.Data, err
	}
	return c.real.Files.Read(p.path)
}

func (c *Changes) list(p place) (names []string, err error) {
	n, planned := c.nodes[p.path]
	if planned && n == gone {
		return nil, &fs.PathError{Op: "list", Path: p.name(), Err: fs.ErrNotExist}
	}
	if c.real.Files != nil {
		names, err = c.real.Files.List(p.path)
		if planned && errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	for name, n := range c.nodes {
		if name == "." || !isIn(name, p.path) {
			continue
		}
		names = slices.DeleteFunc(names, func(s string) bool { return s == path.Base(name) })
		if n != gone {
			names = append(names, path.Base(name))
		}
	}
	return names, err
}

// isIn says whether a path is of something in a folder itself. It allocates nothing: each listing asks it of all that is planned.
func isIn(name, folder string) bool {
	if folder == "." {
		return strings.IndexByte(name, '/') < 0
	}
	return len(name) > len(folder) && name[len(folder)] == '/' && name[:len(folder)] == folder && strings.IndexByte(name[len(folder)+1:], '/') < 0
}

func (c *Changes) put(p place, n Node) (string, error) {
	c.nodes[p.path] = n
	delete(c.growing, p.path)
	return "", nil
}

func (c *Changes) append(p place, data string, n Node) error {
	old, err := walked{store: c}.get(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n.Data = ""
	case err != nil:
		return err
	case isDevice(old):
		return nil
	default:
		n = old
	}
	n.Data = c.grow(p.path, n.Data, data)
	c.nodes[p.path] = n
	return nil
}

// grow is a file's text with more at its end. The builder hands out what it has without copying it: a log has thousands of lines.
func (c *Changes) grow(file, text, more string) string {
	b := c.growing[file]
	if b == nil {
		b = &strings.Builder{}
		b.WriteString(text)
		c.growing[file] = b
	}
	b.WriteString(more)
	return b.String()
}

// planned is the commands of a plan.
type planned struct{ *Changes }

// Ask asks for real, but for what the plan has changed.
func (c planned) Ask(ctx context.Context, q Question) (string, error) {
	if !slices.ContainsFunc(q.Reads, c.changed) {
		return c.real.Commands.Ask(ctx, q)
	}
	answer, err := q.from(walked{store: c}, ErrUnknown)
	if !errors.Is(err, ErrNone) {
		return answer, err
	}
	// The files would not say it. What the system knows from elsewhere (a directory's users) it would still know.
	answer, err = c.real.Commands.Ask(ctx, q)
	if before, none := q.Answer(c.real.Files); err == nil && none == nil && answer == before {
		return "", ErrNone
	}
	return answer, err
}

// changed says whether the plan has changed a file, or made it unknown.
func (c planned) changed(name string) bool {
	name = path.Join(split(name)...)
	_, written := c.nodes[name]
	_, err := c.look(place{path: name})
	return written || errors.Is(err, ErrUnknown)
}

func (c planned) Can(change Change) error { return c.real.Commands.Can(change) }

func (c planned) Do(_ context.Context, change Change) error {
	if err := c.Can(change); err != nil {
		return err
	}
	if len(change.Touches) > 0 {
		c.touching = append(c.touching, change)
	}
	c.ledger.add(Entry{Kind: KindRun, Argv: change.Argv, Detail: change.Detail})
	if change.Means == nil {
		return nil
	}
	return c.ledger.during(change.Argv, func() error {
		return change.Means(walked{store: c, ledger: c.ledger}, c.real.Clock.Now())
	})
}

func (c planned) Run(_ context.Context, p Program) error {
	if _, offline := c.real.Commands.(meanings); offline {
		return fmt.Errorf("%s: %w", strings.Join(p.shown(), " "), ErrDeferred)
	}
	c.scripts++
	c.ledger.add(Entry{Kind: KindScript, Argv: p.Argv})
	return nil
}

func (planned) Say(Output, string) error { return nil }

// planKernel remembers the host name that the plan would set.
type planKernel struct {
	below  Kernel
	name   string
	ledger *Ledger
}

func (k *planKernel) ProcessID() int { return k.below.ProcessID() }

func (k *planKernel) Hostname() (string, error) {
	if k.name != "" {
		return k.name, nil
	}
	return k.below.Hostname()
}

func (k *planKernel) SetHostname(name string) (bool, error) {
	if now, err := k.Hostname(); err != nil || now == name {
		return false, err
	}
	k.name = name
	k.ledger.add(Entry{Kind: KindHostname, Detail: name})
	return true, nil
}

// A Planned is one change of a plan: a path with its net difference, or a command.
type Planned struct {
	Entry
	Also []string // other modules that have a hand in the same path
	Diff string   // of a file that everyone may read
}

// List is what would be different, in the order in which it came up. Each path is there once, with what all changes to it
// come to; a path that would be as it is now is not there.
func (c *Changes) List() (list []Planned) {
	seen := map[string]int{}
	for _, e := range c.ledger.Entries() {
		if e.Path == "" || e.Kind == KindDisk {
			list = append(list, Planned{Entry: e})
			continue
		}
		if at, ok := seen[e.Path]; ok {
			if at >= 0 && e.Who != list[at].Who && !slices.Contains(list[at].Also, e.Who) {
				list[at].Also = append(list[at].Also, e.Who)
			}
			continue
		}
		if p, ok := c.net(e); ok {
			seen[e.Path] = len(list)
			list = append(list, p)
		} else {
			seen[e.Path] = -1
		}
	}
	return list
}

// net is what the plan as a whole does to the path of an entry.
func (c *Changes) net(e Entry) (Planned, bool) {
	n, planned := c.nodes[path.Join(split(e.Path)...)]
	if !planned { // written into a device
		return Planned{Entry: e}, true
	}
	old, err := Node{}, fs.ErrNotExist
	if c.real.Files != nil {
		old, err = Get(c.real.Files, e.Path)
	}
	switch {
	case err == nil && old == n, err != nil && n == gone:
		return Planned{}, false
	case err != nil:
		e.Kind = KindCreate
	case n == gone:
		e.Kind = KindRemove
	default:
		e.Kind = KindChange
	}
	e.Mode, e.UID, e.GID = n.Mode, n.UID, n.GID
	p := Planned{Entry: e}
	switch {
	case n.IsPrivate() || err == nil && old.IsPrivate():
		p.Detail = joined(p.Detail, "content not shown: not everyone may read it")
	case e.Random:
		p.Detail = joined(p.Detail, "content not shown: it is random")
	case !utf8.ValidString(n.Data) || !utf8.ValidString(old.Data):
		p.Detail = joined(p.Detail, fmt.Sprintf("%d bytes that are no text", len(n.Data)))
	case n.Mode.Type() == fs.ModeSymlink:
		p.Detail = joined(p.Detail, "link to "+n.Data)
	case n.Mode.IsRegular() && n != gone:
		p.Diff = Diff(old.Data, n.Data)
	}
	return p, true
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
