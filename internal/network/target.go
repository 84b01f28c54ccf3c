package network

import (
	"strings"

	"openguest/internal/machine"
)

// program is where a program is in one of the folders; empty where it is in none.
func (t Target) program(name string, folders ...string) string {
	for _, folder := range folders {
		if p := folder + "/" + name; machine.Exists(t.Files, p) {
			return p
		}
	}
	return ""
}

// programFolders is where programs are looked for that may be anywhere.
func programFolders() []string {
	return []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
}

// header begins files of ifupdown and netplan; the text is cloud-init's, which people look for. Families of distributions
// have one or two spaces between its sentences.
func header(variant string) string {
	const text = `# This file is generated from information provided by the datasource.  Changes
# to it will not persist across an instance reboot.  To disable cloud-init's
# network configuration capabilities, write a file
# /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg with the following:
# network: {config: disabled}
`
	switch variant {
	case "alpine", "mariner":
		return strings.ReplaceAll(text, ".  ", ". ")
	case "azurelinux":
		return strings.Replace(text, "reboot.  ", "reboot. ", 1)
	}
	return text
}
