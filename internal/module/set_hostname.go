package module

import (
	"context"
	"encoding/json"
	"fmt"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

var setHostname = define(Module{
	Name: "set_hostname", Stage: Init, Every: PerInstance,
	Doc: "Sets the host name: as configured, or else as the cloud says. It also does so before the network comes up, so that DHCP sends the name.",
	Examples: []string{"preserve_hostname: true\n", `hostname: myhost
fqdn: myhost.example.com
prefer_fqdn_over_hostname: true
create_hostname_file: true
`},
}, func(_ context.Context, e *Env, k *hostnameKeys) error {
	if k.Preserve {
		return Skip("preserve_hostname is set")
	}
	name, file := e.hostName(k), e.Paths.Data("set-hostname")
	if err := name.check(); err != nil {
		return err
	}
	switch {
	case e.wasSet(file, name):
		e.Debug("No hostname changes. Skipping set_hostname")
		return nil
	case name.isDefault:
		return Skip("Hostname is localhost. Let other services handle this.")
	}
	e.Debug("Setting the hostname to %s (%s)", name.full, name.short)
	if err := e.applyHostname(name.chosen(e, k), k.CreateFile); err != nil {
		return fmt.Errorf("Failed to set the hostname to %s (%s): %w", name.full, name.short, err)
	}
	record := map[string]any{"hostname": name.short, "fqdn": name.full}
	return e.Remember(file, conf.JSON(record)+"\n", machine.File(0o644, ""))
})

// wasSet says whether the name is the one that was set last. What a person did to it since then stays.
func (e *Env) wasSet(file string, name hostName) bool {
	var last struct{ Hostname, FQDN string }
	text, err := e.Machine.Files.Read(file)
	return err == nil && json.Unmarshal([]byte(text), &last) == nil && last.Hostname == name.short && last.FQDN == name.full
}
