package machine

import "context"

// What a system that is not running answers.
type (
	offlineKernel struct{}
	offlineDisks  struct{}
	offlineNet    struct{}
)

func (offlineKernel) Hostname() (string, error)           { return "", ErrOffline }
func (offlineKernel) SetHostname(string) (bool, error)    { return false, ErrOffline }
func (offlineKernel) ProcessID() int                      { return 1 }
func (offlineDisks) Labelled(...string) ([]Device, error) { return nil, nil }

func (offlineDisks) Mount(Device) (Files, func() error, error) { return nil, nil, ErrOffline }

func (offlineNet) Fetch(context.Context, Request) (Response, error) { return Response{}, ErrOffline }
