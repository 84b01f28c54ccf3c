package source

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// oracle is the source of machines on Oracle.
func oracle() *Source {
	return &Source{
		Name:  "Oracle",
		Doc:   "The metadata service of Oracle Cloud Infrastructure at 169.254.169.254 and fd00:c1::a9fe:a9fe, in its second version or the first.",
		Match: anyOf(dmi("chassis_asset_tag", "OracleCloud.com")),
		Fetch: fetchOracle,
		Check: isSameOracle,
	}
}

// oracleBases are where the service is. The second version comes first; a machine may refuse to speak the first.
func oracleBases() []string {
	const v4, v6 = linkLocalBase + "/opc/", "http://[fd00:c1::a9fe:a9fe]/opc/"
	return []string{v4 + "v2", v6 + "v2", v4 + "v1", v6 + "v1"}
}

// fetchOracle asks for the description of the machine, and at the address that answers for that of its network, unless the
// initramfs has set the network up: the root file system may be reached by it.
func fetchOracle(ctx context.Context, e *Env) (*instance.Instance, error) {
	c := &client{e: e, header: map[string]string{"Authorization": "Bearer Oracle"},
		limits: e.limits("Oracle", limits{wait: 30 * time.Second, timeout: 5 * time.Second, pause: time.Second, tries: 6})}
	var answer machine.Response
	n, err := e.reach(ctx, want{Source: "Oracle", Limits: c.limits, IPv6: true}, func(ctx context.Context, _ *Early) (err error) {
		answer, err = c.first(ctx, "instance/", oracleBases()...)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	ctx, cancel := context.WithTimeout(ctx, c.limits.all())
	defer cancel()
	where := machine.PublicURL(join(c.base, "instance/"))
	doc, err := object(where, answer.Body)
	if err != nil {
		return nil, err
	}
	in, err := oracleOf(e, doc)
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrSilent, where, err)
	}
	in.Subplatform = "metadata (" + c.base + "/)"
	if e.hasKlibc() {
		return in, nil
	}
	if in.Network, err = c.oracleNetwork(ctx); err != nil {
		return nil, err
	}
	return in, nil
}

// isSameOracle compares the machine's number with the one that it had when the cloud was asked.
func isSameOracle(_ context.Context, e *Env, last *instance.Instance) bool {
	uuid := textAt(last.Tree, "system_uuid")
	return uuid != "" && machine.SameUUID(uuid, e.Machine.Facts.DMI("product_uuid"))
}

// oracleOf reads the description.
func oracleOf(e *Env, doc map[string]any) (*instance.Instance, error) {
	first := 0
	in := &instance.Instance{
		Source: "Oracle", Detail: "DataSourceOracle", Mode: modeNet, Cloud: "oracle", Platform: "oracle",
		ID: textAt(doc, "id"), Hostname: textAt(doc, "hostname"), Zone: textAt(doc, "ociAdName"), LaunchIndex: &first, Tree: doc, IsWhole: true,
	}
	doc["system_uuid"] = e.Machine.Facts.DMI("product_uuid") // lives as long as the instance, but is not its id
	if e.Stage != Local {
		in.Detail += "Net"
	}
	if !isIdentity(in.ID) {
		return nil, errors.New("it names no instance")
	}
	in.Metadata = map[string]any{"availability-zone": in.Zone, "instance-id": in.ID, "launch-index": first, "local-hostname": in.Hostname, "name": textAt(doc, "displayName")}
	given, _ := doc["metadata"].(map[string]any)
	if given == nil {
		return in, nil
	}
	in.Metadata["public_keys"] = given["ssh_authorized_keys"]
	in.Keys = keyLines(e, "ssh_authorized_keys", given["ssh_authorized_keys"])
	userData, err := base64.StdEncoding.DecodeString(textAt(given, "user_data"))
	if err != nil {
		return nil, fmt.Errorf("its user_data should be base64: %w", err)
	}
	if len(userData) > 0 {
		in.UserData = userData
	}
	return in, nil
}

// oracleNetwork asks for the VNICs: virtual network cards. A machine without their description has DHCP.
func (c *client) oracleNetwork(ctx context.Context) (*instance.Network, error) {
	body, err := c.get(ctx, "vnics/")
	if errors.Is(err, machine.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	vnics, err := conf.ReadJSON(body)
	if _, ok := vnics.([]any); !ok || err != nil {
		c.e.warn("%s should be a list of network cards in JSON; it is left out", machine.PublicURL(join(c.base, "vnics/")))
		return nil, nil
	}
	document := map[string]any{"vnics": vnics}
	if c.e.bootsFromISCSI() {
		document["keep_configuration"] = true
	}
	return described("oracle", document), nil
}

// hasKlibc says that the initramfs wrote down the network that it set up.
func (e *Env) hasKlibc() bool {
	names, _ := e.Machine.Files.List("/run")
	for _, name := range names {
		if strings.HasSuffix(name, ".conf") && (strings.HasPrefix(name, "net-") || strings.HasPrefix(name, "net6-")) {
			return true
		}
	}
	return false
}

// bootsFromISCSI says whether the firmware started from a disk over the network: a target of its iSCSI Boot Firmware Table
// is valid (1) and was chosen (2).
func (e *Env) bootsFromISCSI() bool {
	const table = "/sys/firmware/ibft"
	names, _ := e.Machine.Files.List(table)
	for _, name := range names {
		text, _ := e.Machine.Files.Read(table + "/" + name + "/flags")
		if flags, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && strings.HasPrefix(name, "target") && flags&3 == 3 {
			return true
		}
	}
	return false
}
