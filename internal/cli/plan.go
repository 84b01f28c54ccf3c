package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/module"
	"openguest/internal/source"
)

// planCommands show what would be done to a system, or do it.
func (p *program) planCommands() []*command.Command {
	return []*command.Command{p.planCommand(), p.applyCommand()}
}

// A target is what plan and apply work on, and what the cloud is to say to it.
type target struct {
	root, seed                                 string
	userData, metaData, vendorData, networkCfg string
}

// flags say what the system and its cloud are; more follow them.
func (t *target) flags(more ...command.Flag) []command.Flag {
	t.root = "/"
	return append([]command.Flag{
		command.Text(&t.root, "root", "", "the root of the system; one that is not / is taken as not running"),
		command.Text(&t.seed, "seed", "", "a folder with user-data, meta-data, vendor-data and network-config, in place of a detected cloud"),
		command.Text(&t.userData, "user-data", "", "a file in place of the cloud's user-data"),
		command.Text(&t.metaData, "meta-data", "", "a file in place of the cloud's meta-data"),
		command.Text(&t.vendorData, "vendor-data", "", "a file in place of the cloud's vendor-data"),
		command.Text(&t.networkCfg, "network-config", "", "a file in place of the cloud's network configuration"),
	}, more...)
}

// machine is the system that the target names.
func (t *target) machine() (machine.Machine, error) { return machineAt(t.root) }

// instance is what the person gave in place of a cloud; nil where nothing was given.
func (t *target) instance(m machine.Machine) (*instance.Instance, error) {
	files := map[string]string{"user-data": t.userData, "meta-data": t.metaData, "vendor-data": t.vendorData, "network-config": t.networkCfg}
	texts, given := map[string][]byte{}, t.seed != ""
	for name, file := range files {
		optional := false
		if file == "" && t.seed != "" {
			file, optional = path.Join(t.seed, name), name != "user-data"
		}
		if file == "" {
			continue
		}
		given = true
		text, err := os.ReadFile(file)
		if err != nil && !(optional && errors.Is(err, fs.ErrNotExist)) {
			return nil, fmt.Errorf("read the %s: %w", name, err)
		}
		texts[name] = text
	}
	if !given {
		return nil, nil
	}
	return source.Given(m, t.describe(), texts)
}

func (t *target) describe() string {
	if t.seed != "" {
		return t.seed
	}
	return "command line"
}

func (p *program) planCommand() *command.Command {
	var t target
	format, detailed := "text", false
	return &command.Command{Use: "plan", Short: "Show every change that a boot would make, and make none",
		Flags: t.flags(
			command.Text(&format, "format", "", "text or json").Of("text", "json"),
			command.Bool(&detailed, "detailed-exitcode", "", "end with 2 where there are changes, 0 where there are none, 1 on an error"),
		),
		Run: func(ctx context.Context, _ []string) error {
			real, err := t.machine()
			if err != nil {
				return err
			}
			given, err := t.instance(real)
			if err != nil {
				return err
			}
			m, changes := machine.Plan(real)
			e := p.engine(m, engine.Options{Given: given, Terminal: true})
			if _, err := e.Boot(ctx); err != nil {
				return p.disabled(err)
			}
			return p.showPlan(changes, e.Verdicts(), format, detailed)
		}}
}

func (p *program) showPlan(changes *machine.Changes, verdicts []module.Verdict, format string, detailed bool) error {
	list := changes.List()
	if detailed {
		for _, change := range list {
			if !change.EachBoot {
				p.status = 2
			}
		}
	}
	if format == "json" {
		return p.planJSON(list, verdicts)
	}
	p.planText(list, verdicts, changes.Scripts())
	return nil
}

// planChange is one change in the JSON form of a plan.
type planChange struct {
	Module   string   `json:"module"`
	Kind     string   `json:"kind"`
	Path     string   `json:"path,omitempty"`
	Mode     string   `json:"mode,omitempty"`
	Owner    string   `json:"owner,omitempty"`
	Diff     string   `json:"diff,omitempty"`
	Argv     []string `json:"argv,omitempty"`
	EachBoot bool     `json:"each_boot"`
	Detail   string   `json:"detail,omitempty"`
}

