package metadata

import (
	"context"
	"errors"
	"fmt"
)

// An Entry is one object of the store.
type Entry struct {
	Key      string // project, instance/NAME, written/NAME
	Revision int64  // the store's revision when it was written
	Value    []byte // JSON; nil where it was removed
}

// A Change is one write.
type Change struct {
	Key     string
	Value   []byte // nil removes the object
	IfMatch int64  // the object's revision that the writer saw; Absent, or Any
}

// What Change.IfMatch may be beside a revision.
const (
	Any    int64 = -1 // write whatever is there
	Absent int64 = 0  // write only where nothing is
)

// A Store keeps objects and counts its writes. Everything else (indexes, waking who waits) is the Catalog's.
type Store interface {
	// Load gives all objects and the store's revision.
	Load(ctx context.Context) ([]Entry, int64, error)
	// Write makes all changes or none, under one new revision, which it returns. Once it has returned without an error
	// they survive the death of the process and of the machine. A change whose IfMatch does not hold gives a *ConflictError.
	Write(ctx context.Context, changes ...Change) (int64, error)
	// Watch calls f for every write that another process makes, in order, until ctx ends.
	Watch(ctx context.Context, after int64, f func(Entry)) error
	// Close gives the store back.
	Close() error
}

// A ConflictError says that an object is not as the writer saw it.
type ConflictError struct {
	Key  string
	Want int64 // the revision that the writer saw
	Have int64 // the revision that is there; 0 where nothing is
}

func (e *ConflictError) Error() string {
	switch {
	case e.Want == Absent:
		return fmt.Sprintf("%s is there already (revision %d)", e.Key, e.Have)
	case e.Have == 0:
		return fmt.Sprintf("%s is not there", e.Key)
	}
	return fmt.Sprintf("%s was changed meanwhile: it has revision %d, not %d; read it again", e.Key, e.Have, e.Want)
}

// errNotThere says that an object does not exist.
var errNotThere = errors.New("is not there")
