package machine

import (
	"context"
	"fmt"
	"io"
)

// Serial are the lines on which the host of a virtual machine answers.
type Serial interface {
	// Open opens a serial line, or a Unix socket that stands for one. Bytes come and go as they are. Reading and writing fail as
	// soon as the context ends.
	Open(ctx context.Context, name string) (io.ReadWriteCloser, error)
}

// offlineSerial is of a system that is not running.
type offlineSerial struct{}

func (offlineSerial) Open(_ context.Context, name string) (io.ReadWriteCloser, error) {
	return nil, fmt.Errorf("open %s: %w", name, ErrOffline)
}
