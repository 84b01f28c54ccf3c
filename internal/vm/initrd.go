package vm

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// modules are the kernel modules without which the root cannot be mounted. Those that are built in are left out.
var modules = []string{"virtio_pci", "virtio_blk", "ext4", "virtio_rng"}

// mountScript mounts the root and puts the files of the machine over it.
const mountScript = `#!/bin/busybox sh
b=/bin/busybox
echo "initrd: mounting the root"
stop() { echo "initrd: $*"; $b sleep 2; $b reboot -f; }
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
while read -r m; do $b insmod "/modules/$m" || echo "initrd: insmod $m"; done </modules/order
root=/dev/vda1
n=0
while [ ! -b $root ]; do
  n=$((n + 1)); [ $n -lt 600 ] || stop "no $root"
  $b sleep 0.05
done
$b mount -t ext4 -o ro $root /root || stop "$root cannot be mounted"
if [ -f /files.tar ]; then
  $b mount -o remount,rw /root || stop "$root cannot be written to"
  $b tar -x -f /files.tar -C /root || stop "the files cannot be put into the machine"
  $b mount -o remount,ro /root
fi
`

// initScript lets systemd begin on the root. It takes a tenth of the time of Debian's own initrd, which counts where every
// instruction is emulated.
const initScript = mountScript + `for m in dev proc sys; do $b mount --move /$m /root/$m; done
exec $b switch_root /root /sbin/init
`

// installScript switches the machine off when its files are on the disk.
const installScript = mountScript + `$b umount /root
$b poweroff -f
`

// takeKernel takes the kernel out of the tree, and makes the initrd of its modules and busybox.
func takeKernel(ctx context.Context, tree, busybox string, image *Image) error {
	kernels, _ := filepath.Glob(filepath.Join(tree, "boot/vmlinuz-*"))
	if len(kernels) != 1 {
		return fmt.Errorf("the image has %d kernels; it should have one", len(kernels))
	}
	kernel, err := os.ReadFile(kernels[0])
	if err != nil {
		return err
	}
	if err := os.WriteFile(image.kernel(), kernel, 0o644); err != nil {
		return err
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	version := strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-")
	a := newArchive()
	for _, folder := range []string{"bin", "dev", "proc", "sys", "root", "modules"} {
		a.folder(folder)
	}
	a.file("init", 0o755, []byte(initScript))
	a.file("bin/busybox", 0o755, program)
	if err := addModules(ctx, a, filepath.Join(tree, "lib/modules", version)); err != nil {
		return err
	}
	return os.WriteFile(image.initrd(), a.bytes(), 0o644)
}

// addModules adds the modules, and first those that they need, uncompressed.
func addModules(ctx context.Context, a *archive, dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return fmt.Errorf("read which modules the kernel has: %w", err)
	}
	var order bytes.Buffer
	for _, file := range moduleOrder(string(data), modules) {
		content, err := moduleContent(ctx, filepath.Join(dir, file))
		if err != nil {
			return err
		}
		name := moduleName(file) + ".ko"
		a.file("modules/"+name, 0o644, content)
		fmt.Fprintln(&order, name)
	}
	a.file("modules/order", 0o644, order.Bytes())
	return nil
}

func moduleContent(ctx context.Context, name string) ([]byte, error) {
	if strings.HasSuffix(name, ".xz") {
		return run(ctx, "xz", "-dc", name)
	}
	return os.ReadFile(name)
}

// moduleName is the name of a module by its file's.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".")
	return strings.ReplaceAll(name, "-", "_")
}

// moduleOrder gives the files of modules in the order in which they can be loaded, by modules.dep. Its lines are "FILE: NEEDED…",
// where what is needed first stands last.
func moduleOrder(dep string, wanted []string) (files []string) {
	for _, want := range wanted {
		for line := range strings.Lines(dep) {
			file, needs, ok := strings.Cut(line, ":")
			if !ok || moduleName(file) != want {
				continue
			}
			all := append([]string{file}, strings.Fields(needs)...)
			for _, f := range slices.Backward(all) {
				if !slices.Contains(files, f) {
					files = append(files, f)
				}
			}
		}
	}
	return files
}

// fileArchive is an initrd that brings files into the machine when it stands behind the image's own. Where a script is given, it takes
// the place of that one's.
func fileArchive(files []File, script string) ([]byte, error) {
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Name: strings.TrimPrefix(f.Name, "/"), Mode: int64(or(f.Mode, 0o644)), Size: int64(len(f.Data)), Typeflag: tar.TypeReg}
		if f.Link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Link, 0
		}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("put %s into the machine: %w", f.Name, err)
		}
		if h.Size > 0 {
			if _, err := t.Write(f.Data); err != nil {
				return nil, fmt.Errorf("put %s into the machine: %w", f.Name, err)
			}
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	a := newArchive()
	a.file("files.tar", 0o600, out.Bytes())
	if script != "" {
		a.file("init", 0o755, []byte(script))
	}
	return a.bytes(), nil
}
