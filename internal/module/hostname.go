package module

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// hostnameKeys are the keys that say what a machine is called.
type hostnameKeys struct {
	Hostname   string     `key:"hostname" doc:"The host name. One with a dot is taken for the fully qualified name, and its first part for the host name."`
	FQDN       string     `key:"fqdn" doc:"The fully qualified name. Its first part is the host name, where hostname is not given."`
	Preserve   bool       `key:"preserve_hostname" doc:"Leave the host name as it is."`
	PreferFQDN conf.Truth `key:"prefer_fqdn_over_hostname" doc:"Take the fully qualified name for the system's host name. Where it is not given, Red Hat's family does, and others do not."`
	CreateFile bool       `key:"create_hostname_file" default:"true" doc:"Make /etc/hostname where there is none."`
}

// A hostName is what a machine is called, without a domain and with one.
type hostName struct {
	short, full string
	isDefault   bool // nobody gave a name, and the kernel's is localhost
}

// hostName is what the machine should be called: as configured, or else as the cloud says, or else as it is.
func (e *Env) hostName(k *hostnameKeys) hostName {
	if k.FQDN != "" {
		short, _, _ := strings.Cut(k.FQDN, ".")
		if k.Hostname != "" {
			short = k.Hostname
		}
		return hostName{short: short, full: k.FQDN}
	}
	if short, _, dotted := strings.Cut(k.Hostname, "."); dotted && short != "" {
		return hostName{short: short, full: k.Hostname}
	}
	switch given := e.Instance.Hostname; {
	case given != "" && e.Instance.IsWholeName && k.Hostname == "":
		return hostName{short: given, full: given}
	case k.Hostname != "" && given != "":
		return hostName{short: k.Hostname, full: cloudName(given).full}
	case k.Hostname != "":
		return hostName{short: k.Hostname, full: e.withDomain(k.Hostname).full}
	case given != "":
		return cloudName(given)
	}
	name := e.systemName()
	if name == "" || name == "localhost" {
		return hostName{short: "localhost", full: "localhost", isDefault: true}
	}
	return e.withDomain(name)
}

// check refuses a name that would not stay in its word of /etc/hostname and /etc/hosts.
func (n hostName) check() error {
	for _, name := range []string{n.short, n.full} {
		if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '#' || r == '/' }) {
			return fmt.Errorf("%q cannot be the name of a machine; use letters, digits, dashes and dots", name)
		}
	}
	return nil
}

// configuredName is what the machine should be called, for modules that have no say in it.
func (e *Env) configuredName() hostName {
	var k hostnameKeys
	conf.Decode(e.Config, &k)
	return e.hostName(&k)
}

// cloudName is the cloud's name for the machine. An address becomes a name made of it.
func cloudName(name string) hostName {
	if address, err := netip.ParseAddr(name); err == nil && address.Is4() {
		name = "ip-" + strings.ReplaceAll(name, ".", "-")
	}
	return splitName(name)
}

// withDomain is a name with the domain that /etc/hosts gives it, if it does.
func (e *Env) withDomain(name string) hostName {
	hosts, _ := e.Machine.Files.Read(hostsFile)
	for _, entry := range hostsEntries(hosts) {
		if len(entry) > 2 && slices.Contains(entry[2:], name) && strings.Contains(entry[1], ".") {
			return splitName(entry[1])
		}
	}
	return splitName(name)
}

// splitName takes a name apart. The domain that stands for none is none.
func splitName(name string) hostName {
	short, domain, _ := strings.Cut(name, ".")
	if domain == "" || domain == "localdomain" {
		return hostName{short: short, full: short}
	}
	return hostName{short: short, full: name}
}

// chosen is the one of the two names that becomes the system's.
func (n hostName) chosen(e *Env, k *hostnameKeys) string {
	if n.short == "" || n.full != "" && k.PreferFQDN.Or(e.Distro.FQDN) {
		return n.full
	}
	return n.short
}

// systemName is the kernel's name for the machine, or the one that it will boot with.
func (e *Env) systemName() string {
	name, err := e.Machine.Kernel.Hostname()
	if err == nil {
		return name
	}
	return e.savedName()
}

// savedName is the name in the system's file.
func (e *Env) savedName() string {
	text, _ := e.Machine.Files.Read(e.Distro.HostnameFile)
	return readHostname(text)
}

// applyHostname makes a name the system's, now and for later boots.
func (e *Env) applyHostname(name string, create bool) error {
	if err := e.saveHostname(name, create); err != nil {
		return err
	}
	e.Debug("Non-persistently setting the system hostname to %s", name)
	_, err := e.Machine.Kernel.SetHostname(name)
	if err != nil && !errors.Is(err, machine.ErrOffline) { // a system that does not run takes the name from the file
		e.Warn("Failed to non-persistently adjust the system hostname to %s: %v", name, err)
	}
	return nil
}

// saveHostname writes the system's file. Without leave to create it, a family whose name is set by hostnamectl keeps the
// name for this boot only, and others change the file only where there is one.
func (e *Env) saveHostname(name string, create bool) error {
	file := e.Distro.HostnameFile
	old, err := e.Machine.Files.Read(file)
	switch {
	case !create && e.Distro.Hostnamectl:
		e.Info("create_hostname_file is False; hostname set transiently")
		return nil
	case !create && errors.Is(err, fs.ErrNotExist):
		e.Info("create_hostname_file is False; hostname file not created")
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	_, err = e.Machine.Files.Put(file, machine.File(0o644, writeHostname(old, name)))
	return err
}

// readHostname is the first name in a file of one name and comments.
func readHostname(text string) string {
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return ""
}

// writeHostname puts another name into such a file, and keeps the comments.
func writeHostname(text, name string) string {
	var lines []string
	written := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if old := readHostname(line); old != "" {
			if written {
				continue // a second name makes no sense there
			}
			line, written = strings.Replace(strings.TrimSpace(line), old, name, 1), true
		}
		lines = append(lines, line)
	}
	if !written {
		lines = append(lines, name)
	}
	return strings.Join(lines, "\n") + "\n"
}
