package vm

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// What is asked for wrongly is to be said at once, and not after an image was built.
func TestWrongWishes(t *testing.T) {
	for name, c := range map[string]struct {
		do   func() error
		want string
	}{
		"cloud":     {func() error { return new(Config).InCloud("cumulus", Seed{}) }, `there is no cloud "cumulus"`},
		"meta-data": {func() error { return new(Config).InCloud("gce", Seed{MetaData: []byte("a: b")}) }, "only nocloud takes it"},
		"release": {func() error {
			_, err := Builder{Release: "sarge", Cache: t.TempDir()}.Build(t.Context())
			return err
		}, `there is no image of "sarge"; the releases are bookworm, bullseye, trixie`},
		"image":   {func() error { _, err := Start(t.Context(), Config{}); return err }, "no image was given"},
		"program": {func() error { return Need("sh", "sgdisk-that-is-not") }, "sgdisk-that-is-not cannot be found; apt-get install"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A machine that cannot be made is to be said why, and leaves nothing.
func TestAMachineThatCannotBeMade(t *testing.T) {
	if err := Need("qemu-system-x86_64", "qemu-img"); err != nil {
		t.Skip(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Start(t.Context(), Config{Image: &Image{dir: "/there/is/no/image"}})
	if err == nil || !strings.Contains(err.Error(), "make the root disk") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// A build that was interrupted would fill the disk, or be booted.
func TestHalfMadeImagesGo(t *testing.T) {
	b := Builder{Cache: t.TempDir()}
	half := filepath.Join(b.Cache, halfMade+"123")
	if err := os.MkdirAll(filepath.Join(half, "tree"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.removeHalfMade()
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", half, err)
	}
}

// Who cannot build an image needs the line that says why, not the last of a thousand.
func TestProgramErrorsSayWhy(t *testing.T) {
	text := "Get:1 a\nE: Failed to fetch http://m/k.deb  404  Not Found\nGet:2 b\nE: setup failed\nI: bye\n"
	err := (&programError{"mmdebstrap", 25, text}).Error()
	if want := "mmdebstrap ended with status 25: E: Failed to fetch http://m/k.deb  404  Not Found\nE: setup failed"; err != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if err := (&programError{"sgdisk", 2, "one\ntwo\n"}).Error(); err != "sgdisk ended with status 2: one\ntwo" {
		t.Errorf("got %q", err)
	}
}

// A test that waits for a text of the console would wait for ever when the machine is off.
func TestConsoleWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, off := newConsole(nil), make(chan struct{})
		found := make(chan error, 2)
		go func() { found <- c.wait(t.Context(), "login:", off) }()
		synctest.Wait()
		c.Write([]byte("lo"))
		c.Write([]byte("gin:\r\n"))
		if err := <-found; err != nil {
			t.Error(err)
		}
		go func() { found <- c.wait(t.Context(), "never", off) }()
		synctest.Wait()
		close(off)
		if err := <-found; err == nil || !strings.Contains(err.Error(), "is off") {
			t.Errorf("got %v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := c.wait(ctx, "never", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if got := c.tail(1); got != "login:" {
			t.Errorf("the tail is %q", got)
		}
	})
}
