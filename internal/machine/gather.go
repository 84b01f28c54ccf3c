package machine

// gatherer is a store that can have what it writes reach the disk together.
type gatherer interface {
	gather(on bool)
	settle() error
}

// Gather has new files reach the disk together, when Settle is called, and no longer one by one: waiting for the disk is what takes
// most of the time of writing a small file. Until then a power cut may leave a new file empty or take it away. One that takes an old
// one's place has its content on the disk before it does, as always, so that a power cut leaves the one or the other. End settles
// what is left, and has each file written for itself again. Where files are on no disk, both do nothing.
func Gather(f Files) (end func() error) {
	g, ok := gathererOf(f)
	if !ok {
		return func() error { return nil }
	}
	g.gather(true)
	return func() error {
		g.gather(false)
		return g.settle()
	}
}

// Settle waits until all that was written since Gather is on the disk. Whoever notes that something is done calls it before.
func Settle(f Files) error {
	if g, ok := gathererOf(f); ok {
		return g.settle()
	}
	return nil
}

func gathererOf(f Files) (g gatherer, ok bool) {
	if w, is := f.(walked); is {
		g, ok = w.store.(gatherer)
	}
	return g, ok
}
