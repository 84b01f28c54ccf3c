package source

import (
	"path"
	"strings"

	"openguest/internal/machine"
)

// vmware is the source of machines on VMware's hypervisors.
func vmware() *Source {
	return &Source{
		Name: "VMware",
		Doc: "VMware's guestinfo: metadata, userdata and vendordata, which VMware's own tools read from the hypervisor, or the variables " +
			"VMX_GUESTINFO_* in the environment; and the files of VMware's guest customization.",
		Match: matchVMware,
		Fetch: fetchVMware,
	}
}

// guestInfoKeys are the keys of guestinfo that make this source worth asking.
func guestInfoKeys() []string { return []string{"metadata", "userdata", "vendordata"} }

// matchVMware looks in the environment, at guestinfo, and for guest customization.
func matchVMware(f *machine.Facts, e *Env) Match {
	if name := guestVariable(f); name != "" {
		return Match{Found: true, Why: name + " is in the environment"}
	}
	if kind := f.Virtualization(); kind != "vmware" {
		return Match{Why: "no VMware: the machine is " + kind}
	}
	if len(guestTools(e)) == 0 {
		return Match{Why: "neither vmware-rpctool nor vmtoolsd is installed"}
	}
	m := matchCustomization(e) // files are asked before programs
	for _, key := range guestInfoKeys() {
		if !m.Found && guestInfo(e, key) != "" {
			return Match{Found: true, Why: "there is guestinfo." + key}
		}
	}
	return m
}

// guestVariable is the variable of the environment that holds what guestinfo would, for a container on VMware.
func guestVariable(f *machine.Facts) string {
	if f.Environment("VMX_GUESTINFO") == "" {
		return ""
	}
	for _, key := range guestInfoKeys() {
		if name := "VMX_GUESTINFO_" + strings.ToUpper(key); f.Environment(name) != "" {
			return name
		}
	}
	return ""
}

// guestTools are the commands that ask VMware for a key of guestinfo, without the key.
func guestTools(e *Env) (commands [][]string) {
	if tool := installed(e, "vmware-rpctool"); tool != "" {
		commands = append(commands, []string{tool})
	}
	if tool := installed(e, "vmtoolsd"); tool != "" {
		commands = append(commands, []string{tool, "--cmd"})
	}
	return commands
}

// installed is where a program is; empty where it is not.
func installed(e *Env, program string) string {
	for _, dir := range []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"} {
		if name := path.Join(dir, program); machine.Exists(e.Machine.Files, name) {
			return name
		}
	}
	return ""
}

// guestInfo is what VMware keeps for the machine under a key; empty where there is nothing.
func guestInfo(e *Env, key string) string {
	for _, tool := range guestTools(e) {
		if text, err := ask(e, append(tool, "info-get guestinfo."+key)...); err == nil && hasWord(text) {
			return text
		}
	}
	return ""
}

// hasWord says that a text is more than white space and signs.
func hasWord(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
}

// matchCustomization looks for guest customization: the plugin that carries it out is there, and the image's configuration
// wants it.
func matchCustomization(e *Env) Match {
	const key = "disable_vmware_customization"
	plugin := customizationPlugin(e)
	switch {
	case plugin == "":
		return Match{Why: "nothing in guestinfo, and no plugin for guest customization"}
	case e.Config.Get(key).Truth(true):
		return Match{Why: "nothing in guestinfo, and the configuration does not set " + key + " to false"}
	}
	return Match{Found: true, Why: "guest customization is wanted, and there is " + plugin}
}

// customizationPlugin is the library of VMware's tools that carries out guest customization; empty where there is none.
func customizationPlugin(e *Env) string {
	for _, tools := range []string{"vmware-tools", "open-vm-tools"} {
		for _, lib := range []string{"lib", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib/i386-linux-gnu"} {
			name := path.Join("/usr", lib, tools, "plugins/vmsvc/libdeployPkgPlugin.so")
			if machine.Exists(e.Machine.Files, name) {
				return name
			}
		}
	}
	return ""
}
