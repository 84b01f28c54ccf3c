package source

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// tools are VMware's tools, and the commands that a customization needs. They note what they are told.
type tools struct {
	platform
	told     []string
	password instance.Secret
	err      error // of a script
}

func (c *tools) Do(_ context.Context, change machine.Change) error {
	c.told = append(c.told, strings.TrimPrefix(strings.Join(change.Argv, " "), "/usr/bin/vmware-rpctool "))
	if change.Argv[0] == "chpasswd" {
		c.password = change.Stdin
	}
	return nil
}

func (c *tools) Run(_ context.Context, p machine.Program) error {
	c.told = append(c.told, "run "+strings.Join(p.Argv, " "))
	return c.err
}

// specified is a specification with two interfaces, of which the first is the primary one.
const specified = `[NETWORK]
HOSTNAME = web1
DOMAINNAME = lab.example
; a remark
[NIC-CONFIG]
NICS = NIC1,NIC2
[NIC1]
MACADDR = 00:50:56:A6:8C:08
ONBOOT = yes
PRIMARY = true
IPv4_MODE = BACKWARDS_COMPATIBLE
BOOTPROTO = static
IPADDR = 10.20.87.154
NETMASK = 255.255.252.0
GATEWAY = 10.20.87.253, 10.20.87.105
IPv6ADDR|1 = fc00:10:20:87::154
IPv6NETMASK|1 = 64
IPv6GATEWAY|1 = fc00:10:20:87::253
IPv6ADDR|2 = fc00:10:20:87::155
IPv6NETMASK|2 = 112
[NIC2]
MACADDR = 00:50:56:a6:5a:de
ONBOOT = no
BOOTPROTO = dhcp
[DNS]
DNSFROMDHCP = no
SUFFIX|1 = lab.example
SUFFIX|2 = example
NAMESERVER|1 = 10.20.145.1
NAMESERVER|2 = 10.20.145.2
[DATETIME]
TIMEZONE = Africa/Abidjan
`

// toBeCustomized is a machine on VMware, with what the tools left.
func toBeCustomized(t *testing.T, config string, left map[string]string) (*world, *tools) {
	const cards = "-- /sys/class/net/NIC1/address --\n00:50:56:a6:8c:08\n-- /sys/class/net/NIC2/address --\n00:50:56:a6:5a:de\n" +
		"-- /sys/class/dmi/id/product_uuid --\n4216D9B4-0000-1111-2222-333344445555\n-- /etc/passwd --\nroot:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n" +
		"-- /usr/lib/open-vm-tools/plugins/vmsvc/libdeployPkgPlugin.so --\n-- /var/lib/cloud/data/.markerfile-m0.txt --\n"
	w := identifyCase{files: onVMware + rpctool + cards + seedFiles(customizationFolder, left), config: config,
		says: map[string]string{"vmware-rpctool " + stateOf(4, 104, "00:50:56:a6:8c:08"): "connected"}}.world(t)
	c := &tools{platform: w.env.Machine.Commands.(platform)}
	w.env.Machine.Commands = c
	return w, c
}

const customizable = "disable_vmware_customization: false\ndatasource: {VMware: {vmware_cust_file_max_wait: 0.1}}"

