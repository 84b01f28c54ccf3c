package vm

import (
	"testing"
	"time"
)

// A test that grew slow could not be found if a machine's boots were not added up.
func TestSpent(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	m := &Machine{boots: []*process{
		{done: ended, on: 30 * time.Second, processor: 47 * time.Second},
		{done: ended, on: 1200 * time.Millisecond, processor: time.Second},
		{done: make(chan struct{})},
	}}
	if got, want := m.Spent().String(), "31.2 s on, 48.0 s of the processor, starts: 2"; got != want {
		t.Errorf("spent: %s, want %s", got, want)
	}
}
