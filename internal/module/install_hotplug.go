package module

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

type hotplugKeys struct {
	Updates struct {
		Network struct {
			When conf.OneOrMany[string] `key:"when" enum:"boot-new-instance,boot-legacy,boot,hotplug" doc:"When the cloud is asked for the network again, in place of what is usual for it: at each boot, or when a network card is plugged in."`
		} `key:"network" doc:"Of the network's description."`
	} `key:"updates" doc:"When what the cloud said at first is asked for again."`
}

// hotplugRule is the file by which udev tells us of a card: 90, so that it comes after the rule that names the card's driver.
const hotplugRule = "/etc/udev/rules.d/90-cloud-init-hook-hotplug.rules"

var installHotplug = define(Module{
	Name: "install_hotplug", Stage: Final, Every: PerInstance,
	Doc: "Has udev tell us when a network card is plugged in, where `updates` or the cloud wants the network to follow that: the cloud is asked again, " +
		"and the card gets its network.",
	Examples: []string{"updates:\n  network:\n    when: [boot-new-instance, boot, hotplug]\n"},
	Needs:    []string{"udevadm"},
}, func(ctx context.Context, e *Env, _ *hotplugKeys) error {
	changed, err := e.putHotplugRule()
	if err != nil || !changed {
		return err
	}
	return e.Machine.Commands.Do(ctx, machine.Change{Argv: []string{"udevadm", "control", "--reload-rules"}, Touches: []string{"/run/udev"}})
})

// putHotplugRule writes udev's rule where it is wanted, and removes it where it is not.
func (e *Env) putHotplugRule() (changed bool, err error) {
	if !slices.Contains(NetworkEvents(e), "hotplug") {
		e.Debug("Skipping hotplug install, not enabled")
		return e.Machine.Files.Remove(hotplugRule)
	}
	if !slices.ContainsFunc([]string{"/usr/bin/udevadm", "/bin/udevadm", "/sbin/udevadm"}, func(p string) bool { return machine.Exists(e.Machine.Files, p) }) {
		return false, Skip("there is no udevadm")
	}
	if err := machine.MakeFolders(e.Machine.Files, path.Dir(hotplugRule), machine.Folder(0o755)); err != nil {
		return false, fmt.Errorf("make the folder for udev's rule: %w", err)
	}
	return e.Machine.Files.Put(hotplugRule, machine.File(0o644, e.hotplugRuleText()))
}

// hotplugRuleText is the rule in cloud-init's form. Where the cloud's own cards can be told from others, as those of
// containers, only they count.
func (e *Env) hotplugRuleText() string {
	folder := "/usr/libexec/cloud-init"
	if !machine.Exists(e.Machine.Files, folder) {
		folder = "/usr/lib/cloud-init"
	}
	return "# Installed by cloud-init due to network hotplug userdata\n" +
		`ACTION!="add", GOTO="cloudinit_end"` + hotplugCards(e.Instance.Source) + `
LABEL="cloudinit_hook"
SUBSYSTEM=="net", RUN+="` + folder + `/hook-hotplug"
LABEL="cloudinit_end"
`
}

// hotplugCards are the lines of a cloud whose cards can be told from others.
func hotplugCards(source string) string {
	sign := ""
	switch source {
	case "Ec2", "AliYun":
		sign = `ENV{ID_NET_DRIVER}=="vif|ena|ixgbevf"`
	case "VMware":
		sign = `ENV{ID_NET_DRIVER}=="e1000|e1000e|vlance|vmxnet2|vmxnet3|vrdma"`
	case "Hetzner":
		sign = `SUBSYSTEM=="net", ATTR{address}=="86:*"`
	default:
		return ""
	}
	return "\n\n" + sign + ", GOTO=\"cloudinit_hook\"\nGOTO=\"cloudinit_end\"\n"
}

// NetworkEvents are the events after which the network of a known instance is made anew: updates.network.when says so, or else
// what is usual for its cloud; `hotplug-hook enable` adds hotplug.
func NetworkEvents(e *Env) []string {
	events := usualEvents(e.Instance.Source)
	if when := e.Config.At("updates", "network", "when"); !when.IsNull() {
		events = when.Strings()
	}
	if slices.Contains(hotplugScopes(e.Machine.Files, e.Paths), "network") {
		events = append(events, "hotplug")
	}
	return events
}

// usualEvents are those that a cloud is known for.
func usualEvents(source string) []string {
	switch source {
	case "AliYun":
		return []string{"boot", "hotplug"}
	case "Azure", "GCE", "Hetzner":
		return []string{"boot"}
	case "RbxCloud", "Scaleway", "SmartOS":
		return []string{"boot", "boot-legacy"}
	case "Ec2", "VMware":
		return []string{"hotplug"}
	}
	return nil
}

// hotplugEnabled is the file in which `hotplug-hook enable` writes down what it was asked for.
func hotplugEnabled(p Paths) string { return path.Join(p.Cloud, "hotplug.enabled") }

func hotplugScopes(files machine.Files, p Paths) []string {
	var enabled struct{ Scopes []string }
	text, err := files.Read(hotplugEnabled(p))
	if err != nil || json.Unmarshal([]byte(text), &enabled) != nil {
		return nil
	}
	return enabled.Scopes
}

// EnableHotplug has network cards that are plugged in followed on this machine, whatever its configuration says. news is
// false where that was so already.
func EnableHotplug(ctx context.Context, e *Env) (news bool, err error) {
	if slices.Contains(hotplugScopes(e.Machine.Files, e.Paths), "network") {
		return false, nil
	}
	if _, err := e.Machine.Files.Put(hotplugEnabled(e.Paths), machine.File(0o640, `{"scopes": ["network"]}`)); err != nil {
		return true, fmt.Errorf("write down that hotplug is enabled: %w", err)
	}
	return true, installHotplug.Run(ctx, e)
}
