package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"openguest/internal/disk"
	"openguest/internal/machine"
)

// diskCommand grows partitions and file systems by hand.
func (p *program) diskCommand() *cobra.Command {
	c := &cobra.Command{Use: "disk", Short: "Show and grow partitions and file systems", Args: func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noCommand(c, args[0])
		}
		return usageError{c, errors.New("a command is needed; --help lists them")}
	}, RunE: func(*cobra.Command, []string) error { return nil }}
	c.AddCommand(p.diskPlanCommand(), p.diskGrowCommand())
	return c
}

const diskTargets = "PARTITION is a device below /dev, or IMAGE:NUMBER for a partition of an image; MOUNT is a mount point. Without one it is /."

func (p *program) diskPlanCommand() *cobra.Command {
	return &cobra.Command{Use: "plan [PARTITION|MOUNT]", Short: "Draw a disk as it is, and as it would be with a partition grown", Long: diskTargets, Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
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
			return p.drawDisk(c, g, target)
		}}
}

// drawDisk draws a disk, grows the target in a plan, and draws it again.
func (p *program) drawDisk(c *cobra.Command, g disk.Grower, target disk.Target) error {
	path, _ := g.Disk(target)
	if path == "" { // a whole disk, or a pool: there is no table to draw
		p.showGrown(g.Grow(c.Context(), target), true)
		return nil
	}
	before, err := g.Table(path)
	if err != nil {
		return err
	}
	results := g.Grow(c.Context(), target)
	after, err := g.Table(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s\nnow   %s\nthen  %s\n\n", before.Summary(path), before.Picture(), after.Picture())
	p.showGrown(results, true)
	return nil
}

func (p *program) diskGrowCommand() *cobra.Command {
	dry := false
	c := &cobra.Command{Use: "grow [PARTITION|MOUNT]...", Short: "Grow a partition and the file system on it", Long: diskTargets, Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
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
				p.showGrown(g.Grow(c.Context(), target), dry)
			}
			return nil
		}}
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would grow, and change nothing")
	return c
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
