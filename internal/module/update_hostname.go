package module

import (
	"context"
	"fmt"

	"openguest/internal/machine"
)

var updateHostname = define(Module{
	Name: "update_hostname", Stage: Init, Every: Always,
	Doc: "Follows a host name that changed in the cloud or in the configuration. One that a person changed on the machine stays.",
	Examples: []string{"preserve_hostname: true\n", `hostname: myhost
fqdn: myhost.example.com
`},
}, func(_ context.Context, e *Env, k *hostnameKeys) error {
	if k.Preserve {
		return Skip("preserve_hostname is set")
	}
	name := e.hostName(k)
	if err := name.check(); err != nil {
		return err
	}
	if name.isDefault {
		return Skip("Hostname is localhost. Let other services handle this.")
	}
	e.Debug("Updating hostname to %s (%s)", name.full, name.short)
	return e.followHostname(name.chosen(e, k), k.CreateFile)
})

// followHostname changes the system's name if it still is the one that was seen last.
func (e *Env) followHostname(name string, create bool) error {
	file := e.Paths.Data("previous-hostname")
	text, _ := e.Machine.Files.Read(file)
	last, now := readHostname(text), e.keptName()
	if now != "" && last != "" && now != last {
		return Skip(fmt.Sprintf("%s differs from %s, assuming user maintained hostname.", file, e.Distro.HostnameFile))
	}
	if last != name {
		if err := e.Remember(file, name+"\n", machine.File(0o644, "")); err != nil {
			return err
		}
	}
	if now == "" || now == last && now != name {
		return e.applyHostname(name, create)
	}
	return nil
}

// keptName is the name that the system keeps: the kernel's where hostnamectl sets it, or else the one in the file.
func (e *Env) keptName() string {
	if e.Distro.Hostnamectl {
		return e.systemName()
	}
	return e.savedName()
}
