package vm

import (
	"bytes"
	"fmt"
)

// An archive is a cpio archive in the format "newc", which the kernel unpacks as its initrd. See the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst.
type archive struct {
	out   bytes.Buffer
	inode int
}

func newArchive() *archive { return &archive{} }

const (
	cpioFolder = 0o040755
	cpioFile   = 0o100000
)

func (a *archive) folder(name string) { a.entry(name, cpioFolder, nil) }

func (a *archive) file(name string, mode int, data []byte) { a.entry(name, cpioFile|mode, data) }

// entry writes a header of thirteen numbers, the name and the data, each to a multiple of four bytes.
func (a *archive) entry(name string, mode int, data []byte) {
	a.inode++
	fmt.Fprintf(&a.out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	a.out.WriteString(name + "\x00")
	a.pad()
	a.out.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.out.Len()%4 != 0 {
		a.out.WriteByte(0)
	}
}

// bytes ends the archive, so that another may follow it.
func (a *archive) bytes() []byte {
	a.entry("TRAILER!!!", 0, nil)
	return a.out.Bytes()
}
