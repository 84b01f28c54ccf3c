package cli

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"openguest/internal/conf"
	"openguest/internal/engine"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// cloudID is the program cloud-id: it prints on which cloud this machine is.
func (p *program) cloudID() *cobra.Command {
	var asJSON, long bool
	file := "/run/cloud-init/instance-data.json"
	c := &cobra.Command{Use: "cloud-id", Short: "Print the cloud that this machine is on", Args: noArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := machine.Live()
			if err != nil {
				return err
			}
			switch s := engine.Summarize(c.Context(), m, os.Getenv("KERNEL_CMDLINE")); s.Status {
			case "disabled":
				p.status = 2
				fmt.Fprintln(p.stdout, s.Status)
			case "not started":
				p.status = 3
				fmt.Fprintln(p.stdout, s.Status)
			default:
				return p.showCloudID(file, asJSON, long)
			}
			return nil
		}}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{c, err} })
	c.Flags().BoolVarP(&asJSON, "json", "j", false, "all v1 keys as JSON")
	c.Flags().BoolVarP(&long, "long", "l", false, "the region as well")
	c.Flags().StringVarP(&file, "instance-data", "i", file, "the file to read")
	return c
}

func (p *program) showCloudID(file string, asJSON, long bool) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("File not found '%s'. Provide a path to instance data json file using --instance-data", file)
	}
	var data struct {
		V1 map[string]any `json:"v1"`
	}
	if err := json.Unmarshal(text, &data); err != nil {
		return fmt.Errorf("File '%s' is not valid json. %w", file, err)
	}
	word := func(key string) string {
		if text, ok := data.V1[key].(string); ok {
			return text
		}
		return "unknown"
	}
	id := (&instance.Instance{Cloud: word("cloud_name"), Region: word("region"), Platform: word("platform")}).CloudID()
	switch {
	case asJSON:
		fmt.Fprintln(p.stderr, "DEPRECATED: Use: cloud-init query v1")
		data.V1["cloud_id"] = id
		fmt.Fprintln(p.stdout, conf.JSON(engine.Whole(data.V1)))
	case long:
		fmt.Fprintf(p.stdout, "%s\t%s\n", id, word("region"))
	default:
		fmt.Fprintln(p.stdout, id)
	}
	return nil
}
