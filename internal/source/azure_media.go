package source

import (
	"encoding/base64"
	"fmt"
	"path"
	"strings"

	"openguest/internal/machine"
)

// azureMedia is what ovf-env.xml on Azure's disc says: what a person gave for the machine when it was made.
type azureMedia struct {
	seed, text   string // where it is, and the file
	name, user   string // of the machine, and of its first user
	password     string
	noPasswords  string // whether sshd takes no passwords: true or false; empty where that is not said
	data         []byte // user-data
	keys         []string
	certificates int    // keys that are given as fingerprints of certificates
	stock        string // the kind of stock that the machine was made in; empty: it has an owner
	proxyAgent   string // of a machine that waits for a proxy
}

// azureFolder is where Azure's agent, and cloud-init for it, keep the file: the disc is gone at the second boot.
const azureFolder = "/var/lib/waagent"

// azureDisc looks for the file in the seed folder, on discs, and where it was kept; nil where it is nowhere.
func (e *Env) azureDisc() *azureMedia {
	if m := e.azureFile(e.Machine.Files, path.Join(e.Seed, "azure"), path.Join(e.Seed, "azure")); m != nil {
		return m
	}
	devices, err := e.Machine.Disks.Labelled()
	if err != nil {
		e.warn("look for the disc of Azure: %v", err)
	}
	for _, d := range devices {
		if d.Type != "udf" && d.Type != "iso9660" {
			continue
		}
		files, closeDisc, err := e.Machine.Disks.Mount(d)
		if err != nil {
			e.debug("look for %s: %v", ovfEnvironment, err)
			continue
		}
		m := e.azureFile(files, "/", d.Path)
		closeDisc()
		if m != nil {
			return m
		}
	}
	return e.azureFile(e.Machine.Files, azureFolder, azureFolder)
}

// azureFile reads the file in a folder; nil where it is not there, or not Azure's.
func (e *Env) azureFile(files machine.Files, folder, seed string) *azureMedia {
	text, err := files.Read(path.Join(folder, ovfEnvironment))
	if err != nil {
		return nil
	}
	m, err := readAzureMedia(seed+": "+ovfEnvironment, text)
	if err != nil {
		e.warn("%v", err)
		return nil
	}
	m.seed = seed
	return m
}

// readAzureMedia reads the file.
func readAzureMedia(where, text string) (*azureMedia, error) {
	all, err := xmlTexts(where, []byte(text))
	if err != nil {
		return nil, err
	}
	const set = "Environment/ProvisioningSection/LinuxProvisioningConfigurationSet/"
	const settings = "Environment/PlatformSettingsSection/PlatformSettings/"
	const key = set + "SSH/PublicKeys/PublicKey/"
	m := &azureMedia{text: text, name: elementAt(all, set+"HostName"), user: elementAt(all, set+"UserName"), password: elementAt(all, set+"UserPassword"),
		noPasswords: strings.ToLower(elementAt(all, set+"DisableSshPasswordAuthentication")), certificates: len(textsAt(all, key+"Fingerprint")),
		stock: elementAt(all, settings+"PreprovisionedVMType"), proxyAgent: elementAt(all, settings+"ProvisionGuestProxyAgent")}
	for _, value := range textsAt(all, key+"Value") {
		if value = strings.TrimSpace(value); value != "" {
			m.keys = append(m.keys, value)
			m.certificates--
		}
	}
	m.data, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(elementAt(all, set+"CustomData")), ""))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: read CustomData in %s: %w", ErrSilent, where, err)
	case m.name == "":
		return nil, fmt.Errorf("%w: read %s: there is no HostName for Linux in it", ErrSilent, where)
	}
	if (m.stock == "" || m.stock == "None") && strings.EqualFold(elementAt(all, settings+"PreprovisionedVm"), "true") {
		m.stock = stockRunning
	}
	return m, nil
}

// azureHidden stands in the kept file where the password was.
const azureHidden = "REDACTED"

// keepAzureMedia writes the file to where Azure's agent waits for it, without the password. Where there was no disc, it is made
// of what the metadata says.
func (e *Env) keepAzureMedia(m *azureMedia) {
	text := m.text
	if m.password != "" {
		text = strings.ReplaceAll(text, ">"+escapeXML(m.password)+"<", ">"+azureHidden+"<")
	}
	if strings.Contains(text, m.password) && m.password != "" || text == "" {
		text = m.minimal()
	}
	put := func(name string, n machine.Node) {
		if _, err := e.Machine.Files.Put(name, n); err != nil {
			e.warn("write %s for Azure's agent: %v", name, err)
		}
	}
	if !machine.Exists(e.Machine.Files, azureFolder) {
		put(azureFolder, machine.Folder(0o700))
	}
	put(azureFolder+"/"+ovfEnvironment, machine.File(0o600, text))
}

// minimal is the file with the little that Azure's agent reads.
func (m *azureMedia) minimal() string {
	element := func(name, text string) string {
		if text == "" {
			return ""
		}
		return "<ns1:" + name + ">" + escapeXML(text) + "</ns1:" + name + ">\n"
	}
	return `<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" xmlns:ns1="http://schemas.microsoft.com/windowsazure">
<ns1:ProvisioningSection>
<ns1:Version>1.0</ns1:Version>
<ns1:LinuxProvisioningConfigurationSet>
<ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
` + element("UserName", m.user) + element("DisableSshPasswordAuthentication", m.noPasswords) + element("HostName", m.name) +
		`</ns1:LinuxProvisioningConfigurationSet>
</ns1:ProvisioningSection>
<ns1:PlatformSettingsSection>
<ns1:Version>1.0</ns1:Version>
<ns1:PlatformSettings><ns1:ProvisionGuestAgent>true</ns1:ProvisionGuestAgent></ns1:PlatformSettings>
</ns1:PlatformSettingsSection>
</ns0:Environment>
`
}
