package engine

import (
	"context"
	"errors"
	"slices"
	"testing"

	"openguest/internal/machine"
)

// recorder are programs that are all there. It notes what is run, and whether the results had been written then.
type recorder struct {
	machine.Commands
	files machine.Files
	ran   []string
	stop  context.CancelCauseFunc // somebody tells us to stop while a script runs; may be nil
}

func (r *recorder) Can(machine.Change) error { return nil }

func (r *recorder) Do(_ context.Context, c machine.Change) error {
	r.note(c.Argv[0])
	return nil
}

func (r *recorder) Run(ctx context.Context, p machine.Program) error {
	r.note(p.Argv[0])
	if r.stop != nil {
		r.stop(errStopped)
	}
	return context.Cause(ctx)
}

func (r *recorder) note(program string) {
	if machine.Exists(r.files, "/run/cloud-init/result.json") {
		program += " after the results"
	}
	r.ran = append(r.ran, program)
}

var errStopped = errors.New("told to stop")

const powerOff = `#cloud-config
cloud_init_modules: []
cloud_config_modules: [runcmd]
cloud_final_modules: [power_state_change, scripts_user]
runcmd: [poweroff]
power_state: {mode: poweroff}
`

// Row M60: a machine that goes down before its results are written looks broken to whoever waits for them.
func TestPowerChangeIsLast(t *testing.T) {
	m := machine.Fake(debian, noon)
	r := &recorder{Commands: m.Commands, files: m.Files}
	m.Commands = r
	boot(t, m, Options{Given: given("i-1", powerOff)})
	script := "/var/lib/cloud/instance/scripts/runcmd"
	if want := []string{script, "shutdown after the results"}; !slices.Equal(r.ran, want) {
		t.Errorf("what ran was %q, want %q", r.ran, want)
	}
}

// A script that switches the machine off ends us in our middle: nobody may take that boot for done, and nothing more is run.
func TestStoppedStageIsNotDone(t *testing.T) {
	m := machine.Fake(debian, noon)
	ctx, stop := context.WithCancelCause(t.Context())
	r := &recorder{Commands: m.Commands, files: m.Files, stop: stop}
	m.Commands = r
	e := New(m, Options{Given: given("i-1", powerOff), Version: "test"})
	if _, err := e.Boot(ctx); !errors.Is(err, errStopped) {
		t.Errorf("the boot ended with %v", err)
	}
	if len(r.ran) != 1 || machine.Exists(m.Files, "/run/cloud-init/result.json") {
		t.Errorf("what ran was %q, and the results are there: %v", r.ran, machine.Exists(m.Files, "/run/cloud-init/result.json"))
	}
	if final := e.readStatus().Stages[Final]; final.Start == nil || final.Finished != nil || len(final.Errors) > 0 {
		t.Errorf("the final stage is said to have ended: %+v", final)
	}
}
