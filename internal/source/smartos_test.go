package source

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// smartHost answers as SmartOS' host does. It knows values by key; damage spoils an answer.
func smartHost(values map[string]string, rubbish string, damage func(string) string) func(*bufio.Reader, io.Writer) {
	return func(r *bufio.Reader, w io.Writer) {
		io.WriteString(w, rubbish)
		for {
			asked, err := r.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprintf(w, "%s\n", smartAnswer(strings.TrimSuffix(asked, "\n"), values, damage))
		}
	}
}

func smartAnswer(asked string, values map[string]string, damage func(string) string) string {
	words := strings.Split(asked, " ")
	switch {
	case asked == "NEGOTIATE V2":
		return "V2_OK"
	case len(words) != 6 || words[0] != "V2" || words[4] != "GET" || fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(strings.Join(words[3:], " ")))) != words[2]:
		return "invalid command"
	}
	key, _ := base64.StdEncoding.DecodeString(words[5])
	body := words[3] + " NOTFOUND"
	if value, ok := values[string(key)]; ok {
		body = words[3] + " SUCCESS " + base64.StdEncoding.EncodeToString([]byte(value))
	}
	answer := fmt.Sprintf("V2 %d %08x %s", len(body), crc32.ChecksumIEEE([]byte(body)), body)
	if damage != nil {
		answer = damage(answer)
	}
	return answer
}

func smartValues() map[string]string {
	return map[string]string{
		"sdc:uuid": "dc477581-3aa0-44ac-be26-1f2f0f1d0d4c", "hostname": "web1\n", "root_authorized_keys": "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b\n", "sdc:datacenter_name": "us-east-1",
		"user-script": "echo hello\n", "user-data": "for the script", "cloud-init:user-data": "IyEvYmluL3NoCg==", "base64_keys": "cloud-init:user-data,user-script", "sdc:dns_domain": "lab.example",
		"sdc:resolvers": `["192.0.2.53"]`, "sdc:routes": `[{"linklocal": false, "dst": "198.51.100.0/24", "gateway": "192.0.2.9"}]`,
		"sdc:nics": `[{"interface": "net0", "mac": "90:b8:d0:f5:e4:f5", "mtu": 1500, "primary": true, "ips": ["192.0.2.4/24", "192.0.2.5/24", "addrconf"], "gateways": ["2001:db8::1", "192.0.2.1"]},
			{"interface": "net1", "ips": ["dhcp"]}]`,
	}
}

// onSmartOS is a machine with a host.
func onSmartOS(t *testing.T, files string, host func(*bufio.Reader, io.Writer)) *world {
	w := newWorld(t, files, "datasource: {SmartOS: {serial_timeout: 2}}")
	w.env.Machine.Serial = hostOn{t, host}
	return w
}

