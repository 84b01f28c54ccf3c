package module

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

var update = flag.Bool("update", false, "rewrite the goldens of testdata")

// TestModules runs modules over machines made of text, and compares what they would do with what the file wants. A file is
// named MODULE.txtar or MODULE-WHAT.txtar. Its sections:
//
//	config              the cloud-config
//	modules             which modules run, where it is not the one of the file's name
//	instance            lines "hostname NAME", "source NAME", "seed TEXT", "key LINE", "id ID", "account NAME KEY | KEY", "disk NAME DEVICE"
//	distro              the distribution's id; debian where it is not there
//	args                what cloud.cfg's list says beside the name
//	kernel              the host name that the kernel has; without it the system is not running
//	disks               the disks that there are, as addDisks reads them
//	free                how many bytes the file system has room for: it can hold swap then
//	programs            the commands that are there: "NAME [STATUS] [OUTPUT]", the longest that fits counts. Without it none is
//	                    run: what has no meaning for files is deferred
//	unit                systemd runs the stage
//	fs/NAME MODE U:G    a file of the machine; fs/NAME/ a folder; fs/NAME -> TARGET a link
//	show                files to show that are no change of the machine: state
//	want                what came of it, -update writes it
func TestModules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there is no testdata", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) { testFile(t, file, name) })
	}
}

func testFile(t *testing.T, file, name string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, string(text))
	module, _, _ := strings.Cut(name, "-")
	got := s.play(t, strings.Fields(s.section("modules", module)))
	if *update {
		before, _, _ := strings.Cut(string(text), "-- want --\n")
		if err := os.WriteFile(file, []byte(before+"-- want --\n"+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(s.section("want", ""), got); diff != "" {
		t.Errorf("%s: what the module does is not what is wanted (-want +got):\n%s", file, diff)
	}
}

// A scene is one file of testdata: a machine and what is wanted of it. It is the report of the modules, too.
type scene struct {
	sections map[string]string
	said     strings.Builder
	ran      []string
	last     []func(context.Context) error
	env      *Env
	changes  *machine.Changes
}

func newScene(t *testing.T, text string) *scene {
	t.Helper()
	s := &scene{sections: map[string]string{}}
	var disk strings.Builder
	for _, folder := range []string{"etc", "run/cloud-init", "var/lib/cloud/data", "var/lib/cloud/instances/i-1/sem"} {
		fmt.Fprintf(&disk, "-- /%s/ --\n", folder)
	}
	disk.WriteString("-- /var/lib/cloud/instance -> instances/i-1 --\n")
	for _, part := range strings.Split("\n"+text, "\n-- ")[1:] {
		name, data, _ := strings.Cut(part, " --")
		data = strings.TrimPrefix(data, "\n")
		if name, ok := strings.CutPrefix(name, "fs/"); ok {
			fmt.Fprintf(&disk, "-- /%s --\n%s\n", name, data)
			continue
		}
		s.sections[name] = strings.TrimSuffix(data, "\n") + "\n"
	}
	blocks := addDisks(t, s.section("disks", ""), &disk)
	addTables(t, s.section("tables", ""), blocks)
	m := machine.Fake(disk.String(), time.Date(2026, 7, 4, 12, 0, 0, 0, time.UTC))
	programs, running := s.sections["programs"]
	if running {
		m.Commands = commands{scene: s, programs: strings.Split(strings.TrimSpace(programs), "\n")}
	}
	m.Blocks = blocks
	if free, ok := s.sections["free"]; ok {
		m.Swap = swap{m.Files, strings.TrimSpace(free)}
	}
	below := m.Commands
	m, s.changes = machine.Plan(m)
	if double, ok := below.(commands); ok {
		double.plan = m.Commands
		m.Commands = double
	}
	if name, ok := s.sections["kernel"]; ok {
		m.Kernel = &kernel{s, strings.TrimSpace(name)}
	}
	s.env = s.newEnv(t, m)
	return s
}

func (s *scene) section(name, otherwise string) string {
	if text, ok := s.sections[name]; ok {
		return text
	}
	return otherwise
}

func (s *scene) newEnv(t *testing.T, m machine.Machine) *Env {
	t.Helper()
	config, warnings, err := conf.Parse("user-data", []byte(s.section("config", "{}")))
	if err != nil || config.Kind != conf.Map {
		t.Fatalf("the section config is no mapping: %v", err)
	}
	distro, _ := FindDistro(strings.TrimSpace(s.section("distro", "debian")), config)
	in := s.instance(t)
	e := &Env{Machine: m, Instance: in, Config: config, Distro: distro, Args: strings.Fields(s.section("args", "")), Report: s, Version: "26.1",
		Paths:  Paths{Cloud: "/var/lib/cloud", Run: "/run/cloud-init", Templates: "/etc/cloud/templates", Folder: in.Folder()},
		InUnit: s.sections["unit"] != "", Last: func(do func(context.Context) error) { s.last = append(s.last, do) }}
	e.Problems(warnings)
	return e
}

func (s *scene) instance(t *testing.T) *instance.Instance {
	t.Helper()
	in := &instance.Instance{ID: "i-1", Source: "NoCloud", Detail: "DataSourceNoCloud [seed=/dev/sr0]"}
	disks := map[string]any{}
	for line := range strings.Lines(s.section("instance", "")) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
		case "hostname":
			in.Hostname = value
		case "source":
			in.Source, in.Detail = value, "DataSource"+value
		case "seed":
			in.RandomSeed = []byte(value)
		case "key":
			in.Keys = append(in.Keys, instance.Key{Line: value})
		case "account":
			name, keys, _ := strings.Cut(value, " ")
			in.Accounts = append(in.Accounts, instance.Account{Name: name, Keys: strings.Split(keys, " | ")})
		case "id":
			in.ID = value
		case "disk":
			name, device, _ := strings.Cut(value, " ")
			disks[name] = device
			in.Metadata = map[string]any{"block-device-mapping": disks}
		default:
			t.Fatalf("the section instance has no line %q", key)
		}
	}
	return in
}

