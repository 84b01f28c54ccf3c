package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// A signature is where a file says what it is.
type signature struct {
	at   int64
	text string
}

var (
	gptSignature    = signature{512, "EFI PART"} // https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html
	kernelSignature = signature{0x202, "HdrS"}   // https://docs.kernel.org/arch/x86/boot.html
	initrdSignature = signature{0, "070701"}     // https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
)

// check says what is wrong with an image of the cache: somebody may have changed it, or the host was switched off before it was on
// the disk. QEMU would say less.
func (i *Image) check() error {
	for _, f := range []struct {
		name, what string
		has        signature
	}{
		{i.disk(), "disk with a GPT", gptSignature}, {i.kernel(), "kernel", kernelSignature}, {i.initrd(), "initrd", initrdSignature},
	} {
		if err := f.has.in(f.name); err != nil {
			return fmt.Errorf("boot the image %s: %s is no %s (%w); make it anew with `openguest-host vm build --again --release %s`", i.dir, f.name, f.what, err, i.Release)
		}
	}
	return nil
}

func (s signature) in(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it is not there")
	}
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	got := make([]byte, len(s.text))
	if _, err := f.ReadAt(got, s.at); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(got, []byte(s.text)) {
		return fmt.Errorf("%q should be at its byte %d", s.text, s.at)
	}
	return nil
}

// A wish takes room on a disk.
type wish struct {
	what    string // in words
	needed  int64  // bytes
	instead string // what to do where there is not so much
}

var (
	// buildRoom is for the tree, the disk and apt's downloads.
	buildRoom = wish{"build an image", 1536 << 20, "give another folder with --cache"}
	// bootRoom is for what a boot and a person's packages write to the disks.
	bootRoom = wish{"boot a machine", 256 << 20, "name another folder with TMPDIR"}
)

// hasRoom says that a folder's file system is too full before anything is begun that takes long.
func (w wish) hasRoom(dir string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("find out how much room there is in %s: %w", dir, err)
	}
	if free := int64(s.Bavail) * s.Bsize; free < w.needed {
		return fmt.Errorf("%s in %s: %d MiB are free there, and %d MiB are needed; make room, or %s", w.what, dir, free>>20, w.needed>>20, w.instead)
	}
	return nil
}
