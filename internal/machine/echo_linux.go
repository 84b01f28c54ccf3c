package machine

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// follow shows what comes into the files while a program runs; the function that it returns ends that, after all has
// been shown that was written until then. A terminal that takes nothing any more costs the rest of the echo, and not the
// boot: all of it is in the file.
func (o *outputs) follow(s streams) (end func()) {
	ends := []func(){s.out.follow(o.patience)}
	if s.err != s.out {
		ends = append(ends, s.err.follow(o.patience))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

func (s *sink) follow(patience time.Duration) (end func()) {
	if s.echo == nil {
		return func() {}
	}
	read, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", s.file.Fd()))
	if err != nil {
		return func() {}
	}
	read.Seek(0, io.SeekEnd)
	e := &echo{from: read, to: s.echo, stop: make(chan struct{}), stopped: make(chan struct{})}
	go e.run()
	return func() {
		if !e.end(patience) {
			s.echo = nil // nobody looks: later programs need not wait again
		}
	}
}

// An echo shows on one file what comes into another.
type echo struct {
	from, to      *os.File
	shown         atomic.Int64 // bytes
	stop, stopped chan struct{}
}

func (e *echo) run() {
	defer close(e.stopped)
	defer e.from.Close()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.show()
		case <-e.stop:
			e.show()
			return
		}
	}
}

// show copies what is there, in pieces that a slow serial line takes in a moment.
func (e *echo) show() {
	for {
		n, err := io.CopyN(e.to, e.from, 512)
		e.shown.Add(n)
		if err != nil {
			return
		}
	}
}

// end waits until all is shown, and gives up when nothing is taken for too long.
func (e *echo) end(patience time.Duration) bool {
	close(e.stop)
	for before := e.shown.Load(); ; {
		select {
		case <-e.stopped:
			return true
		case <-time.After(patience):
			now := e.shown.Load()
			if now == before {
				return false
			}
			before = now
		}
	}
}