// play runs the modules as the engine does, and tells what came of it.
func (s *scene) play(t *testing.T, names []string) string {
	t.Helper()
	for _, name := range names {
		m := Find(name)
		if m == nil {
			t.Fatalf("there is no module %q", name)
		}
		s.env.Module = m.Name
		if !m.IsActive(s.env.Config) {
			fmt.Fprintf(&s.said, "%s has nothing to do\n", name)
			continue
		}
		s.env.Machine.Ledger.Begin(m.Name, m.Every == Always)
		if err := m.Run(context.Background(), s.env); err != nil {
			fmt.Fprintf(&s.said, "%s: %s: %v\n", name, Judge(Verdict{}, err).Verdict, err)
		}
	}
	for _, do := range s.last {
		s.ran = append(s.ran, "at the end:")
		if err := do(context.Background()); err != nil {
			s.ran = append(s.ran, "error "+err.Error())
		}
	}
	return s.told()
}

func (s *scene) told() string {
	var out strings.Builder
	for _, p := range s.changes.List() {
		if p.Path == "" {
			continue // it is said below
		}
		fmt.Fprintf(&out, "%s %v %d:%d\n%s", p.Entry, p.Mode, p.UID, p.GID, p.Diff)
	}
	for _, line := range s.ran {
		fmt.Fprintln(&out, line)
	}
	for _, name := range strings.Fields(s.section("show", "")) {
		n, err := machine.Get(s.env.Machine.Files, name)
		if err != nil {
			fmt.Fprintf(&out, "show %s: %v\n", name, err)
			continue
		}
		fmt.Fprintf(&out, "show %s %v %d:%d\n%s", name, n.Mode, n.UID, n.GID, n.Data)
		if n.Data != "" && !strings.HasSuffix(n.Data, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
	return out.String() + s.said.String()
}

func (s *scene) Verdict(v Verdict) bool {
	fmt.Fprintf(&s.said, "verdict %s %s: %s", v.Origin, v.Key, v.Verdict)
	if v.Reason != "" {
		fmt.Fprintf(&s.said, ": %s", v.Reason)
	}
	if v.Hint != "" {
		fmt.Fprintf(&s.said, " (%s)", v.Hint)
	}
	s.said.WriteString("\n")
	return true
}

func (s *scene) Log(level Level, format string, args ...any) {
	if level != Debug {
		fmt.Fprintf(&s.said, "%s %s\n", level, fmt.Sprintf(format, args...))
	}
}

func (s *scene) Console(text string) { fmt.Fprintf(&s.said, "console %q\n", text) }

// commands are programs that only say that they were run, and do what they mean.
type commands struct {
	*scene
	programs []string
	plan     machine.Commands // writes down what is run
}

// find is what is known of the program: the longest line that begins as the command does.
func (c commands) find(argv []string) (status int, output string, err error) {
	line, best := strings.Join(argv, " ")+" ", ""
	for _, program := range c.programs {
		words := strings.SplitN(program, " = ", 2)
		if strings.HasPrefix(line, words[0]+" ") && len(words[0]) >= len(best) {
			best, status, output, err = words[0], 0, "", nil
			if len(words) == 2 {
				fmt.Sscanf(words[1], "%d", &status)
				_, output, _ = strings.Cut(words[1], " ")
			}
		}
	}
	if best == "" {
		return 0, "", fmt.Errorf("the command %s is not installed: %w", argv[0], machine.ErrNone)
	}
	return status, output, nil
}

func (c commands) run(kind string, argv, env []string) (string, error) {
	status, output, err := c.find(argv)
	if err != nil {
		return "", err
	}
	words := append(slices.Clone(env), argv...)
	for i, word := range words {
		if strings.ContainsAny(word, " \n") || word == "" {
			words[i] = fmt.Sprintf("%q", word)
		}
	}
	c.scene.ran = append(c.scene.ran, kind+" "+strings.Join(words, " "))
	if status != 0 {
		return "", &machine.ExitError{Argv: argv, Status: status, Stderr: output}
	}
	return output, nil
}

func (c commands) Ask(_ context.Context, q machine.Question) (string, error) {
	if q.Answer != nil {
		return q.Answer(c.env.Machine.Files)
	}
	answer, err := c.run("ask", q.Argv, nil)
	if exit, ok := err.(*machine.ExitError); ok && exit.Status == q.No {
		return "", machine.ErrNone
	}
	return answer, err
}

func (c commands) Do(ctx context.Context, change machine.Change) error {
	if _, err := c.run("run", change.Argv, change.Env); err != nil {
		return err
	}
	if !change.Stdin.IsEmpty() {
		c.scene.ran = append(c.scene.ran, "    with a secret on its input")
	}
	change.Touches = nil // these programs touch nothing
	return c.plan.Do(ctx, change)
}

func (c commands) Can(change machine.Change) error {
	_, _, err := c.find(change.Argv)
	return err
}

func (c commands) Run(ctx context.Context, p machine.Program) error {
	if err := c.plan.Run(ctx, p); err != nil {
		return err
	}
	_, err := c.run("script", p.Argv, p.Env)
	if err == nil && strings.HasPrefix(p.Reads, "/run/") {
		text, _ := c.env.Machine.Files.Read(p.Reads)
		c.scene.ran = append(c.scene.ran, text)
	}
	return err
}

func (c commands) Say(_ machine.Output, text string) error {
	fmt.Fprintf(&c.said, "say %q\n", text)
	return nil
}

// kernel is a running kernel that has a name.
type kernel struct {
	*scene
	name string
}

func (k *kernel) Hostname() (string, error) { return k.name, nil }

func (k *kernel) SetHostname(name string) (bool, error) {
	if k.name == name {
		return false, nil
	}
	k.name = name
	k.ran = append(k.ran, "kernel: the host name is "+name)
	return true, nil
}

func (k *kernel) ProcessID() int { return 4711 }

// swap is a disk with room for it. A file holds swap if it begins so.
type swap struct {
	machine.Files
	free string
}

func (s swap) Free(folder string) (int64, error) {
	if _, err := s.Look(folder); err != nil {
		return 0, err
	}
	return strconv.ParseInt(s.free, 10, 64)
}

func (s swap) Holds(name string) (bool, error) {
	text, err := s.Read(name)
	return strings.HasPrefix(text, "SWAPSPACE2"), err
}

func (swap) Make(name string, _ int64) (bool, error) {
	return false, fmt.Errorf("a plan makes %s", name)
}

// TestExamples: an example in the reference that our own decoder rejects would teach people mistakes.
func TestExamples(t *testing.T) {
	for _, m := range All() {
		for i, example := range m.Examples {
			config, warnings, err := conf.Parse(fmt.Sprintf("example %d of %s", i, m.Name), []byte(example))
			if err != nil {
				t.Errorf("%s: %v", m.Name, err)
				continue
			}
			for _, p := range append(warnings, m.Check(config)...) {
				t.Errorf("%s: %v", m.Name, p)
			}
			if !slices.ContainsFunc(config.Pairs, func(p conf.Pair) bool { return slices.Contains(m.Keys(), p.Key.Text) }) && len(m.Keys()) > 0 {
				t.Errorf("%s: example %d shows none of the keys", m.Name, i)
			}
		}
	}
}

// TestDeclarations: a module that the list of cloud.cfg cannot name never runs, and two of one name hide each other.
func TestDeclarations(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range All() {
		if ID(m.Name) != m.Name || m.Stage == "" || m.Every == "" || m.Doc == "" || m.run == nil && !m.Unbuilt {
			t.Errorf("the declaration of %q is not whole", m.Name)
		}
		if seen[m.Name] {
			t.Errorf("there are two modules %q", m.Name)
		}
		seen[m.Name] = true
		for _, key := range m.Gate {
			if !slices.Contains(m.Keys(), key) {
				t.Errorf("%s: it is gated by %q, which is none of its keys", m.Name, key)
			}
		}
	}
}
