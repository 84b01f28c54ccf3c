package vm

import (
	"context"
	"fmt"
	"os"
)

// The disk of an image: as small as the system and a first boot need, for it is sparse and grows in the machine.
const (
	sector    = 512
	alignment = 2048 // sectors; 1 MiB
	diskSize  = 2 << 30
	gptEnd    = 34 // sectors that the second GPT takes at the end
)

// writeDisk writes a disk with one ext4 partition that holds the tree, without a loop device or a mount.
func writeDisk(ctx context.Context, tree, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(diskSize); err != nil {
		return fmt.Errorf("make room for the disk %s: %w", name, err)
	}
	end := (diskSize/sector-gptEnd+1)/alignment*alignment - 1
	blocks := (end - alignment + 1) / 8
	// The file system comes first: mke2fs discards from the first byte of the file on, and with it a GPT.
	_, err = run(ctx, "mke2fs", "-t", "ext4", "-q", "-F", "-L", "root", "-b", "4096", "-d", tree,
		"-E", fmt.Sprintf("offset=%d,lazy_itable_init=0,lazy_journal_init=0", alignment*sector), name, fmt.Sprint(blocks))
	if err != nil {
		return err
	}
	_, err = run(ctx, "sgdisk", "-n", fmt.Sprintf("1:%d:%d", alignment, end), "-t", "1:8304", "-c", "1:root", name)
	return err
}
