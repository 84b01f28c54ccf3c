package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"openguest/internal/hostcli"
	"openguest/internal/vm"
)

// A contender is one of the four machines.
type contender struct {
	name    string
	config  vm.Config
	waits   []string // files that are there when it has done its work
	own     int64    // bytes that are put into the machine for it, past its packages
	program []byte   // the recorder, for the boot that is not timed

	boots  []figures
	weight weight
}

// patience is for one boot on a host with other work. It is no expectation.
const patience = 10 * time.Minute

// Where the peers are ready: both have the same names in their user-data.
var ready = []string{"/home/alice/.ssh/authorized_keys", "/home/bob/.ssh/authorized_keys", "/run/lab-marker"}

// contenders makes all four, and their images where the cache has none.
func (b *bench) contenders(ctx context.Context) ([]*contender, error) {
	installed, err := hostcli.InstalledGuest(b.guest)
	if err != nil {
		return nil, err
	}
	recorder, err := b.recorder(ctx)
	if err != nil {
		return nil, err
	}
	all := []*contender{
		{name: "no agent", config: vm.Config{Files: vm.Bare()}},
		{name: "openguest", config: vm.Config{Files: installed}, waits: ready, own: size(installed)},
		{name: "google-guest-agent", config: vm.Config{Files: googleFiles}, waits: ready},
		{name: "cloud-init", waits: ready},
	}
	packages := map[string][]string{"google-guest-agent": {"google-guest-agent", "google-compute-engine-oslogin"}, "cloud-init": {"cloud-init"}}
	key, err := vm.NewKey()
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		c.program = recorder
		c.config.Counted = true
		if c.config.Image, err = b.image(ctx, packages[c.name]); err != nil {
			return nil, err
		}
		if err := c.inCloud(key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (b *bench) image(ctx context.Context, packages []string) (*vm.Image, error) {
	progress := func(text string) { fmt.Fprintln(os.Stderr, text) }
	return vm.Builder{Cache: b.cache, Packages: packages, Progress: progress}.Build(ctx)
}

// inCloud gives the machine the user-data, as each agent reads it.
func (c *contender) inCloud(key *vm.Key) error {
	switch c.name {
	case "no agent":
		return c.config.InCloud("none", vm.Seed{})
	case "google-guest-agent":
		if err := c.config.InCloud("gce", vm.Seed{}); err != nil {
			return err
		}
		c.config.Instance.Attributes = googleAttributes(key)
		return nil
	default:
		return c.config.InCloud("nocloud", vm.Seed{UserData: fmt.Appendf(nil, userData, key.Authorized())})
	}
}

// recorder builds what looks at the memory of processes in the machine.
func (b *bench) recorder(ctx context.Context) ([]byte, error) {
	name := filepath.Join(b.work, "recorder")
	c := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", name, "./test/vm/bench/recorder")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the recorder: %w\n%s", err, bytes.TrimSpace(out))
	}
	return os.ReadFile(name)
}

func size(files []vm.File) (sum int64) {
	for _, f := range files {
		sum += int64(len(f.Data))
	}
	return sum
}

// boot boots a machine with more files and returns what its report says.
func (c *contender) boot(ctx context.Context, files []vm.File) (report, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	config := c.config
	config.Files = append(append([]vm.File{}, config.Files...), files...)
	m, err := vm.Start(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	defer m.Close()
	if err := m.WaitConsole(ctx, reportEnd); err != nil {
		return nil, fmt.Errorf("%s: %w\nits console says last:\n%s", c.name, err, m.Console(20))
	}
	return readReport(m.Console(reportLines)), nil
}

// time boots once and keeps the milestones.
func (c *contender) time(ctx context.Context) error {
	r, err := c.boot(ctx, probes(c.waits))
	if err != nil {
		return err
	}
	f, err := r.figures()
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.boots = append(c.boots, f)
	return nil
}

func (c *contender) last() string { return fmt.Sprintf("%-19s %s", c.name, c.boots[len(c.boots)-1]) }

// weigh boots once more, with something beside it that looks at the memory of every process, and then lets it idle.
func (c *contender) weigh(ctx context.Context) error {
	r, err := c.boot(ctx, append(probes(c.waits), weighing(c.program)...))
	if err != nil {
		return err
	}
	c.weight, err = r.weight(c.own)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}
