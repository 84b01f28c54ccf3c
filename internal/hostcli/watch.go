package hostcli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"openguest/internal/command"
	"openguest/internal/metadata"
)

// requestsFlags are the arguments of requests.
type requestsFlags struct {
	follow bool
	asJSON bool
}

func (p *program) requestsCommand() *command.Command {
	var f requestsFlags
	return &command.Command{
		Use: "requests [INSTANCE]", Short: "List what guests asked for", Args: command.Args{Most: 1, What: "at most one instance"},
		Flags: []command.Flag{
			command.Bool(&f.follow, "follow", "f", "go on with what is asked from now on"),
			command.Bool(&f.asJSON, "json", "", "a line of JSON for each"),
		},
		Run: func(ctx context.Context, args []string) error { return p.requests(ctx, strings.Join(args, ""), f) },
	}
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

func (p *program) faultsCommand() *command.Command {
	return &command.Command{
		Use: "faults", Short: "List what the server does wrong on purpose",
		Commands: []*command.Command{p.faultsAddCommand(), p.faultsClearCommand()},
		Run:      func(ctx context.Context, _ []string) error { return p.faults(ctx) },
	}
}

func (p *program) faultsClearCommand() *command.Command {
	return &command.Command{
		Use: "clear", Short: "Do nothing wrong any more",
		Run: func(ctx context.Context, _ []string) error { return p.client().ClearFaults(ctx) },
	}
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

func (p *program) faultsAddCommand() *command.Command {
	var f metadata.Fault
	var latency time.Duration
	truncate := -1
	return &command.Command{
		Use: "add PATH", Short: "Do something wrong where PATH is asked for; a star stands for any part of it", Args: command.Args{Least: 1, Most: 1, What: "a path"},
		Example: "openguest-host faults add '/latest/*' --status 503 --times 5\nopenguest-host faults add '*' --instance web1 --latency 2s",
		Flags: []command.Flag{
			command.Text(&f.Instance, "instance", "", "for this instance only"),
			command.Int(&f.Times, "times", "", "so often; 0 is always"),
			command.Duration(&latency, "latency", "", "wait before the answer"),
			command.Int(&f.Status, "status", "", "answer this status instead"),
			command.Bool(&f.Reset, "reset", "", "break the connection off"),
			command.Int(&f.Slow, "slow", "", "bytes of the body in a second"),
			command.Int(&truncate, "truncate", "", "send so many bytes of the body, then close"),
		},
		Run: func(ctx context.Context, args []string) error {
			f.Path, f.Latency = args[0], metadata.Duration(latency)
			if truncate >= 0 {
				f.Truncate = &truncate
			}
			return p.client().AddFault(ctx, f)
		},
	}
}
