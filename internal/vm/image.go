package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// An Image is a Debian system that machines boot: a disk with one partition, its kernel, and an initrd that does no more than
// mount it.
type Image struct {
	Release string
	dir     string
}

func (i *Image) disk() string   { return filepath.Join(i.dir, "disk.img") }
func (i *Image) kernel() string { return filepath.Join(i.dir, "vmlinuz") }
func (i *Image) initrd() string { return filepath.Join(i.dir, "initrd.img") }

// Dir is the folder of the cache that the image is in.
func (i *Image) Dir() string { return i.dir }

// A Builder makes images, or takes them from its cache.
type Builder struct {
	Cache    string            // a folder; DefaultCache where it is empty
	Release  string            // one of Releases; the first where it is empty
	Mirror   string            // where Debian's packages come from; as the host's apt has it where it is empty
	Packages []string          // Debian packages that the image has besides those of a small system
	Again    bool              // make it anew even if it is there
	Progress func(text string) // told what takes long; may be nil
}

// DefaultCache is the folder for images where no other is given.
func DefaultCache() string {
	dir, err := os.UserCacheDir() // $XDG_CACHE_HOME, or ~/.cache
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "openguest")
}

// Build gives the image of a release. It is made where the cache has none that was made in the same way. An image is there whole
// or not at all.
func (b Builder) Build(ctx context.Context) (*Image, error) {
	b.Cache, b.Release = or(b.Cache, DefaultCache()), or(b.Release, Releases()[0])
	if b.Progress == nil {
		b.Progress = func(string) {}
	}
	if !slices.Contains(Releases(), b.Release) {
		return nil, fmt.Errorf("there is no image of %q; the releases are %s", b.Release, strings.Join(Releases(), ", "))
	}
	var err error
	if b.Cache, err = filepath.Abs(b.Cache); err != nil { // a disk that is made on an image names it
		return nil, fmt.Errorf("find the cache %s: %w", b.Cache, err)
	}
	r, err := b.recipe()
	if err != nil {
		return nil, err
	}
	image := &Image{Release: b.Release, dir: filepath.Join(b.Cache, b.Release+"-"+r.key())}
	if image.there() && !b.Again {
		return image, image.check()
	}
	if err := canBuild(); err != nil {
		return nil, err
	}
	return image, b.locked(ctx, image, r)
}

// canBuild says what an image cannot be built without.
func canBuild() error {
	if os.Geteuid() != 0 {
		return errors.New("an image cannot be built without root, for its files belong to root; run `openguest-host vm build` as root once with --cache DIR, and use that folder from then on")
	}
	return Need("mmdebstrap", "mke2fs", "sgdisk", "xz", "nice")
}

func (i *Image) there() bool {
	_, err := os.Stat(i.disk())
	return err == nil
}

// locked builds while no other process does: two at a time would only be slower.
func (b *Builder) locked(ctx context.Context, image *Image, r recipe) error {
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return fmt.Errorf("the cache cannot be made: %w; give another folder with --cache", err)
	}
	lock, err := os.OpenFile(filepath.Join(b.Cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("the cache cannot be written to: %w; give another folder with --cache", err)
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		b.Progress("another process builds an image: waiting for it")
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			return fmt.Errorf("the cache cannot be locked: %w", err)
		}
	}
	if image.there() && !b.Again { // the other process made it
		return nil
	}
	return b.fresh(ctx, image, r)
}

// halfMade begins the names of folders with images that are being built.
const halfMade = ".building-"

// fresh builds in a folder of its own and gives it its name at the end.
func (b *Builder) fresh(ctx context.Context, image *Image, r recipe) error {
	b.removeHalfMade()
	if err := buildRoom.hasRoom(b.Cache); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.Cache, halfMade)
	if err != nil {
		return fmt.Errorf("a folder for the image cannot be made: %w", err)
	}
	defer remove(dir)
	if err := r.cook(ctx, dir, b.Progress); err != nil {
		return fmt.Errorf("build the image of %s: %w", b.Release, err)
	}
	remove(image.dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return os.Rename(dir, image.dir)
}

// removeHalfMade removes what a build left that could not clean up after itself.
func (b *Builder) removeHalfMade() {
	names, _ := filepath.Glob(filepath.Join(b.Cache, halfMade+"*"))
	for _, name := range names {
		remove(name)
	}
}

// remove removes a folder, but nothing of another file system that was mounted in it.
func remove(dir string) {
	_, _ = run(context.Background(), "rm", "-rf", "--one-file-system", "--", dir)
}

// key tells images apart that were made in different ways.
func (r recipe) key() string {
	sum := sha256.Sum256([]byte(strings.Join(r.words(), "\x00")))
	return hex.EncodeToString(sum[:6])
}
