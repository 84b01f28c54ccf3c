package module

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

type powerStateKeys struct {
	Power *powerKeys `key:"power_state" doc:"What becomes of the machine when its configuration is done."`
}

type powerKeys struct {
	Mode      string                                           `key:"mode" need:"yes" enum:"poweroff,reboot,halt" doc:"What to do."`
	Delay     conf.Either[int, string]                         `key:"delay" default:"now" doc:"When: now, or after so many minutes."`
	Message   string                                           `key:"message" doc:"What users who are logged in are told."`
	Timeout   int                                              `key:"timeout" default:"30" doc:"How many seconds to wait for cloud-init's end. It is accepted and not needed: the command is the last thing that runs."`
	Condition conf.Either[bool, conf.Either[string, []string]] `key:"condition" doc:"false: do nothing. A string is a line for the shell, and a list a program: the change is made where it ends with 0."`
}

var powerStateChange = define(Module{
	Name: "power_state_change", Stage: Final, Every: PerInstance, Marked: true, Gate: []string{"power_state"}, Needs: []string{"shutdown"},
	Doc: "Switches the machine off, or boots it again, when its configuration is done. The command runs after everything else, and after the results have been written.",
	Examples: []string{`power_state:
  delay: 5
  mode: poweroff
  message: Bye Bye
  timeout: 2
  condition: true
`, `power_state:
  mode: reboot
  condition: [sh, -c, test -e /var/run/reboot-required]
`},
}, func(_ context.Context, e *Env, k *powerStateKeys) error {
	if k.Power == nil {
		return Skip("it is empty, or was rejected")
	}
	origin := e.Config.Get("power_state").Origin
	delay, ok := k.Power.delay()
	if !ok {
		e.Problem(conf.Problem{Origin: origin, Path: "power_state", Level: conf.Rejected,
			Message: "power_state[delay] must be 'now' or '+m' (minutes). Not performing power state change!"})
		return nil
	}
	if c := k.Power.Condition.A; c != nil && !*c {
		e.Debug("Condition was false. Will not perform state change.")
		return Skip("the condition is false")
	}
	change := machine.Change{Argv: k.Power.argv(delay)}
	if err := e.Machine.Commands.Can(change); err != nil {
		return err
	}
	command := strings.Join(change.Argv, " ")
	e.Debug("After all else has ended, will execute: %s", command)
	reason := command + " runs after everything else"
	if k.Power.Condition.B != nil {
		reason += ", if its condition is met"
	}
	e.Report.Verdict(Verdict{Origin: origin.String(), Key: "power_state", Verdict: Applied, Module: e.Module, Reason: reason})
	e.Last(func(ctx context.Context) error { return e.changePower(ctx, k.Power.Condition.B, change) })
	return nil
})

// delay is when to do it as shutdown reads it.
func (k *powerKeys) delay() (when string, ok bool) {
	switch {
	case k.Delay.A != nil:
		return "+" + strconv.Itoa(*k.Delay.A), *k.Delay.A >= 0
	case k.Delay.B != nil:
		return "now", *k.Delay.B == "now"
	}
	return "now", true
}

func (k *powerKeys) argv(delay string) []string {
	option := map[string]string{"halt": "-H", "poweroff": "-P", "reboot": "-r"}[strings.ToLower(k.Mode)]
	argv := []string{"shutdown", option, delay}
	if k.Message != "" {
		argv = append(argv, k.Message)
	}
	return argv
}

// changePower runs the command, if the condition is met.
func (e *Env) changePower(ctx context.Context, condition *conf.Either[string, []string], change machine.Change) error {
	met, err := e.isMet(ctx, condition)
	if err != nil || !met {
		return err
	}
	return e.Machine.Commands.Do(ctx, change)
}

// isMet runs the condition: 0 means yes, 1 no, and anything else that something is wrong with it.
func (e *Env) isMet(ctx context.Context, condition *conf.Either[string, []string]) (bool, error) {
	var program machine.Program
	switch {
	case condition == nil:
		return true, nil
	case condition.A != nil:
		program = machine.Program{Argv: []string{"/bin/sh", "-c", *condition.A}, Shell: true}
	case len(*condition.B) == 0:
		return false, errors.New("the condition of power_state is an empty list")
	default:
		program = machine.Program{Argv: *condition.B}
	}
	what := strings.Join(program.Argv, " ")
	err := e.Script(ctx, program)
	exit := (*machine.ExitError)(nil)
	switch {
	case err == nil:
		e.Debug("check_condition command (%s): exited 0. condition met.", what)
		return true, nil
	case errors.As(err, &exit) && exit.Status == 1:
		e.Debug("check_condition command (%s): exited 1. condition not met.", what)
		return false, nil
	}
	return false, fmt.Errorf("check_condition command: do not apply change: %w", err)
}
