// Command bench boots the same small Debian four times, with no agent, with Debian's cloud-init, with Debian's google-guest-agent and
// with openguest, and writes down when each is ready, and what it weighs.
//
//	scripts/bench-vm [-at-once N] [RUNS]
//
// The processor is emulated and its time counted in instructions, a nanosecond each, so that the figures do not depend on what else
// this host does. It needs what `openguest-host vm run` needs, and root for the images.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"openguest/internal/vm"
)

// A bench is one call of the program.
type bench struct {
	runs   int
	atOnce int // machines that boot at the same time
	docs   string
	guest  string // the program to measure
	cache  string // of images
	work   string // a folder that goes
}

func main() {
	b := bench{runs: 5}
	flag.IntVar(&b.atOnce, "at-once", 1, "how many machines boot at the same time: a processor of this host for each")
	flag.StringVar(&b.guest, "guest", "bin/openguest", "the guest's program")
	flag.StringVar(&b.cache, "cache", vm.DefaultCache(), "the folder that keeps images")
	flag.StringVar(&b.docs, "docs", "docs", "the folder for benchmarks.md and benchmarks.svg")
	flag.Parse()
	if n, err := strconv.Atoi(flag.Arg(0)); err == nil && n > 0 {
		b.runs = n
	} else if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench-vm: %q is no number of runs\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-vm:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.work, err = os.MkdirTemp("", "openguest-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	all, err := b.contenders(ctx)
	if err != nil {
		return err
	}
	for n := range b.runs {
		turn := slices.Concat(all[n%len(all):], all[:n%len(all)]) // each time another one first
		if err := b.each(ctx, turn, func(ctx context.Context, c *contender) error {
			err := c.time(ctx)
			if err == nil {
				fmt.Printf("%d/%d  %s\n", n+1, b.runs, c.last())
			}
			return err
		}); err != nil {
			return err
		}
	}
	if err := b.each(ctx, all, func(ctx context.Context, c *contender) error {
		err := c.weigh(ctx)
		if err == nil {
			fmt.Printf("weighed %s: %s\n", c.name, c.weight)
		}
		return err
	}); err != nil {
		return err
	}
	return b.write(result{all: all, runs: b.runs, when: time.Now(), commit: commit(), host: host()})
}

// each does something with every machine of a turn, as many at once as was asked for.
func (b *bench) each(ctx context.Context, turn []*contender, do func(context.Context, *contender) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	free := make(chan struct{}, b.atOnce)
	var all sync.WaitGroup
	for _, c := range turn {
		free <- struct{}{}
		all.Go(func() {
			if err := do(ctx, c); err != nil {
				stop(err)
			}
			<-free
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

func (b *bench) write(r result) error {
	if err := os.WriteFile(filepath.Join(b.docs, "benchmarks.svg"), []byte(r.chart()), 0o644); err != nil {
		return err
	}
	text := r.document()
	fmt.Print("\n", text)
	return os.WriteFile(filepath.Join(b.docs, "benchmarks.md"), []byte(text), 0o644)
}

// commit is that of the sources, with a + where they were changed since.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty=+", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return string(out[:len(out)-1])
}
