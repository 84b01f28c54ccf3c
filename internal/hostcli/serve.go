package hostcli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"openguest/internal/command"
	"openguest/internal/metadata"
)

// spareDescriptors is how many descriptors are kept for everything but requests that are held back.
const spareDescriptors = 500

// serveFlags are the arguments of serve.
type serveFlags struct {
	listen   []string
	instance string
}

func (p *program) serveCommand() *command.Command {
	f := serveFlags{listen: []string{"169.254.169.254:80"}}
	return &command.Command{
		Use: "serve [--listen ADDR:PORT[=INSTANCE]]...", Short: "Answer guests until told to stop",
		Long: "Answers guests in the dialect that they ask in. Who asks is told by the listener (=INSTANCE, or --instance for all),\n" +
			"by the source address, or by the token in a NoCloud URL.",
		Flags: []command.Flag{
			command.List(&f.listen, "listen", "", "where guests ask; may be given several times"),
			command.Text(&f.instance, "instance", "", "everyone who asks is this instance"),
		},
		Run: func(ctx context.Context, _ []string) error { return p.serve(ctx, f) },
	}
}

// A running server, with all that has to be closed.
type running struct {
	*metadata.Server
	store metadata.Store
	admin *http.Server
	fails chan error
}

func (p *program) serve(ctx context.Context, f serveFlags) error {
	listeners, err := listenAll(f)
	if err != nil {
		return err
	}
	r, err := p.open(ctx)
	if err != nil {
		return errors.Join(append(closeAll(listeners), err)...)
	}
	go func() {
		if err := r.Catalog().Follow(ctx); err != nil {
			r.fails <- fmt.Errorf("the store's changes cannot be followed any longer: %w", err)
		}
	}()
	for _, l := range listeners {
		fmt.Fprintf(p.stdout, "listening on http://%s%s\n", l.Addr(), forWhom(l.instance))
		go func() { r.fails <- r.Serve(l.Listener, l.instance) }()
	}
	fmt.Fprintf(p.stdout, "admin socket %s\n", p.socket())
	select {
	case <-ctx.Done():
		err = nil
	case err = <-r.fails:
	}
	return errors.Join(err, r.close())
}

func forWhom(instance string) string {
	if instance == "" {
		return ""
	}
	return " for " + instance
}

// open opens the store, and the admin socket beside it.
func (p *program) open(ctx context.Context) (*running, error) {
	store, err := metadata.OpenFile(p.data)
	if err != nil {
		return nil, err
	}
	limit, err := waiterLimit()
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	server, err := metadata.NewServer(ctx, store, limit)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	l, err := metadata.ListenAdmin(p.socket())
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	r := &running{Server: server, store: store, fails: make(chan error, 1)}
	r.admin = &http.Server{Handler: server.Admin(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		if err := r.admin.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.fails <- fmt.Errorf("the admin socket cannot be served any longer: %w", err)
		}
	}()
	return r, nil
}

func (r *running) close() error {
	return errors.Join(r.admin.Close(), r.Server.Close(), r.store.Close())
}

// A listener is one address, and whose it is.
type listener struct {
	net.Listener
	instance string
}

// listenAll opens all addresses, or none.
func listenAll(f serveFlags) (all []listener, err error) {
	for _, text := range f.listen {
		addr, instance, _ := strings.Cut(text, "=")
		if instance == "" {
			instance = f.instance
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, errors.Join(append(closeAll(all), cannotListen(addr, err))...)
		}
		all = append(all, listener{l, instance})
	}
	return all, nil
}

func closeAll(all []listener) (errs []error) {
	for _, l := range all {
		errs = append(errs, l.Close())
	}
	return errs
}

// cannotListen says why, and what to do.
func cannotListen(addr string, err error) error {
	advice := "give an address of this host, like --listen 127.0.0.1:8080"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "stop the program that listens there, or give another --listen"
	case errors.Is(err, syscall.EACCES):
		advice = "ports below 1024 are root's; give a higher one"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "no interface has the address; add it (ip address add 169.254.169.254/32 dev lo), or give another --listen"
	}
	return fmt.Errorf("%s cannot be listened on: %w; %s", addr, errors.Unwrap(err), advice)
}

// waiterLimit is how many requests may be held back: the limit of descriptors, less what else is needed. The Go runtime has
// raised the soft limit to the hard one already.
func waiterLimit() (int, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("the limit of descriptors cannot be read: %w", err)
	}
	return max(int(min(l.Cur, 1<<30))-spareDescriptors, 16), nil
}