// Rows D23, D26. A machine of SmartOS learns who it is over its serial line, whatever was on it before, and a zone over its socket.
func TestSmartOS(t *testing.T) {
	w := onSmartOS(t, "-- /var/svc/provisioning --\n-- /var/db/mdata-user-data 400 0:0 --\nold\n", smartHost(smartValues(), "half a li", nil))
	in, err := fetchSmartOS(t.Context(), w.env)
	if err != nil || w.warned() {
		t.Fatalf("%v, %q", err, w.logged)
	}
	if in.ID != "dc477581-3aa0-44ac-be26-1f2f0f1d0d4c" || in.Hostname != "web1" || in.Zone != "us-east-1" || string(in.UserData) != "#!/bin/sh\n" || in.VendorData != nil || len(in.Keys) != 2 {
		t.Errorf("it is %+v", in)
	}
	if in.Detail != "DataSourceSmartOS [client=JoyentMetadataLegacySerialClient(device=/dev/ttyS1, timeout=2)]" || in.CloudID() != "joyent" || in.Subplatform != "serial (/dev/ttyS1)" {
		t.Errorf("it calls itself %q, %q, %q", in.Detail, in.CloudID(), in.Subplatform)
	}
	const way = `"routes": [{"network": "198.51.100.0/24", "gateway": "192.0.2.9"}]}`
	wantJSON(t, "the network", in.Network.Document, `{"version": 1, "config": [{"type": "physical", "name": "net0", "mac_address": "90:b8:d0:f5:e4:f5", "mtu": 1500, "subnets": [
		{"type": "static", "address": "192.0.2.4/24", "gateway": "192.0.2.1", `+way+`, {"type": "static", "address": "192.0.2.5/24", `+way+`, {"type": "dhcp6"}]},
		{"type": "physical", "name": "net1", "subnets": [{"type": "dhcp4"}]}, {"type": "nameserver", "address": ["192.0.2.53"], "search": ["lab.example"]}]}`)
	data := "/var/lib/cloud/instances/" + in.ID + "/data/"
	for name, want := range map[string]string{data + "user-script": "#!/bin/bash\necho hello\n", "/var/db/mdata-user-data": "for the script", "/var/svc/provision_success": ""} {
		if text, err := w.env.Machine.Files.Read(name); err != nil || strings.TrimSpace(text) != strings.TrimSpace(want) {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
	link, err := machine.Get(w.env.Machine.Files, "/var/db/user-script")
	if err != nil || link != machine.Link(data+"user-script") || machine.Exists(w.env.Machine.Files, "/var/svc/provisioning") {
		t.Errorf("the link is %+v, %v", link, err)
	}
	if text, err := w.env.Machine.Files.Read("/var/lib/cloud/scripts/per-boot/01_smartos_vendor_data.sh"); err != nil || !strings.Contains(text, data+"operator-script "+data+"user-script") {
		t.Errorf("nobody runs the scripts: %q, %v", text, err)
	}
	values := smartValues()
	delete(values, "base64_keys")
	in, err = fetchSmartOS(t.Context(), onSmartOS(t, "-- /proc/sys/kernel/version --\nBrandZ virtual linux\n-- "+zoneSocket+" --\n", smartHost(values, "", nil)).env)
	if err != nil || in.Config != nil || string(in.UserData) != values["cloud-init:user-data"] {
		t.Errorf("in a zone it is %+v, %v", in, err)
	}
}

// An answer that is damaged, to another question or to none makes no machine a new one, and nobody waits for ever.
func TestSmartOSInTrouble(t *testing.T) {
	for name, damage := range map[string]func(string) string{
		"a bit is lost":       func(s string) string { return strings.Replace(s, "SUCCESS", "SUCCESs", 1) + "" },
		"another checksum":    func(s string) string { return s[:5] + "00000000" + s[13:] },
		"a failure":           func(string) string { return "FAILURE" },
		"nothing":             func(string) string { return "" },
		"another length":      func(s string) string { return strings.Replace(s, "V2 ", "V2 9", 1) },
		"to another question": func(string) string { return "V2 16 2c9b4a4c 00000000 SUCCESS" },
	} {
		values := map[string]string{"base64_all": "no", "sdc:uuid": "i-1"}
		if in, err := fetchSmartOS(t.Context(), onSmartOS(t, "", smartHost(values, "", damage)).env); isOneOf(err) != "silent" {
			t.Errorf("%s: it is %+v, %v", name, in, err)
		}
	}
	values := smartValues()
	delete(values, "sdc:uuid")
	for name, host := range map[string]func(*bufio.Reader, io.Writer){"no id": smartHost(values, "", nil), "another program": func(r *bufio.Reader, w io.Writer) { io.Copy(w, strings.NewReader(strings.Repeat("login:\n", 2000))) }, "no line": nil} {
		if in, err := fetchSmartOS(t.Context(), onSmartOS(t, "", host).env); isOneOf(err) != "silent" {
			t.Errorf("%s: it is %+v, %v", name, in, err)
		}
	}
}

// FuzzSmartValue: whatever the host answers, it is taken apart or refused.
func FuzzSmartValue(f *testing.F) {
	f.Add("V2 16 2c9b4a4c 00000000 SUCCESS")
	f.Add("V2 25 00000000 00000000 SUCCESS YQ==")
	f.Fuzz(func(t *testing.T, answer string) {
		if value, there, err := smartValue(answer, "00000000"); there && err != nil || !there && value != "" && err == nil {
			t.Errorf("%q gives %q, %v, %v", answer, value, there, err)
		}
	})
}
