package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"openguest/internal/engine"
	"openguest/internal/machine"
)

// watchCommand follows the cloud while the machine runs.
func (p *program) watchCommand() *cobra.Command {
	once, plan := false, false
	c := &cobra.Command{Use: "watch", Short: "Keep this machine in line with its cloud for as long as it runs", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if plan {
				return p.planWatch(c)
			}
			if err := needRoot("watch"); err != nil {
				return err
			}
			m, err := machine.Live()
			if err != nil {
				return err
			}
			w, err := engine.NewWatch(m, p.options(engine.Options{}))
			if err != nil {
				return p.unwatched(err)
			}
			if once {
				_, err = w.Once(c.Context())
				return err
			}
			return w.Run(c.Context())
		}}
	c.Flags().BoolVar(&once, "once", false, "ask the cloud once, do what is to be done, and end")
	c.Flags().BoolVar(&plan, "dry-run", false, "show what would be done now, and do nothing")
	return c
}

// planWatch shows what following the cloud would change now.
func (p *program) planWatch(c *cobra.Command) error {
	real, err := machine.Live()
	if err != nil {
		return err
	}
	m, changes := machine.Plan(real)
	w, err := engine.NewWatch(m, p.options(engine.Options{Terminal: true}))
	if err != nil {
		return p.unwatched(err)
	}
	verdicts, err := w.Once(c.Context())
	return errors.Join(err, p.showPlan(changes, verdicts, "text", false))
}

// unwatched says that there is nothing to watch: that is no error.
func (p *program) unwatched(err error) error {
	if errors.Is(err, engine.ErrUnwatched) {
		fmt.Fprintf(p.stdout, "%s\n", strings.ToUpper(err.Error()[:1])+err.Error()[1:])
		return nil
	}
	return p.disabled(err)
}
