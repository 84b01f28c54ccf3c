package network

import (
	"fmt"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// Choose is the first renderer of a list, by name, whose network manager the machine has. An empty list is that of All.
// why is a line that says which fact decided; where there is none it says what each lacks.
func Choose(t Target, names []string) (chosen *Renderer, why string) {
	all := All()
	options := make([]option, len(all))
	for i, r := range all {
		options[i] = option{r.Name, r.Available}
	}
	at, why := pick(t, options, names)
	if at < 0 {
		return nil, why
	}
	return &all[at], why
}

// ChooseActivator is the first activator of a list, by name, that the machine has. An empty list is that of Activators.
func ChooseActivator(t Target, names []string) (chosen *Activator, why string) {
	all := Activators()
	options := make([]option, len(all))
	for i, a := range all {
		options[i] = option{a.Name, a.Available}
	}
	at, why := pick(t, options, names)
	if at < 0 {
		return nil, why
	}
	return &all[at], why
}

// An option is what may be chosen.
type option struct {
	name      string
	available func(Target) (ok bool, why string)
}

func pick(t Target, options []option, names []string) (at int, why string) {
	if len(names) == 0 {
		for _, o := range options {
			names = append(names, o.name)
		}
	}
	var passed []string
	for _, name := range names {
		at := slices.IndexFunc(options, func(o option) bool { return o.name == name })
		if at < 0 {
			passed = append(passed, name+": nothing is called that")
			continue
		}
		ok, fact := options[at].available(t)
		if ok {
			return at, reasonLine(name+": "+fact, passed)
		}
		passed = append(passed, name+": "+fact)
	}
	return -1, reasonLine("none", passed)
}

// reasonLine is "eni: ifupdown is installed (netplan: there is no netplan)".
func reasonLine(chosen string, passed []string) string {
	if len(passed) == 0 {
		return chosen
	}
	return fmt.Sprintf("%s (%s)", chosen, strings.Join(passed, "; "))
}

// An Activator brings up the interfaces of a model while the system runs.
type Activator struct {
	Name      string // as cloud.cfg spells it in system_info.network.activators
	Doc       string // a sentence for the reference
	Available func(t Target) (ok bool, why string)
	Commands  func(m *Model) []machine.Change
}

// Activators are all of them, in the order in which cloud-init tries them where no list says otherwise.
func Activators() []Activator {
	return []Activator{
		{Name: "eni", Doc: "Runs `ifup` for each interface.", Available: rendererIsAvailable("eni"), Commands: eachLink("ifup")},
		{Name: "netplan", Doc: "Runs `netplan apply`.", Available: rendererIsAvailable("netplan"),
			Commands: func(*Model) []machine.Change { return []machine.Change{bringUp("netplan", "apply")} }},
		{Name: "network-manager", Doc: "Has NetworkManager read its files again, and runs `nmcli connection up` for each interface.",
			Available: rendererIsAvailable("network-manager"), Commands: upNetworkManager},
		{Name: "networkd", Doc: "Restarts systemd-networkd and systemd-resolved, and does not wait for that.", Available: rendererIsAvailable("networkd"),
			Commands: func(*Model) []machine.Change {
				return []machine.Change{bringUp("systemctl", "restart", "--no-block", "systemd-networkd", "systemd-resolved")}
			}},
		{Name: "ifconfig", Doc: "Runs `ifconfig NAME up` for each interface.", Available: hasIfconfig, Commands: func(m *Model) (changes []machine.Change) {
			for _, l := range m.Links {
				changes = append(changes, bringUp("ifconfig", l.Name, "up"))
			}
			return changes
		}},
	}
}

func rendererIsAvailable(name string) func(Target) (bool, string) {
	return func(t Target) (bool, string) {
		for _, r := range All() {
			if r.Name == name {
				return r.Available(t)
			}
		}
		return false, "there is no such renderer"
	}
}

func hasIfconfig(t Target) (ok bool, why string) {
	if t.program("ifconfig", "/sbin") == "" {
		return false, "there is no ifconfig"
	}
	return true, "ifconfig is installed"
}

// bringUp is a command that changes the running network. What it leaves in files is its own.
func bringUp(argv ...string) machine.Change {
	return machine.Change{Argv: argv, Touches: []string{"/run"}}
}

func eachLink(program string) func(*Model) []machine.Change {
	return func(m *Model) (changes []machine.Change) {
		for _, l := range m.Links {
			changes = append(changes, bringUp(program, l.Name))
		}
		return changes
	}
}

// upNetworkManager loads the file of each connection and brings it up. It is not waited for the service: that could be
// waiting for us.
func upNetworkManager(m *Model) []machine.Change {
	changes := []machine.Change{bringUp("systemctl", "try-reload-or-restart", "--no-block", "NetworkManager.service")}
	for _, l := range m.Links {
		file := "/etc/NetworkManager/system-connections/cloud-init-" + l.ID + ".nmconnection"
		changes = append(changes, bringUp("nmcli", "connection", "load", file), bringUp("nmcli", "connection", "up", "filename", file))
	}
	return changes
}
