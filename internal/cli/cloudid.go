package cli

import (
	"context"
	"fmt"
	"os"
	"path"

	"openguest/internal/command"
	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// cloudID is the program cloud-id: it prints on which cloud this machine is.
func (p *program) cloudID() *command.Command {
	var asJSON, long bool
	file := ""
	return &command.Command{Use: "cloud-id", Short: "Print the cloud that this machine is on",
		Flags: []command.Flag{
			p.rootFlag(),
			command.Bool(&asJSON, "json", "j", "all v1 keys as JSON"),
			command.Bool(&long, "long", "l", "the region as well"),
			command.Text(&file, "instance-data", "i", "the file to read in place of instance-data.json"),
		},
		Run: func(ctx context.Context, _ []string) error {
			m, err := p.machine()
			if err != nil {
				return err
			}
			switch s := engine.OpenBoot(m, os.Getenv("KERNEL_CMDLINE")).Summary(ctx); s.Phase {
			case engine.SwitchedOff:
				p.status = 2
				fmt.Fprintln(p.stdout, s.Phase)
			case engine.NotStarted:
				p.status = 3
				fmt.Fprintln(p.stdout, s.Phase)
			default:
				return p.showCloudID(m, file, asJSON, long)
			}
			return nil
		}}
}

// showCloudID reads what is known of the instance, and prints where it is.
func (p *program) showCloudID(m machine.Machine, file string, asJSON, long bool) error {
	in := given(m, file, path.Join(engine.Paths(m).Run, "instance-data.json"))
	text, err := in.read()
	if err != nil {
		return fmt.Errorf("File not found '%s'. Provide a path to instance data json file using --instance-data", in.name)
	}
	data, err := conf.ReadJSON([]byte(text))
	if err != nil {
		return fmt.Errorf("File '%s' is not valid json. %w", in.name, err)
	}
	known, _ := data.(map[string]any)
	p.printCloudID(known["v1"], asJSON, long)
	return nil
}

func (p *program) printCloudID(data any, asJSON, long bool) {
	v1, _ := data.(map[string]any)
	if v1 == nil {
		v1 = map[string]any{}
	}
	id := (&instance.Instance{Cloud: word(v1, "cloud_name"), Region: word(v1, "region"), Platform: word(v1, "platform")}).CloudID()
	switch {
	case asJSON:
		fmt.Fprintln(p.stderr, "DEPRECATED: Use: cloud-init query v1")
		v1["cloud_id"] = id
		fmt.Fprintln(p.stdout, conf.JSON(v1))
	case long:
		region := word(v1, "region")
		if given, ok := v1["region"]; ok && given == nil {
			region = "None" // what cut -f2 has found here for years
		}
		fmt.Fprintf(p.stdout, "%s\t%s\n", id, region)
	default:
		fmt.Fprintln(p.stdout, id)
	}
}

// word is a text of v1; what is not there is unknown.
func word(v1 map[string]any, key string) string {
	if text, ok := v1[key].(string); ok {
		return text
	}
	return "unknown"
}
