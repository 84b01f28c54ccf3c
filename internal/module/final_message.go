package module

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/machine"
)

type finalMessageKeys struct {
	Message string `key:"final_message" doc:"What is said when all is done. It is a template with the variables version, timestamp, datasource and uptime: $uptime, or {{ uptime }} where its first line is ## template: jinja."`
}

// finalMessageText is what tools look for on the console.
const finalMessageText = "## template: jinja\nCloud-init v. {{version}} finished at {{timestamp}}. Datasource {{datasource}}.  Up {{uptime}} seconds"

var finalMessage = define(Module{
	Name: "final_message", Stage: Final, Every: Always,
	Doc: "Says that all is done, and writes boot-finished into the instance's folder.",
	Examples: []string{`final_message: |
  ready after $UPTIME seconds
`, `final_message: |
  ## template: jinja
  {{ version }} on {{ datasource }}: ready at {{ timestamp }}
`},
}, func(_ context.Context, e *Env, k *finalMessageKeys) error {
	if !e.isRunning() {
		return fmt.Errorf("nothing has booted: %w", machine.ErrOffline)
	}
	uptime := strconv.FormatFloat(e.Machine.Clock.Uptime().Seconds(), 'f', 2, 64)
	timestamp := e.Machine.Clock.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")
	e.sayMessage(e.argument(k.Message), map[string]any{
		"uptime": uptime, "timestamp": timestamp, "version": e.Version, "datasource": e.Instance.Detail})
	err := e.Remember(e.Paths.Instance("boot-finished"), fmt.Sprintf("%s - %s - v. %s\n", uptime, timestamp, e.Version), machine.File(0o644, ""))
	if e.Instance.Source == "None" && !slices.Equal(e.Config.Get("datasource_list").Strings(), []string{"None"}) {
		e.Warn("Used fallback datasource")
	}
	return err
})

// sayMessage prints the message. One that cannot be rendered is not said, and that is all that it costs.
func (e *Env) sayMessage(text string, vars map[string]any) {
	if text == "" {
		text = finalMessageText
	}
	for name, value := range vars {
		vars[strings.ToUpper(name)] = value
	}
	message, _, err := renderTemplate("final_message", text, vars)
	if err == nil {
		e.Debug("%s", message)
		err = e.Machine.Commands.Say(e.Output, message+"\n")
	}
	if err != nil {
		e.Warn("Failed to render final message template: %v", err)
	}
}
