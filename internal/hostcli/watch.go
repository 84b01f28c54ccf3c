package hostcli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"openguest/internal/metadata"
)

// requestsFlags are the arguments of requests.
type requestsFlags struct {
	follow bool
	asJSON bool
}

func (p *program) requestsCommand() *cobra.Command {
	var f requestsFlags
	c := &cobra.Command{
		Use: "requests [INSTANCE]", Short: "List what guests asked for", Args: arguments(0, 1, "at most one instance"),
		RunE: func(c *cobra.Command, args []string) error { return p.requests(c.Context(), strings.Join(args, ""), f) },
	}
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what is asked from now on")
	c.Flags().BoolVar(&f.asJSON, "json", false, "a line of JSON for each")
	return c
}

// followEvery is how often requests --follow asks again.
const followEvery = 300 * time.Millisecond

func (p *program) requests(ctx context.Context, instance string, f requestsFlags) error {
	after := uint64(0)
	for {
		all, err := p.client().Requests(ctx, instance, after)
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, r := range all {
			after = max(after, r.Number)
			if err := p.showRequest(r, f.asJSON); err != nil {
				return err
			}
		}
		if !f.follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

func (p *program) showRequest(r metadata.Request, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	var notes []string
	if r.Waited {
		notes = append(notes, fmt.Sprintf("waited %.1f s", r.Seconds))
	}
	if r.Fault != "" {
		notes = append(notes, "fault: "+r.Fault)
	}
	instance := r.Instance
	if instance == "" {
		instance = "? " + r.From
	}
	line := fmt.Sprintf("%s %-12s %d %-6s %s %s", r.Time.Format("15:04:05.000"), instance, r.Status, r.Method, r.Path, strings.Join(notes, ", "))
	_, err := fmt.Fprintln(p.stdout, strings.TrimRight(line, " "))
	return err
}

func (p *program) faultsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "faults", Short: "List what the server does wrong on purpose", Args: arguments(0, 0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return p.faults(c.Context()) },
	}
	c.AddCommand(p.faultsAddCommand(), &cobra.Command{
		Use: "clear", Short: "Do nothing wrong any more", Args: arguments(0, 0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return p.client().ClearFaults(c.Context()) },
	})
	return c
}

func (p *program) faults(ctx context.Context) error {
	all, err := p.client().Faults(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, f := range all {
		times := "always"
		if f.Times > 0 {
			times = fmt.Sprintf("%d times", f.Times)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\tused %d\n", f.ID, f.Path, f.Instance, f, times, f.Used)
	}
	return w.Flush()
}

func (p *program) faultsAddCommand() *cobra.Command {
	var f metadata.Fault
	var latency time.Duration
	truncate := -1
	c := &cobra.Command{
		Use: "add PATH", Short: "Do something wrong where PATH is asked for; a star stands for any part of it", Args: arguments(1, 1, "a path"),
		Example: "openguest-host faults add '/latest/*' --status 503 --times 5\nopenguest-host faults add '*' --instance web1 --latency 2s",
		RunE: func(c *cobra.Command, args []string) error {
			f.Path, f.Latency = args[0], metadata.Duration(latency)
			if truncate >= 0 {
				f.Truncate = &truncate
			}
			return p.client().AddFault(c.Context(), f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.Instance, "instance", "", "for this instance only")
	flags.IntVar(&f.Times, "times", 0, "so often; 0 is always")
	flags.DurationVar(&latency, "latency", 0, "wait before the answer")
	flags.IntVar(&f.Status, "status", 0, "answer this status instead")
	flags.BoolVar(&f.Reset, "reset", false, "break the connection off")
	flags.IntVar(&f.Slow, "slow", 0, "bytes of the body in a second")
	flags.IntVar(&truncate, "truncate", -1, "send so many bytes of the body, then close")
	return c
}
