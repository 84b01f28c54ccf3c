package vm

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pretend puts an image into a cache whose files begin as the real ones do, but for those given.
func pretend(t *testing.T, b Builder, instead map[string]string) {
	t.Helper()
	r, err := b.recipe()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.Cache, b.Release+"-"+r.key())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]signature{"disk.img": gptSignature, "vmlinuz": kernelSignature, "initrd.img": initrdSignature} {
		text, changed := instead[name]
		if !changed {
			text = string(bytes.Repeat([]byte{0}, int(s.at))) + s.text
		}
		if text == "gone" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// An image that is not one is to be said in one line, with what to do: QEMU says nothing at all of a broken disk, and waits.
func TestImageThatIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		instead map[string]string
		want    string
	}{
		"whole":     {nil, ""},
		"text":      {map[string]string{"disk.img": strings.Repeat("no disk\n", 1000)}, `disk.img is no disk with a GPT ("EFI PART" should be at its byte 512); make it anew with ` + "`openguest-host vm build --again --release bookworm`"},
		"cut off":   {map[string]string{"vmlinuz": "MZ"}, "vmlinuz is no kernel ("},
		"no kernel": {map[string]string{"vmlinuz": "gone"}, "vmlinuz is no kernel (it is not there); make it anew"},
		"no initrd": {map[string]string{"initrd.img": ""}, "initrd.img is no initrd ("},
	} {
		t.Run(name, func(t *testing.T) {
			b := Builder{Cache: t.TempDir(), Release: "bookworm", Mirror: "http://mirror.invalid/debian"}
			pretend(t, b, c.instead)
			_, err := b.Build(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if left, err := os.ReadDir(b.Cache); err != nil || len(left) != 1 {
				t.Errorf("the cache holds %v (%v), want the image alone", left, err)
			}
		})
	}
}

// A disk that is too full would be found out after minutes, by a machine that hangs.
func TestNoRoom(t *testing.T) {
	dir := t.TempDir()
	if err := (wish{"boot", 1, "wait"}).hasRoom(dir); err != nil {
		t.Errorf("one byte: %v", err)
	}
	much := bootRoom
	much.needed = 1 << 60
	err := much.hasRoom(dir)
	if err == nil || !strings.HasPrefix(err.Error(), "boot a machine in "+dir+": ") || !strings.HasSuffix(err.Error(), " MiB are needed; make room, or name another folder with TMPDIR") {
		t.Errorf("got %v", err)
	}
}

// Who forwards a port that somebody else has must be told which one, and what to give.
func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = new(network).forward(t.Context(), port, sshPort)
	if want := fmt.Sprintf("port %d cannot be led into the machine: ", port); err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "; give another --ssh-port") {
		t.Errorf("got %v", err)
	}
}

// Who gives --cache a name below where they are would get an image that no disk can be made on.
func TestTheCacheMayBeRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	b := Builder{Cache: ".", Release: "bookworm", Mirror: "http://mirror.invalid/debian"}
	pretend(t, b, nil)
	i, err := b.Build(t.Context())
	if err != nil || !filepath.IsAbs(i.Dir()) {
		t.Errorf("got %v (%v), want an image in an absolute folder", i, err)
	}
}
