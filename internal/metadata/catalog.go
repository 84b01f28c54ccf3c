package metadata

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Keys of the store's objects.
const (
	projectKey     = "project"
	instancePrefix = "instance/"
	writtenPrefix  = "written/"
)

// A View is what is known of one instance at one revision. Nothing in it ever changes.
type View struct {
	Revision int64 // the store's when this instance or its project last changed
	Project  *Project
	Instance *Instance
	Written  *Written
}

// A Catalog is the store's content in memory, indexed by all that tells who asks.
type Catalog struct {
	store   Store
	writing sync.Mutex // one write at a time, so that what is in memory is applied in order

	loaded int64 // the store's revision when it was loaded

	mu        sync.RWMutex
	revision  int64
	applied   map[string]int64 // the revision of each object that was ever written or removed since
	entries   map[string]Entry
	project   *Project
	instances map[string]*Instance
	written   map[string]*Written
	byAddress map[netip.Addr]string
	byToken   map[string]string
	watchers  map[chan struct{}]bool
	changed   func(instance string) // called after a change; empty: the project
}

// NewCatalog loads a store. changed is told which instance another state began for; the empty name means all of them.
func NewCatalog(ctx context.Context, s Store, changed func(instance string)) (*Catalog, error) {
	c := &Catalog{
		store: s, entries: map[string]Entry{}, applied: map[string]int64{}, project: &Project{}, instances: map[string]*Instance{}, written: map[string]*Written{},
		byAddress: map[netip.Addr]string{}, byToken: map[string]string{}, watchers: map[chan struct{}]bool{}, changed: changed,
	}
	all, revision, err := s.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("the store cannot be read: %w", err)
	}
	for _, e := range all {
		if err := c.put(e); err != nil {
			return nil, err
		}
	}
	c.loaded, c.revision = revision, revision
	return c, nil
}

// Follow takes up what other processes write to the same store, until ctx ends. Our own writes come by as well, and those of others
// may come by after a later one of ours.
func (c *Catalog) Follow(ctx context.Context) error {
	return c.store.Watch(ctx, c.loaded, func(e Entry) {
		c.writing.Lock()
		defer c.writing.Unlock()
		if e.Revision > c.applied[e.Key] {
			c.apply(e.Revision, []Entry{e})
		}
	})
}

// Revision is the number of the store's last write.
func (c *Catalog) Revision() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.revision
}

// Get gives one object as it is stored.
func (c *Catalog) Get(key string) (Entry, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e, ok := c.entries[key]; ok {
		return e, nil
	}
	if key == projectKey {
		return Entry{Key: key, Value: []byte("{}")}, nil
	}
	return Entry{}, fmt.Errorf("%s %w", key, errNotThere)
}

// List gives all objects, in order of keys, that were written after a revision.
func (c *Catalog) List(after int64) []Entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := slices.Collect(maps.Values(c.entries))
	all = slices.DeleteFunc(all, func(e Entry) bool { return e.Revision <= after })
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// Write checks changes, stores them all or none, and makes them known. It returns the new revision.
func (c *Catalog) Write(ctx context.Context, changes ...Change) (int64, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.check(changes); err != nil {
		return 0, err
	}
	changes = c.withLeftovers(changes)
	revision, err := c.store.Write(ctx, changes...)
	if err != nil {
		return 0, err
	}
	entries := make([]Entry, len(changes))
	for i, ch := range changes {
		entries[i] = Entry{Key: ch.Key, Revision: revision, Value: ch.Value}
	}
	c.apply(revision, entries)
	return revision, nil
}

// withLeftovers removes what a guest wrote along with its instance.
func (c *Catalog) withLeftovers(changes []Change) []Change {
	for _, ch := range changes {
		name, ok := strings.CutPrefix(ch.Key, instancePrefix)
		if _, wrote := c.entries[writtenPrefix+name]; ok && wrote && ch.Value == nil {
			changes = append(changes, Change{Key: writtenPrefix + name, IfMatch: Any})
		}
	}
	return changes
}

