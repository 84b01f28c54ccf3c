package vm

import (
	"fmt"
	"time"
)

// Spent is what a machine cost this host.
type Spent struct {
	Starts    int           // of QEMU
	On        time.Duration // how long it ran
	Processor time.Duration // what QEMU took, in user and system mode
}

// String says it in words: "31.2 s on, 48.0 s of the processor, starts: 2".
func (s Spent) String() string {
	return fmt.Sprintf("%.1f s on, %.1f s of the processor, starts: %d", s.On.Seconds(), s.Processor.Seconds(), s.Starts)
}

// Spent is what the machine cost until it was last switched off. A boot that it is in does not count yet.
func (m *Machine) Spent() (sum Spent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.boots {
		select {
		case <-p.done:
			sum.Starts++
			sum.On += p.on
			sum.Processor += p.processor
		default:
		}
	}
	return sum
}
