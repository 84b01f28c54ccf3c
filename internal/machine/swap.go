package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
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

// swapSize is a size in whole pages.
func swapSize(name string, page int, size int64) (int64, error) {
	size -= size % int64(page)
	if size < minSwap*int64(page) {
		return 0, fmt.Errorf("make the swap file %s: %d bytes are too few; give it at least %d", name, size, minSwap*page)
	}
	return size, nil
}

// errNoSwapFile says that what is there is kept.
func errNoSwapFile(name string, n Node) error {
	return fmt.Errorf("%s is %s that is there already and holds no swap; it is kept, so give the swap file another name", name, kindOf(n))
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
	return visit(walked{s.Changes, s.ledger}, name, false, func(p place) (bool, error) {
		n, err := s.look(p)
		if err == nil {
			holds, err := s.Holds(name)
			if err == nil && !holds {
				err = errNoSwapFile(name, n)
			}
			return false, err
		}
		if _, err := s.Free("/"); err != nil { // a system that does not run
			return false, err
		}
		s.nodes[p.path] = File(0o600, "")
		s.ledger.file(p.name(), false, File(0o600, ""), swapDetail(size))
		return true, nil
	})
}

// swapDetail is what a plan and the log say of a swap file.
func swapDetail(size int64) string { return fmt.Sprintf("swap of %d MiB", size>>20) }

// offlineSwap is that of a system that does not run: which memory and which disks it will have is not known.
type offlineSwap struct{}

func (offlineSwap) Free(string) (int64, error)       { return 0, ErrOffline }
func (offlineSwap) Holds(string) (bool, error)       { return false, ErrOffline }
func (offlineSwap) Make(string, int64) (bool, error) { return false, ErrOffline }
