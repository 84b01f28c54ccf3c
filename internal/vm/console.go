package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// A console keeps what a machine prints, over all its boots.
type console struct {
	mu   sync.Mutex
	text []byte
	more chan struct{} // closed at the next text
	also io.Writer     // may be nil
}

// consoleKept is how much of the console is kept, in bytes: many boots.
const consoleKept = 4 << 20

func newConsole(also io.Writer) *console { return &console{more: make(chan struct{}), also: also} }

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.text = append(c.text, p...)
	c.text = c.text[max(0, len(c.text)-consoleKept):]
	close(c.more)
	c.more = make(chan struct{})
	c.mu.Unlock()
	if c.also != nil {
		return c.also.Write(p)
	}
	return len(p), nil
}

// tail is the last lines.
func (c *console) tail(lines int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return lastLines(strings.ReplaceAll(string(c.text), "\r", ""), lines)
}

// wait waits until the machine has printed a text, or is off.
func (c *console) wait(ctx context.Context, text string, off <-chan struct{}) error {
	for {
		c.mu.Lock()
		found, more := bytes.Contains(c.text, []byte(text)), c.more
		c.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-more:
		case <-off:
			return fmt.Errorf("the machine is off and has not printed %q", text)
		case <-ctx.Done():
			return fmt.Errorf("the machine has not printed %q: %w", text, context.Cause(ctx))
		}
	}
}

// forget drops what was printed, so that the next boot can be waited for.
func (c *console) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = nil
}