// Rows D22, D26. vCenter clones a machine and says who the clone is: its name, time zone, password, scripts and network. A
// clone that did not hear that would be a second machine with the address of the first.
func TestVMwareCustomization(t *testing.T) {
	left := map[string]string{"nics.txt": "00:50:56:a6:8c:08", "script.sh": "#!/bin/sh\r\necho $1\r", "post-customize-guest.sh": "#!/bin/sh\necho after",
		"cust.cfg": specified + "[PASSWORD]\n-PASS = c2VjcmV0Cg==\nRESET = yes\n[CUSTOM-SCRIPT]\nSCRIPT-NAME = script.sh\n[MISC]\nMARKER-ID = m1\nPOST-GC-STATUS = yes\nDEFAULT-RUN-POST-CUST-SCRIPT = yes\n"}
	w, c := toBeCustomized(t, customizable, left)
	in, err := fetchVMware(t.Context(), w.env)
	if err != nil || w.warned() {
		t.Fatalf("%v, %q", err, w.logged)
	}
	if in.ID != "4216d9b4-0000-1111-2222-333344445555" || in.Hostname != "web1.lab.example" || in.Network == nil || in.Network.Kind != "v2" {
		t.Errorf("it is %+v", in)
	}
	if in.Detail != "DataSourceVMware [seed=imc]" || in.Subplatform != "imc (vmware-tools)" || in.CloudID() != "vmware" {
		t.Errorf("it calls itself %q, %q, %q", in.Detail, in.Subplatform, in.CloudID())
	}
	wantJSON(t, "the configuration", in.Config, `{"timezone": "Africa/Abidjan"}`)
	told := []string{"info-set guestinfo.gc.status Started", "run /root/.customization/customize.sh precustomization", "chpasswd", "passwd --expire root",
		"passwd --expire toor", stateOf(4, 103, "00:50:56:a6:8c:08"), stateOf(5, 0, ""), "info-set guestinfo.gc.status Successful"}
	if !slices.Equal(c.told, told) || !c.password.Equal(instance.Hide("root:secret\n")) {
		t.Errorf("told %q\nwant %q", c.told, told)
	}
	for name, want := range map[string]string{"/root/.customization/customize.sh": "#!/bin/sh\necho $1\n", "/var/lib/cloud/scripts/per-instance/post-customize-guest.sh": "#!/bin/sh\necho after\n",
		"/.guest-customization-post-reboot-pending": "", "/var/lib/cloud/data/.markerfile-m1.txt": ""} {
		if text, err := w.env.Machine.Files.Read(name); err != nil || text != want {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
	for _, name := range []string{customizationFolder, "/var/lib/cloud/data/.markerfile-m0.txt"} {
		if machine.Exists(w.env.Machine.Files, name) {
			t.Errorf("%s is still there", name)
		}
	}
	w.env.Last, c.told = in, nil
	if again, err := fetchVMware(t.Context(), w.env); err != nil || again != in || c.told != nil || w.warned() {
		t.Errorf("at the next boot it is %+v, %v; told %q, %q", again, err, c.told, w.logged)
	}
}

// The network is the one that cloud-init 26 makes of the same specifications.
func TestVMwareSpecification(t *testing.T) {
	const nic2 = `"NIC2": {"match": {"macaddress": "00:50:56:a6:5a:de"}, "set-name": "NIC2", "wakeonlan": false, "dhcp4": true, "dhcp4-overrides": {"use-dns": false},
		"nameservers": {"search": ["lab.example", "example"], "addresses": ["10.20.145.1", "10.20.145.2"]}}`
	const nic1 = `"NIC1": {"match": {"macaddress": "00:50:56:a6:8c:08"}, "set-name": "NIC1", "wakeonlan": true, "dhcp4": false, "dhcp6": false,
		"addresses": ["10.20.87.154/22", "fc00:10:20:87::154/64", "fc00:10:20:87::155/112"],
		"nameservers": {"search": ["lab.example", "example"], "addresses": ["10.20.145.1", "10.20.145.2"]}, "routes": `
	w, _ := toBeCustomized(t, "", nil)
	for text, want := range map[string]string{
		specified: `{` + nic1 + `[{"to": "0.0.0.0/0", "via": "10.20.87.253"}, {"to": "::/0", "via": "fc00:10:20:87::253"}]}, ` + nic2 + `}`,
		strings.Replace(specified, "PRIMARY = true", "PRIMARY = no", 1): `{` + nic1 + `[{"to": "10.20.84.0/22", "via": "10.20.87.253"}, {"to": "10.20.84.0/22", "via": "10.20.87.105"},
			{"to": "fc00:10:20:87::/64", "via": "fc00:10:20:87::253"}]}, ` + nic2 + `}`,
		"[NIC-CONFIG]\nNICS: NIC1\n[NIC1]\nMACADDR = 00:50:56:a6:8c:08\nBOOTPROTO = dhcp\nIPv4_MODE = DISABLED\n": `{"NIC1": {"match": {"macaddress": "00:50:56:a6:8c:08"}, "set-name": "NIC1", "wakeonlan": false, "dhcp4": true}}`,
	} {
		got, _ := json.Marshal(readSpecification(text).ethernets(w.env))
		wantJSON(t, "the network", got, want)
	}
	if w.warned() {
		t.Errorf("warned: %q", w.logged)
	}
	readSpecification("[NIC-CONFIG]\nNICS = NIC9\n[NIC9]\nMACADDR = 00:00:00:00:00:09\n").ethernets(w.env)
	if !w.has("WARNING", "No known device has MACADDR: 00:00:00:00:00:09") {
		t.Errorf("a card that is not there: %q", w.logged)
	}
}

// vCenter may give cloud-init's own documents in place of a specification.
func TestVMwareRawCustomization(t *testing.T) {
	left := map[string]string{"cust.cfg": "[CLOUDINIT]\nMETADATA = metadata\nUSERDATA = userdata\n", "metadata": "instance-id: vm-7\nlocal-hostname: web7\nnetwork: {version: 2, ethernets: {}}", "userdata": "#!/bin/sh\r"}
	w, c := toBeCustomized(t, "datasource: {VMware: {vmware_cust_file_max_wait: 0.1}}", left)
	in, err := fetchVMware(t.Context(), w.env)
	if err != nil || in.ID != "vm-7" || in.Hostname != "web7" || string(in.UserData) != "#!/bin/sh\n" || in.Network == nil || !slices.Equal(c.told, []string{stateOf(5, 0, "")}) {
		t.Errorf("it is %+v, %v; told %q", in, err, c.told)
	}
	delete(left, "metadata")
	w, c = toBeCustomized(t, "", left)
	if in, err := fetchVMware(t.Context(), w.env); isOneOf(err) != "silent" || !slices.Equal(c.told, []string{stateOf(4, 100, "")}) {
		t.Errorf("without its metadata it is %+v, %v; told %q", in, err, c.told)
	}
}

// What fails is told to vCenter, which shows it; the machine gets its name and its network all the same.
func TestVMwareCustomizationFails(t *testing.T) {
	const script = "[CUSTOM-SCRIPT]\nSCRIPT-NAME = script.sh\n[MISC]\nMARKER-ID = m1\n"
	const allowed = "DEFAULT-RUN-POST-CUST-SCRIPT = yes\n"
	for name, c := range map[string]struct {
		left map[string]string
		err  error
		told string
	}{
		"scripts are not allowed": {left: map[string]string{"cust.cfg": specified + script, "script.sh": "x"}, told: stateOf(4, 6, "")},
		"the script is missing":   {left: map[string]string{"cust.cfg": specified + script + allowed}, told: stateOf(4, 100, "")},
		"the script fails":        {left: map[string]string{"cust.cfg": specified + script + allowed, "script.sh": "x", "post-customize-guest.sh": "y"}, err: errors.New("it ended with 1"), told: stateOf(4, 100, "")},
		"a password that is none": {left: map[string]string{"cust.cfg": specified + "[MISC]\nMARKER-ID = m1\n[PASSWORD]\n-PASS = %\n"}, told: stateOf(4, 100, "")},
	} {
		w, tools := toBeCustomized(t, customizable, c.left)
		tools.err = c.err
		in, err := fetchVMware(t.Context(), w.env)
		if err != nil || in.Hostname != "web1.lab.example" || !slices.Contains(tools.told, c.told) || slices.Contains(tools.told, stateOf(5, 0, "")) || !w.has("WARNING") {
			t.Errorf("%s: it is %+v, %v; told %q, %q", name, in, err, tools.told, w.logged)
		}
		if machine.Exists(w.env.Machine.Files, customizationFolder) {
			t.Errorf("%s: what the tools left is still there", name)
		}
	}
}

// Nobody waits where customization is not wanted, cannot be, or was waited for in the stage before.
func TestVMwareWithoutCustomization(t *testing.T) {
	left := map[string]string{"cust.cfg": specified}
	for name, c := range map[string]struct {
		config string
		left   map[string]string
		stage  Stage
	}{
		"it is not allowed":     {"datasource: {VMware: {allow_raw_data: false}}", left, Local},
		"only raw data is":      {"", left, Local},
		"nothing comes":         {customizable, nil, Local},
		"the stage is too late": {"disable_vmware_customization: false", nil, Network},
	} {
		w, tools := toBeCustomized(t, c.config, c.left)
		if in, err := fetchVMware(t.Context(), w.at(c.stage).env); isOneOf(err) != "absent" || tools.told != nil {
			t.Errorf("%s: it is %+v, %v; told %q", name, in, err, tools.told)
		}
	}
}

// What a person wants to be emptied in guestinfo is: other users of the machine could read it there.
func TestVMwareRedacts(t *testing.T) {
	w := withGuestInfo(t, "", map[string]string{"metadata": "instance-id: a\nredact: [userdata, vendordata]\n"})
	c := &tools{platform: w.env.Machine.Commands.(platform)}
	w.env.Machine.Commands = c
	want := []string{"info-set guestinfo.userdata ---", "info-set guestinfo.userdata.encoding  ", "info-set guestinfo.vendordata ---", "info-set guestinfo.vendordata.encoding  "}
	if _, err := fetchVMware(t.Context(), w.env); err != nil || !slices.Equal(c.told, want) {
		t.Errorf("told %q, %v", c.told, err)
	}
}

// FuzzSpecification: whatever the tools leave, it is read, and its network described.
func FuzzSpecification(f *testing.F) {
	f.Add(specified)
	f.Add("[NIC-CONFIG]\nNICS=a\n[a]\nBOOTPROTO=static\nIPADDR=1.2.3.4\nNETMASK=99\nGATEWAY=x,::1\nIPv6ADDR|1=\n")
	f.Fuzz(func(t *testing.T, text string) {
		w := newWorld(t, "-- /sys/class/net/a/address --\n\n", "")
		readSpecification(text).metadata(w.env)
	})
}
