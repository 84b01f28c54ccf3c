// Package vm boots virtual machines to try the guest in: Debian images made from the host's own package sources, QEMU, a network
// inside this process with a metadata server at 169.254.169.254, and seed media. Nothing but building an image needs root.
package vm

import (
	"context"
	"fmt"
	"io"

	"openguest/internal/metadata"
)

// A Config says what machine to boot. The zero value of everything but Image is a small machine without a cloud.
type Config struct {
	Image    *Image             // what it boots
	Files    []File             // put over the image's own files before the first boot
	Media    []Medium           // small read-only disks: seeds
	Disks    []string           // sizes of further empty disks, as qemu-img takes them: 1G
	RootSize string             // the size of the root disk; 4G where it is empty
	NICs     int                // network interfaces; -1 for none, 0 means 1
	Memory   int                // MiB; 512 where it is 0
	CPUs     int                // 2 where it is 0
	Counted  bool               // time is counted in instructions: one processor, emulated, a nanosecond each
	SMBIOS   []string           // QEMU's -smbios arguments: type=1,manufacturer=Google
	Kernel   []string           // further words of the kernel command line
	QEMU     []string           // further arguments for QEMU
	Instance *metadata.Instance // what the metadata server tells; without it none listens
	SSHPort  int                // a port of 127.0.0.1 that leads to the guest's port 22; 0 for none
	Console  io.Writer          // gets what the machine prints, as it comes; may be nil
	Keyboard io.Reader          // typed at the machine's console; may be nil
	Progress func(text string)  // told what takes long; may be nil
}

// A File is put into the machine.
type File struct {
	Name string // absolute
	Mode uint32 // permissions; 0 means 0644
	Link string // where it leads, if it is a symbolic link
	Data []byte
}

func (c *Config) defaults() {
	c.RootSize = or(c.RootSize, "4G")
	c.NICs = max(or(c.NICs, 1), 0)
	c.Memory = or(c.Memory, 512)
	c.CPUs = or(c.CPUs, 2)
	if c.Counted {
		c.CPUs = 1
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
}

// or is the value, or another one where it is the zero value.
func or[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// Start boots a machine. It ends with the context; Close removes everything that it left in the file system.
func Start(ctx context.Context, c Config) (*Machine, error) {
	c.defaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	m, err := prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := m.firstBoot(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (c *Config) check() error {
	if c.Image == nil {
		return fmt.Errorf("no image was given to boot a machine from")
	}
	return Need("qemu-system-x86_64", "qemu-img")
}
