package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// Swap is the room on disks that the kernel moves memory out to. What is swapped to now stands in /proc/swaps.
type Swap interface {
	// Free is how many bytes are free in the file system that a folder is in, or will be in once it is made.
	Free(folder string) (int64, error)
	// Holds says whether a name is a file to swap to: a regular file that begins as mkswap makes it.
	Holds(name string) (bool, error)
	// Make makes a file of size bytes to swap to, which is root's alone. One that is there stays as it is, and a file that is
	// something else is an error.
	Make(name string, size int64) (changed bool, _ error)
}

// A swapMark begins a swap file: version 1 of the kernel's format (union swap_header in include/linux/swap.h). It holds no
// bad pages and no label, as mkswap makes it.
func swapMark(page int, size int64, id [16]byte) []byte {
	mark := make([]byte, page)
	binary.NativeEndian.PutUint32(mark[1024:], 1)
	binary.NativeEndian.PutUint32(mark[1028:], uint32(size/int64(page)-1)) // the last page
	copy(mark[1036:], id[:])
	copy(mark[page-10:], "SWAPSPACE2")
	return mark
}

// minSwap is the least number of pages that mkswap makes swap of.
const minSwap = 10

// newSwap makes a swap file by the rules that hold on every machine: it takes no other file's name, and stands where only root
// may write. The size that do is given is that of whole pages.
func newSwap(w walked, s Swap, name string, size int64, do func(p place, size int64) error) (bool, error) {
	page := int64(os.Getpagesize())
	if size -= size % page; size < minSwap*page {
		return false, fmt.Errorf("make the swap file %s: %d bytes are too few; give it at least %d", name, size, minSwap*page)
	}
	return visit(w, name, false, func(p place) (bool, error) {
		n, err := p.node, p.absent
		switch {
		case err == nil:
			return false, keepSwap(s, p, n)
		case !errors.Is(err, fs.ErrNotExist):
			return false, err
		case p.uid != 0 || p.shared:
			return false, fmt.Errorf("make the swap file %s: others than root may write in its folder; give it another place", p.name())
		}
		free, err := s.Free(path.Dir(p.name()))
		switch {
		case err != nil:
			return false, err
		case free < size:
			return false, fmt.Errorf("make the swap file %s of %s: only %s are free there; give it a smaller size", p.name(), Size(size), Size(free))
		}
		if err := do(p, size); err != nil {
			return false, fmt.Errorf("make the swap file %s of %s: %w", p.name(), Size(size), bare(err))
		}
		w.ledger.file(p.name(), false, File(0o600, ""), "swap of "+Size(size))
		return true, nil
	})
}

// keepSwap looks at what has the name already: swap is taken as it is, and whatever else it is stays.
func keepSwap(s Swap, p place, n Node) error {
	holds, err := s.Holds(p.name())
	if err == nil && !holds {
		err = fmt.Errorf("%s is %s that is there already and holds no swap; it is kept, so give the swap file another name", p.name(), kindOf(n))
	}
	return err
}

// planSwap is swap in a plan: what it makes is there for later steps, and nowhere else.
type planSwap struct {
	*Changes
	below Swap
}

// Free asks about the nearest folder that is there.
func (s planSwap) Free(folder string) (int64, error) {
	for {
		free, err := s.below.Free(folder)
		if folder == "/" || !errors.Is(err, fs.ErrNotExist) {
			return free, err
		}
		folder = path.Dir(path.Clean("/" + folder))
	}
}

func (s planSwap) Holds(name string) (bool, error) {
	if n, ok := s.nodes[path.Join(split(name)...)]; ok {
		return n != gone && n.Mode.IsRegular(), nil
	}
	return s.below.Holds(name)
}

func (s planSwap) Make(name string, size int64) (bool, error) {
	return newSwap(walked{store: s.Changes, ledger: s.ledger}, s, name, size, func(p place, _ int64) error {
		s.nodes[p.path] = File(0o600, "")
		return nil
	})
}

// offlineSwap is that of a system that does not run: which memory and which disks it will have is not known.
type offlineSwap struct{}

func (offlineSwap) Free(string) (int64, error)       { return 0, ErrOffline }
func (offlineSwap) Holds(string) (bool, error)       { return false, ErrOffline }
func (offlineSwap) Make(string, int64) (bool, error) { return false, ErrOffline }
