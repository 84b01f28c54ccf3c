// Package machine is the one door to the operating system. There are four ways to fill a Machine: Live, Tree, Plan and
// Fake; who uses one does not know which it is. A part that a filling cannot offer answers ErrOffline.
package machine

import (
	"context"
	"errors"
	"time"
)

// A Machine is a struct of small parts.
type Machine struct {
	Files    Files
	Commands Commands
	Kernel   Kernel
	Disks    Disks
	Blocks   Blocks
	Swap     Swap
	Net      Net
	Links    Links
	Serial   Serial
	Init     Init
	Clock    Clock
	Facts    *Facts
	Ledger   *Ledger // what was changed through this machine
}

// Quiet is the same machine, but what is done to its files is not written down: the engine's own bookkeeping.
func (m Machine) Quiet() Machine {
	if w, ok := m.Files.(walked); ok {
		m.Files = w.quiet()
	}
	if net, ok := m.Net.(liveNet); ok {
		net.ledger = nil
		m.Net = net
	}
	m.Links = quietLinks(m.Links)
	m.Ledger = nil
	return m
}

// A Clock tells the time.
type Clock interface {
	Now() time.Time
	Uptime() time.Duration // since the kernel started
}

// Pause lets time pass, unless the context ends before; the error says why it did.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A Kernel keeps what is set in it until the next boot.
type Kernel interface {
	Hostname() (string, error)
	SetHostname(name string) (changed bool, err error)
	ProcessID() int // of this program
}

// Disks are block devices with a file system on them.
type Disks interface {
	// Labelled lists the devices whose file system has one of the labels, letter for letter, the last of the device
	// names first. Without labels it lists every device with a file system, once for each label that it has. A type is
	// "vfat", "iso9660" or another name that the kernel mounts it by.
	Labelled(labels ...string) ([]Device, error)
	// Mount opens the file system of a device, read only; close takes it away again.
	Mount(d Device) (files Files, close func() error, err error)
}

// A Device is a block device with a file system.
type Device struct {
	Path, Label, Type string
	UUID              string // as blkid writes it: a vfat has "9796-932E"
}

// Net reaches other machines.
type Net interface {
	Fetch(ctx context.Context, r Request) (Response, error)
}

// A Request is one question over http, https, ftp or file, with what the asker allows.
type Request struct {
	URL     string
	Method  string // empty: GET
	Header  map[string]string
	Body    []byte
	Tells   string        // what the server is told by it, in a few words: a change, which a plan lists and does not make
	Socket  string        // the Unix socket of a server on this machine; the URL's host is only a name then
	Low     bool          // from one of the source ports that only root may use: some clouds take it as proof
	Tries   int           // at least one
	Timeout time.Duration // of one try; 0 means 10 s
	Wait    time.Duration // between tries; 0 means 1 s
	Limit   int64         // bytes of the body; 0 means 32 MiB
}

// A Response is what came back: a status of 200 to 299, and the body.
type Response struct {
	Status int
	Header map[string]string
	Body   []byte
	URL    string // where the redirects led, without user and query
}

// What a part answers where it cannot do what it was asked.
var (
	ErrNone     = errors.New("there is no such thing")
	ErrOffline  = errors.New("this system is not running")
	ErrDeferred = errors.New("deferred to first boot")
	ErrUnknown  = errors.New("unknown until run")
	ErrRoot     = errors.New("needs root")
)
