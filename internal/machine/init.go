package machine

import "time"

// Init is the init system that started this program, and limits how long it may take.
type Init interface {
	// TakesLonger says that this program goes on for some time yet, counted from now. Where nobody counts it does nothing.
	TakesLonger(d time.Duration) error
}

// noInit is where this program is not a service's: nobody counts.
type noInit struct{}

func (noInit) TakesLonger(time.Duration) error { return nil }
