package network

import (
	"fmt"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// Choose is the first of some, by the names of a list, that the machine has. An empty list is their own order. why is a line that
// says which fact decided; where there is none it says what each lacks.
func Choose(t Target, from []Manager, names []string) (chosen *Manager, why string) {
	if len(names) == 0 {
		for _, m := range from {
			names = append(names, m.Name)
		}
	}
	var passed []string
	for _, name := range names {
		m := named(from, name)
		if m == nil {
			passed = append(passed, name+": nothing is called that")
			continue
		}
		ok, fact := m.Available(t)
		if ok {
			return m, reasonLine(name+": "+fact, passed)
		}
		passed = append(passed, name+": "+fact)
	}
	return nil, reasonLine("none", passed)
}

// named is the one of a name; nil where there is none.
func named(all []Manager, name string) *Manager {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// reasonLine is "eni: ifupdown is installed (netplan: there is no netplan)".
func reasonLine(chosen string, passed []string) string {
	if len(passed) == 0 {
		return chosen
	}
	return fmt.Sprintf("%s (%s)", chosen, strings.Join(passed, "; "))
}

// Activators bring up the interfaces of a model while the system runs, in the order in which they are tried where no list says
// otherwise. It is cloud-init's, which has no wicked and no ip.
func Activators() []Manager {
	return []Manager{
		{Name: "eni", Doc: "Runs `ifup` for each interface.", Available: asRenderer("eni"), BringUp: eachLink("ifup NAME")},
		{Name: "netplan", Doc: "Runs `netplan apply`.", Available: asRenderer("netplan"),
			BringUp: func(*Model) []machine.Change { return []machine.Change{bringUp("netplan", "apply")} }},
		{Name: "network-manager", Doc: "Has NetworkManager read its files again, and runs `nmcli connection up` for each interface.",
			Available: asRenderer("network-manager"), BringUp: upNetworkManager},
		{Name: "wicked", Doc: "Runs `wicked ifup` for each interface.", Available: hasWicked, BringUp: eachLink("wicked ifup NAME")},
		{Name: "networkd", Doc: "Restarts systemd-networkd and systemd-resolved, and does not wait for that.", Available: asRenderer("networkd"),
			BringUp: func(*Model) []machine.Change {
				return []machine.Change{bringUp("systemctl", "restart", "--no-block", "systemd-networkd", resolved)}
			}},
		{Name: "ifconfig", Doc: "Runs `ifconfig NAME up` for each interface.", Available: has("ifconfig", "/sbin"), BringUp: eachLink("ifconfig NAME up")},
		{Name: "ip", Doc: "Runs `ip link set dev NAME up` for each interface.", Available: has("ip", programFolders()...), BringUp: eachLink("ip link set dev NAME up")},
	}
}

// resolved is systemd-resolved as a pattern: systemctl takes one that fits no unit for no mistake, and many systems do not have it.
const resolved = "systemd-resolved.servic[e]"

// asRenderer says that a network manager is there where its renderer is.
func asRenderer(name string) func(Target) (bool, string) {
	return func(t Target) (bool, string) { return named(Renderers(), name).Available(t) }
}

// has says that a program is in one of some folders.
func has(program string, folders ...string) func(Target) (bool, string) {
	return func(t Target) (bool, string) {
		if t.program(program, folders...) == "" {
			return false, "there is no " + program
		}
		return true, program + " is installed"
	}
}

// hasWicked says that wicked looks after the network, as on SUSE; elsewhere its program alone says nothing.
func hasWicked(t Target) (ok bool, why string) {
	if !machine.Exists(t.Files, "/etc/sysconfig/network/config") {
		return false, "there is no /etc/sysconfig/network/config"
	}
	return has("wicked", "/usr/sbin")(t)
}

// bringUp is a command that changes the running network. What it leaves in files is its own.
func bringUp(argv ...string) machine.Change {
	return machine.Change{Argv: argv, Touches: []string{"/run"}}
}

// eachLink runs a command for each interface, with its name for the word NAME.
func eachLink(command string) func(*Model) []machine.Change {
	return func(m *Model) (changes []machine.Change) {
		for _, l := range m.Links {
			argv := strings.Fields(command)
			argv[slices.Index(argv, "NAME")] = l.Name
			changes = append(changes, bringUp(argv...))
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
