// Package architecture holds the project to its plan: which room may use which, and that there is one door to the system.
package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"openguest/internal/pack"
)

const root = "../.."

// rooms says which rooms each room may use. Arrows only go up this list.
var rooms = map[string][]string{
	"instance": {},
	"yaml":     {},
	"spelling": {},
	"command":  {"spelling"},
	"conf":     {"instance", "yaml", "spelling"},
	"jinja":    {},
	"machine":  {"instance"},
	"source":   {"instance", "machine", "conf", "spelling"},
	"userdata": {"conf", "jinja", "machine", "instance", "spelling"},
	"account":  {"instance", "machine"},
	"network":  {"instance", "machine", "conf", "spelling"},
	"disk":     {"machine"},
	"module":   {"conf", "jinja", "instance", "machine", "account", "network", "disk", "dist", "spelling"},
	"engine":   {"source", "userdata", "module", "account", "network", "disk", "machine", "jinja", "conf", "instance", "dist", "spelling"},
	"cli":      {"engine", "module", "userdata", "source", "account", "network", "disk", "machine", "jinja", "conf", "instance", "spelling", "command"},

	// Outside the guest. The metadata server uses nothing of the guest's: one must not share the other's mistakes. The commands
	// know the guest's only to package it.
	"metadata": {},
	"pack":     {"command"},
	"vm":       {"metadata", "dist"},
	"hostcli":  {"command", "metadata", "vm", "pack", "cli", "dist"},
}

// hostRooms are outside the guest: they are no part of a plan, so the door and the guest's weight are none of their concern.
var hostRooms = []string{"metadata", "vm", "pack", "hostcli"}

// doors are the packages that reach the system, and who may use them.
var doors = map[string][]string{
	"os": {"machine", "cli"}, "os/exec": {"machine"}, "os/signal": {"cli"}, "net": {"machine"}, "net/http": {"machine"}, "syscall": {"machine", "cli"},
	"golang.org/x/sys/unix": {"machine"}, "path/filepath": {}, "log/syslog": {}, "io/ioutil": {}, "plugin": {}, "unsafe": {"machine"},
}

// calls reach the system without the packages above.
var calls = map[string][]string{
	"time.LoadLocation": {}, "x509.SystemCertPool": {"machine"}, "time.Sleep": {},
}

// revealers are the files that read secrets, each for a reason: a command's input, a hash, a private key's file.
var revealers = []string{
	"machine/program_linux.go", // a command's standard input
	"account/hash.go",          // hashing a password where no chpasswd runs
	"account/password.go",      // telling hashes from passwords, and what chpasswd means
	"account/privatekey.go",    // deriving a public key
	"module/set_passwords.go",  // random passwords, on the console and nowhere else
	"module/ssh_given_keys.go", // a person's host keys, into their files
	"module/ssh_host_keys.go",  // our own host keys, into their files
}

// banned are packages that the guest's rooms must not use, and why.
var banned = map[string]string{
	"text/template": "it keeps every exported method of every type", "html/template": "it keeps every exported method of every type",
	"os/user": "without cgo it sees only /etc/passwd; use account", "log": "use the report", "encoding/gob": "heavy",
}

type goPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) (all []goPackage) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,Imports,Deps"}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// room is the room that a package is in; empty outside the guest's.
func room(path string) string {
	if path == "openguest/dist" {
		return "dist"
	}
	inside, ok := strings.CutPrefix(path, "openguest/internal/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(inside, "/")
	return name
}

// A room that uses one below it would make the design a knot: nothing could be understood or tested alone.
func TestArrowsOnlyGoUp(t *testing.T) {
	for _, p := range list(t, "./internal/...") {
		allowed, known := rooms[room(p.ImportPath)]
		if !known {
			t.Errorf("%s is in no room of the plan; add it to docs/architecture.md and here", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if r := room(imported); r != "" && r != room(p.ImportPath) && !slices.Contains(allowed, r) {
				t.Errorf("%s imports %s; it may import %v", p.ImportPath, imported, allowed)
			}
		}
	}
}

// guestPackages are those of the guest's rooms.
func guestPackages(t *testing.T) []goPackage {
	return slices.DeleteFunc(list(t, "./internal/..."), func(p goPackage) bool { return slices.Contains(hostRooms, room(p.ImportPath)) })
}

// What reaches the system past the door would happen in a plan too.
func TestOneDoor(t *testing.T) {
	for _, p := range guestPackages(t) {
		for _, imported := range p.Imports {
			if who, guarded := doors[imported]; guarded && !slices.Contains(who, room(p.ImportPath)) {
				t.Errorf("%s imports %s; only %v may", p.ImportPath, imported, who)
			}
		}
		for _, name := range p.GoFiles {
			checkCalls(t, p, filepath.Join(p.Dir, name))
		}
	}
}

func checkCalls(t *testing.T, p goPackage, name string) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok {
			if who, guarded := calls[x.Name+"."+s.Sel.Name]; guarded && !slices.Contains(who, room(p.ImportPath)) {
				t.Errorf("%s calls %s.%s; only %v may", name, x.Name, s.Sel.Name, who)
			}
		}
		if s.Sel.Name == "Reveal" && !slices.Contains(revealers, room(p.ImportPath)+"/"+filepath.Base(name)) {
			t.Errorf("%s calls Reveal: what is secret is shown only where it must be; a new place wants a review and its line here", name)
		}
		return true
	})
}

func TestNothingBannedIsUsed(t *testing.T) {
	for _, p := range guestPackages(t) {
		for _, imported := range p.Imports {
			if why := banned[imported]; why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, why)
			}
		}
	}
}

// sizeLimit is how large the stripped guest may be, in bytes.
const sizeLimit = 10_780_000

// Row X06. A heavy guest slows every boot of every machine that carries it.
func TestWeight(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "openguest")
	args := append([]string{"build", "-o", bin}, pack.BuildFlags()...)
	args[len(args)-1] += " -dumpdep" // the flags of the linker are the last
	build := exec.Command("go", append(args, "./cmd/openguest")...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if n := bytes.Count(out, []byte("<ReflectMethod>")); n > 0 {
		t.Errorf("%d functions look methods up by name, so the linker keeps all methods:\n%s", n, grep(out, "<ReflectMethod>"))
	}
	info, err := os.Stat(bin)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > sizeLimit {
		t.Errorf("the guest has %d bytes; the limit is %d", info.Size(), sizeLimit)
	}
	t.Logf("the guest has %d bytes", info.Size())
}

func grep(text []byte, word string) string {
	var found []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, word) && len(found) < 10 {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// sizes of functions to hold: most are short, none is too long.
func TestFunctionsAreShort(t *testing.T) {
	var lengths []int
	set := token.NewFileSet()
	for _, p := range list(t, "./...") {
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Body == nil {
					continue
				}
				n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
				lengths = append(lengths, n)
				if n > 100 {
					t.Errorf("%s: %s has %d lines", set.Position(f.Pos()), f.Name.Name, n)
				}
			}
		}
	}
	slices.Sort(lengths)
	if median := lengths[len(lengths)/2]; median > 12 {
		t.Errorf("the median function has %d lines", median)
	}
	if p90 := lengths[len(lengths)*9/10]; p90 > 40 {
		t.Errorf("one function in ten has more than %d lines", p90)
	}
}

// A reference that is not what the program does misleads who debugs user-data at night.
func TestReferenceIsCurrent(t *testing.T) {
	cmd := exec.Command("go", "run", "./cmd/openguest", "docs")
	cmd.Dir = root
	want, err := cmd.Output()
	if err != nil {
		t.Fatalf("openguest docs: %v", err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "reference.md"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/reference.md is not what `openguest docs` prints; run scripts/docs")
	}
}

// Nothing but texts and sources belongs into the project: no foreign data, no binaries.
func TestOnlySources(t *testing.T) {
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if info, err := d.Info(); err == nil && d.Type().IsRegular() && info.Size() > 400<<10 {
			t.Errorf("%s has %s bytes", name, strconv.FormatInt(info.Size(), 10))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
