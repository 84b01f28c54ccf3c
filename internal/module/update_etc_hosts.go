package module

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"openguest/dist"
	"openguest/internal/conf"
	"openguest/internal/machine"
)

type etcHostsKeys struct {
	Manage conf.Placed[conf.Either[conf.Truth, string]] `key:"manage_etc_hosts" doc:"true: write /etc/hosts anew at each boot from the template hosts.FAMILY.tmpl; localhost: only see to it that the machine's own name is there; false: leave it alone."`
}

const hostsFile = "/etc/hosts"

var updateEtcHosts = define(Module{
	Name: "update_etc_hosts", Stage: Init, Every: Always, Gate: []string{"manage_etc_hosts"},
	Doc:      "Keeps the machine's own name in /etc/hosts, so that it can be resolved without a network.",
	Examples: []string{"manage_etc_hosts: true\n", "manage_etc_hosts: localhost\n", "manage_etc_hosts: false\n"},
}, func(_ context.Context, e *Env, k *etcHostsKeys) error {
	manage := k.Manage.Value
	if manage.A != nil && manage.A.Or(false) {
		return e.renderHosts()
	}
	if manage.B == nil {
		return Skip("manage_etc_hosts is not set")
	}
	switch strings.ToLower(strings.TrimSpace(*manage.B)) {
	case "template":
		e.Problem(conf.Problem{Origin: k.Manage.Origin, Path: k.Manage.Path, Level: conf.Deprecated, Hint: "Use 'true' instead.",
			Message: "Value 'template' for key 'manage_etc_hosts' is deprecated in 22.2."})
		return e.renderHosts()
	case "localhost":
		return e.addToHosts(e.configuredName())
	}
	e.Problem(conf.Problem{Origin: k.Manage.Origin, Path: k.Manage.Path, Level: conf.Rejected, Message: "want true, false or localhost"})
	return nil
})

// renderHosts writes /etc/hosts anew: from the image's template for the distribution, or for its family, or from ours.
func (e *Env) renderHosts() error {
	name := e.configuredName()
	if err := name.check(); err != nil {
		return err
	}
	file, text, err := e.templateText(dist.Hosts, "hosts."+e.Distro.ID+".tmpl", "hosts."+e.Distro.Family+".tmpl")
	if err != nil {
		return err
	}
	vars := map[string]any{"hostname": name.short, "fqdn": name.full, "family": e.Distro.Family, "address": e.Distro.HostsAddress}
	rendered, missing, err := renderTemplate(file, text, vars)
	if err != nil {
		return err
	}
	for _, name := range missing {
		e.Warn("Could not render jinja template variables in file '%s': '%s'", file, name)
	}
	_, err = e.Machine.Files.Put(hostsFile, machine.File(0o644, rendered))
	return err
}

// addToHosts adds a line with the machine's name, if there is none.
func (e *Env) addToHosts(name hostName) error {
	if err := name.check(); err != nil {
		return err
	}
	text, err := e.Machine.Files.Read(hostsFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	e.Debug("Managing localhost in %s", hostsFile)
	for _, entry := range hostsEntries(text) {
		if entry[0] == e.Distro.HostsAddress && len(entry) > 1 && entry[1] == name.full && slices.Contains(entry[1:], name.short) {
			return nil
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	text += strings.Join([]string{e.Distro.HostsAddress, name.full, name.short}, "\t") + "\n"
	_, err = e.Machine.Files.Put(hostsFile, machine.File(0o644, text))
	return err
}

// hostsEntries are the lines of /etc/hosts: an address, its name, and other names of it.
func hostsEntries(text string) (entries [][]string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			entries = append(entries, words)
		}
	}
	return entries
}