// check refuses what could not be told later: wrong objects, and one address or token for two instances.
func (c *Catalog) check(changes []Change) error {
	owners := map[string]string{}
	for _, ch := range changes {
		if ch.Value == nil {
			continue
		}
		object, err := decode(ch.Key, ch.Value)
		if err != nil {
			return err
		}
		if i, ok := object.(*Instance); ok {
			if err := c.checkOwners(i, changes, owners); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Catalog) checkOwners(i *Instance, changes []Change, owners map[string]string) error {
	rewritten := func(name string) bool {
		return slices.ContainsFunc(changes, func(ch Change) bool { return ch.Key == instancePrefix+name })
	}
	claim := func(what, shown, owner string) error {
		if owner != "" && owner != i.Name && !rewritten(owner) {
			return fmt.Errorf("%s and %s both have the %s", i.Name, owner, shown)
		}
		if other := owners[what]; other != "" && other != i.Name {
			return fmt.Errorf("%s and %s both have the %s", i.Name, other, shown)
		}
		owners[what] = i.Name
		return nil
	}
	for _, a := range i.addresses() {
		if err := claim(a.String(), "address "+a.String(), c.byAddress[a]); err != nil {
			return err
		}
	}
	if i.Token != "" {
		return claim("token "+i.Token, "same token", c.byToken[i.Token])
	}
	return nil
}

// decode reads and checks the object of a key.
func decode(key string, value []byte) (any, error) {
	var object any
	name := key
	switch {
	case key == projectKey:
		object = &Project{}
	case strings.HasPrefix(key, instancePrefix):
		name = strings.TrimPrefix(key, instancePrefix)
		object = &Instance{}
	case strings.HasPrefix(key, writtenPrefix):
		object = &Written{}
	default:
		return nil, fmt.Errorf("%s is no object of a metadata store", key)
	}
	if err := decodeStrict(value, object); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return object, checkObject(name, object)
}

func checkObject(name string, object any) (err error) {
	switch o := object.(type) {
	case *Project:
		err = o.check()
	case *Instance:
		if o.Name == "" {
			o.Name = name
		}
		if o.Name != name {
			return fmt.Errorf("%s calls itself %s; an instance cannot be renamed", name, o.Name)
		}
		err = o.check()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// apply makes entries known and wakes who waits for them.
func (c *Catalog) apply(revision int64, entries []Entry) {
	c.mu.Lock()
	for _, e := range entries {
		c.applied[e.Key] = e.Revision
		if err := c.put(e); err != nil {
			continue // it was checked before it was stored; what another version wrote is left as it was
		}
	}
	c.revision = max(c.revision, revision)
	for w := range c.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
	c.mu.Unlock()
	for _, e := range entries {
		c.tell(e.Key)
	}
}

func (c *Catalog) tell(key string) {
	if key == projectKey {
		c.changed("")
	} else if _, name, ok := strings.Cut(key, "/"); ok {
		c.changed(name)
	}
}

// put takes one entry into memory.
func (c *Catalog) put(e Entry) error {
	if e.Value == nil {
		delete(c.entries, e.Key)
		c.drop(e.Key)
		return nil
	}
	object, err := decode(e.Key, e.Value)
	if err != nil {
		return err
	}
	c.drop(e.Key)
	c.entries[e.Key] = e
	switch o := object.(type) {
	case *Project:
		c.project = o
	case *Written:
		c.written[strings.TrimPrefix(e.Key, writtenPrefix)] = o
	case *Instance:
		c.index(o)
	}
	return nil
}

func (c *Catalog) index(i *Instance) {
	c.instances[i.Name] = i
	for _, a := range i.addresses() {
		c.byAddress[a] = i.Name
	}
	if i.Token != "" {
		c.byToken[i.Token] = i.Name
	}
}

// drop forgets an object and what pointed to it.
func (c *Catalog) drop(key string) {
	if key == projectKey {
		c.project = &Project{}
	}
	delete(c.written, strings.TrimPrefix(key, writtenPrefix))
	name, isInstance := strings.CutPrefix(key, instancePrefix)
	old := c.instances[name]
	if !isInstance || old == nil {
		return
	}
	delete(c.instances, name)
	for _, a := range old.addresses() {
		if c.byAddress[a] == name {
			delete(c.byAddress, a)
		}
	}
	if c.byToken[old.Token] == name {
		delete(c.byToken, old.Token)
	}
}

// View gives what is known of an instance.
func (c *Catalog) View(name string) (View, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i := c.instances[name]
	if i == nil {
		return View{}, false
	}
	w := c.written[name]
	if w == nil {
		w = &Written{}
	}
	revision := max(c.entries[projectKey].Revision, c.entries[instancePrefix+name].Revision, c.entries[writtenPrefix+name].Revision)
	return View{Revision: revision, Project: c.project, Instance: i, Written: w}, true
}

// ByAddress names the instance that asks from an address; empty where none does.
func (c *Catalog) ByAddress(a netip.Addr) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byAddress[a.Unmap().WithZone("")]
}

// ByToken names the instance of a NoCloud token; empty where it is nobody's. A token is looked up by a map, whose time does
// not tell how much of a wrong one was right.
func (c *Catalog) ByToken(token string) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byToken[token]
}

// WriteBack changes what a guest said of itself.
func (c *Catalog) WriteBack(ctx context.Context, name string, edit func(*Written) error) error {
	for {
		e, err := c.Get(writtenPrefix + name)
		w := Written{}
		if err == nil {
			if err := decodeStrict(e.Value, &w); err != nil {
				return err
			}
		}
		if err := edit(&w); err != nil {
			return err
		}
		value, err := json.Marshal(w)
		if err != nil {
			return err
		}
		_, err = c.Write(ctx, Change{Key: writtenPrefix + name, Value: value, IfMatch: e.Revision})
		if _, conflict := err.(*ConflictError); !conflict {
			return err
		}
	}
}

// watch gives a channel that has something in it after every change, until stop is called.
func (c *Catalog) watch() (changes <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[ch] = true
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, ch)
	}
}

// counts are the numbers of objects, for the metrics.
func (c *Catalog) counts() (instances int, revision int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.instances), c.revision
}
