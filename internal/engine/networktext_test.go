package engine

import (
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// asJSON is a description as cloud-init's atomic_helper.write_json writes it.
const asJSON = `import json, sys, yaml
d = yaml.safe_load(sys.stdin)
print(json.dumps(d.get("network", d), indent=1, sort_keys=True, separators=(",", ": ")))`

// Row S16. Tools read the network's description in /run, whatever form and place the cloud has for it: it is a link to the instance's
// file, which only root may read, for keys of wireless networks stand in it. Another instance has another
// one.
func TestNetworkText(t *testing.T) {
	if exec.Command("python3", "-c", "import yaml").Run() != nil {
		t.Skip("python3 with yaml is not installed; scripts/tools says which packages tests need")
	}
	m := machine.Fake(debian+ifupdown, noon)
	for i, document := range []string{
		dhcpOn4,
		"network:\n  version: 2\n  ethernets:\n    ens4: {dhcp4: yes, mtu: 1400, optional: null, nameservers: {search: [ex\u00e4mple.org]}, addresses: ['2001:db8::1/64', 192.0.2.1/24]}\n",
		"version: 2\nethernets: {ens4: {dhcp4: yes, mtu: 1500}}\n",
	} {
		id, kind := fmt.Sprint("i", i), "v"+document[strings.Index(document, "version: ")+9:][:1]
		stages(t, m, Options{Given: described(id, kind, document)}, Local, Network)
		c := exec.Command("python3", "-c", asJSON)
		c.Stdin = strings.NewReader(document)
		want, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, m, "/run/cloud-init/network-config.json"); got != string(want) {
			t.Errorf("of\n%sthe text is\n%s\nwant\n%s", document, got, want)
		}
		link, err := m.Files.Look("/run/cloud-init/network-config.json")
		if err != nil || link.Mode.Type() != fs.ModeSymlink {
			t.Errorf("in /run there is %v, %v; want a link", link, err)
		}
		file, err := m.Files.Look("/var/lib/cloud/instances/" + id + "/network-config.json")
		if err != nil || file.Mode != 0o600 || !strings.HasSuffix(link.Data, "/network-config.json") {
			t.Errorf("%v is linked, and of the instance there is %v, %v", link, file, err)
		}
	}
}