func (p *program) planJSON(list []machine.Planned, verdicts []module.Verdict) error {
	all := struct {
		Schema   string           `json:"schema"`
		Changes  []planChange     `json:"changes"`
		Verdicts []module.Verdict `json:"verdicts"`
	}{"openguest/plan/v1", []planChange{}, []module.Verdict{}}
	for _, c := range list {
		change := planChange{Module: c.Who, Kind: c.Kind, Path: c.Path, Diff: c.Diff, Argv: c.Argv, EachBoot: c.EachBoot, Detail: c.Detail}
		if c.Path != "" && c.Kind != machine.KindRemove && c.Kind != machine.KindDisk {
			change.Mode, change.Owner = octal(c.Mode), fmt.Sprintf("%d:%d", c.UID, c.GID)
		}
		all.Changes = append(all.Changes, change)
	}
	all.Verdicts = append(all.Verdicts, verdicts...)
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(all)
}

// octal writes a mode as chmod takes it.
func octal(m fs.FileMode) string {
	n := uint32(m.Perm())
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&flag != 0 {
			n |= bit
		}
	}
	return fmt.Sprintf("%04o", n)
}

func (p *program) planText(list []machine.Planned, verdicts []module.Verdict, scripts int) {
	who := ""
	for _, c := range list {
		if c.Who != who {
			who = c.Who
			fmt.Fprintf(p.stdout, "%s:\n", who)
		}
		fmt.Fprintf(p.stdout, "  %s\n", planLine(c))
		for line := range strings.Lines(c.Diff) {
			fmt.Fprintf(p.stdout, "    %s", line)
		}
	}
	if scripts > 0 {
		fmt.Fprintln(p.stdout, "What follows a person's own program assumes that the program left it alone.")
	}
	for _, v := range verdicts {
		if v.Verdict != module.Applied {
			fmt.Fprintln(p.stdout, verdictLine(v))
		}
	}
	changes, eachBoot := 0, 0
	for _, c := range list {
		if c.EachBoot {
			eachBoot++
		} else {
			changes++
		}
	}
	fmt.Fprintf(p.stdout, "%d changes", changes)
	if eachBoot > 0 {
		fmt.Fprintf(p.stdout, ", %d at each boot", eachBoot)
	}
	fmt.Fprintln(p.stdout)
}

// planLine is one change as a line.
func planLine(c machine.Planned) string {
	text := c.Kind + " " + c.Path
	switch {
	case c.Argv != nil:
		text = c.Kind + " " + strings.Join(c.Argv, " ")
	case c.Kind == machine.KindHostname:
		return "the kernel's host name becomes " + c.Detail
	case c.Kind == machine.KindLink:
		return "the network link " + c.Detail
	case c.Kind == machine.KindTell:
		return "tell " + c.Detail
	case c.Kind != machine.KindRemove && c.Kind != machine.KindDisk:
		text += fmt.Sprintf(" %v %d:%d", c.Mode, c.UID, c.GID)
	}
	if c.Cause != "" {
		text += " [" + c.Cause + "]"
	}
	if c.Also != nil {
		text += " [also " + strings.Join(c.Also, ", ") + "]"
	}
	if c.Detail != "" {
		text += " (" + c.Detail + ")"
	}
	if c.EachBoot {
		text += " (at each boot)"
	}
	return text
}

func (p *program) applyCommand() *command.Command {
	var t target
	return &command.Command{Use: "apply", Short: "Do what plan shows",
		Flags: t.flags(),
		Run: func(ctx context.Context, _ []string) error {
			if t.root == "/" {
				if err := needRoot("apply"); err != nil {
					return err
				}
			}
			m, err := t.machine()
			if err != nil {
				return err
			}
			given, err := t.instance(m)
			if err != nil {
				return err
			}
			show := p.progress()
			e := p.engine(m, engine.Options{Given: given, Progress: show.step, Terminal: true})
			failed, err := e.Boot(ctx)
			return p.ended(show, e, failed, err)
		}}
}
