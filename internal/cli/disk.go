package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"openguest/internal/command"
	"openguest/internal/disk"
	"openguest/internal/machine"
)

// diskCommand grows partitions and file systems by hand.
func (p *program) diskCommand() *command.Command {
	return &command.Command{Use: "disk", Short: "Show and grow partitions and file systems",
		Commands: []*command.Command{p.diskPlanCommand(), p.diskGrowCommand()}}
}

const diskTargets = "PARTITION is a device below /dev, or IMAGE:NUMBER for a partition of an image; MOUNT is a mount point. Without one it is /."

func (p *program) diskPlanCommand() *command.Command {
	return &command.Command{Use: "plan [PARTITION|MOUNT]", Short: "Draw a disk as it is, and as it would be with a partition grown", Long: diskTargets, Args: command.Args{Most: 1, What: "at most one partition or mount point"},
		Run: func(ctx context.Context, args []string) error {
			real, err := machine.Live()
			if err != nil {
				return err
			}
			m, _ := machine.Plan(real)
			g := disk.Grower{Machine: m, Volumes: disk.AllVolumes}
			target, err := g.Target(append(args, "/")[0])
			if err != nil {
				return err
			}
			return p.drawDisk(ctx, g, target)
		}}
}

// drawDisk draws a disk, grows the target in a plan, and draws it again.
func (p *program) drawDisk(ctx context.Context, g disk.Grower, target disk.Target) error {
	path, _ := g.Disk(target)
	if path == "" { // a whole disk, or a pool: there is no table to draw
		p.showGrown(g.Grow(ctx, target), true)
		return nil
	}
	before, err := g.Table(path)
	if err != nil {
		return err
	}
	results := g.Grow(ctx, target)
	after, err := g.Table(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s\nnow   %s\nthen  %s\n\n", before.Summary(path), before.Picture(), after.Picture())
	p.showGrown(results, true)
	return nil
}

func (p *program) diskGrowCommand() *command.Command {
	dry := false
	return &command.Command{Use: "grow [PARTITION|MOUNT]...", Short: "Grow a partition and the file system on it", Long: diskTargets, Args: command.Args{Most: command.Any},
		Flags: []command.Flag{command.Bool(&dry, "dry-run", "", "say what would grow, and change nothing")},
		Run: func(ctx context.Context, args []string) error {
			m, err := machine.Live()
			if err != nil {
				return err
			}
			if dry {
				m, _ = machine.Plan(m)
			}
			if len(args) == 0 {
				args = []string{"/"}
			}
			g := disk.Grower{Machine: m, Volumes: disk.AllVolumes}
			for _, name := range args {
				target, err := g.Target(name)
				if err != nil {
					return err
				}
				p.showGrown(g.Grow(ctx, target), dry)
			}
			return nil
		}}
}

// showGrown prints a line for each result. The exit status is 1 where something failed, and 0 where nothing had to change.
func (p *program) showGrown(results []disk.Result, dry bool) {
	for _, r := range results {
		line := r.String()
		switch {
		case dry && r.Outcome == disk.Changed:
			line = strings.Replace(line, ": grown", ": would grow", 1)
		case dry && errors.Is(r.Err, machine.ErrUnknown):
			line = r.Name + ": would grow with its device"
		case r.Outcome == disk.Failed:
			p.status = 1
		}
		fmt.Fprintln(p.stdout, line)
	}
}
