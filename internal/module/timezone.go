package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"openguest/internal/machine"
)

type timezoneKeys struct {
	Zone string `key:"timezone" doc:"The zone's name as /usr/share/zoneinfo has it: Europe/Lisbon."`
}

const (
	zoneFolder = "/usr/share/zoneinfo"
	localtime  = "/etc/localtime"
)

var timezone = define(Module{
	Name: "timezone", Stage: Config, Every: PerInstance, Gate: []string{"timezone"},
	Doc: "Sets the system's time zone.", Examples: []string{"timezone: Europe/Lisbon\n"},
}, func(_ context.Context, e *Env, k *timezoneKeys) error {
	zone := e.argument(k.Zone)
	if zone == "" {
		return Skip("no 'timezone' specified")
	}
	file := path.Join(zoneFolder, path.Clean("/"+zone))
	data, err := e.Machine.Files.Read(file)
	if err != nil {
		return e.noZone(zone, file)
	}
	var saved error
	if e.Distro.ZoneFile {
		_, saved = e.Machine.Files.Put("/etc/timezone", machine.File(0o644, zone+"\n"))
	}
	return errors.Join(saved, e.setLocaltime(file, data))
})

// argument is what cloud.cfg's list of modules says beside the name, or else what is configured.
func (e *Env) argument(configured string) string {
	if len(e.Args) > 0 {
		return strings.TrimSpace(e.Args[0])
	}
	return strings.TrimSpace(configured)
}

func (e *Env) noZone(zone, file string) error {
	if !machine.Exists(e.Machine.Files, zoneFolder) {
		return fmt.Errorf("Invalid timezone %s, no file found at %s: the package tzdata is not installed", zone, file)
	}
	return fmt.Errorf("Invalid timezone %s, no file found at %s", zone, file)
}

// setLocaltime makes /etc/localtime a link to the zone. Where a family keeps a copy there, it stays a copy.
func (e *Env) setLocaltime(file, data string) error {
	node := machine.Link(file)
	old, err := e.Machine.Files.Look(localtime)
	if err == nil && old.Mode.Type() != fs.ModeSymlink && e.Distro.ZoneFile {
		node = machine.File(0o644, data)
	}
	_, err = e.Machine.Files.Put(localtime, node)
	return err
}
