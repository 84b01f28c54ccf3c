package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/machine"
)

// watchCommand follows the cloud while the machine runs.
func (p *program) watchCommand() *command.Command {
	once, plan := false, false
	return &command.Command{Use: "watch", Short: "Keep this machine in line with its cloud for as long as it runs",
		Flags: []command.Flag{
			command.Bool(&once, "once", "", "ask the cloud once, do what is to be done, and end"),
			command.Bool(&plan, "dry-run", "", "show what would be done now, and do nothing"),
		},
		Run: func(ctx context.Context, _ []string) error {
			if plan {
				return p.planWatch(ctx)
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
				_, err = w.Once(ctx)
				return err
			}
			return w.Run(ctx)
		}}
}

// planWatch shows what following the cloud would change now.
func (p *program) planWatch(ctx context.Context) error {
	real, err := machine.Live()
	if err != nil {
		return err
	}
	m, changes := machine.Plan(real)
	w, err := engine.NewWatch(m, p.options(engine.Options{Terminal: true}))
	if err != nil {
		return p.unwatched(err)
	}
	verdicts, err := w.Once(ctx)
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
