package source

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// smartOS is the source of machines and zones of SmartOS.
func smartOS() *Source {
	return &Source{
		Name:  "SmartOS",
		Doc:   "What SmartOS says on the second serial line of a machine, or on the metadata socket of a zone.",
		Match: anyOf(dmi("product_name", "SmartDC*"), zone()),
		Fetch: fetchSmartOS,
	}
}

// zoneSocket is where SmartOS answers in a zone.
const zoneSocket = "/native/.zonecontrol/metadata.sock"

// zone is a zone of SmartOS that runs Linux's programs. The socket tells it from a container inside of one.
func zone() sign {
	return sign{"zone of SmartOS", func(f *machine.Facts, e *Env) string {
		if f.KernelVersion() != "BrandZ virtual linux" || !machine.Exists(e.Machine.Files, zoneSocket) {
			return ""
		}
		return "the kernel is BrandZ virtual linux, and there is " + zoneSocket
	}}
}

// smartKeys are SmartOS' names for cloud-init's; those of the last three have JSON as their value.
func smartKeys() [][2]string {
	return [][2]string{{"instance-id", "sdc:uuid"}, {"local-hostname", "hostname"}, {"public-keys", "root_authorized_keys"}, {"user-script", "user-script"},
		{"legacy-user-data", "user-data"}, {"user-data", "cloud-init:user-data"}, {"iptables_disable", "iptables_disable"}, {"motd_sys_info", "motd_sys_info"},
		{"availability_zone", "sdc:datacenter_name"}, {"vendor-data", "sdc:vendor-data"}, {"operator-script", "sdc:operator-script"},
		{"hostname", "sdc:hostname"}, {"dns_domain", "sdc:dns_domain"}, {"network-data", "sdc:nics"}, {"dns_servers", "sdc:resolvers"}, {"routes", "sdc:routes"}}
}

// fetchSmartOS asks for all keys.
func fetchSmartOS(ctx context.Context, e *Env) (*instance.Instance, error) {
	isZone := e.Machine.Facts.KernelVersion() == "BrandZ virtual linux"
	name := cmp.Or(scalar(e.config("SmartOS").Get("serial_device")), hostLine)
	if isZone {
		name = cmp.Or(scalar(e.config("SmartOS").Get("metadata_sockfile")), zoneSocket)
	}
	ctx, cancel := within(ctx, seconds(e.config("SmartOS").Get("serial_timeout"), time.Minute))
	defer cancel()
	c, err := e.openSmart(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	defer c.line.Close()
	meta, err := c.metadata(e, isZone)
	if err != nil {
		return nil, fmt.Errorf("%w: ask on %s: %w", ErrSilent, name, err)
	}
	id := textAt(meta, "instance-id")
	if !isIdentity(id) {
		return nil, fmt.Errorf("%w: the host on %s says no uuid", ErrSilent, name)
	}
	in := e.smartInstance(id, meta, isZone)
	in.Detail = "DataSourceSmartOS [client=JoyentMetadataLegacySerialClient(device=" + name + ", timeout=" + cmp.Or(scalar(e.config("SmartOS").Get("serial_timeout")), "60") + ")]"
	if isZone {
		in.Detail = "DataSourceSmartOS [client=JoyentMetadataSocketClient(socketpath=" + name + ")]"
	}
	return in, nil
}

// metadata are all keys with their values; nil where there is none. On a serial line some may be base64, for an older version of the
// protocol.
func (c *smartClient) metadata(e *Env, isZone bool) (map[string]any, error) {
	isPacked := func(string) bool { return false }
	if !isZone {
		var err error
		if isPacked, err = c.packed(); err != nil {
			return nil, err
		}
	}
	meta := map[string]any{}
	keys := smartKeys()
	for i, key := range keys {
		text, there, err := c.get(key[1])
		if err != nil {
			return nil, err
		}
		if isPacked(key[1]) {
			if plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
				text = string(plain)
			} else {
				e.warn("Failed base64 decoding key '%s'", key[1])
			}
		}
		meta[key[0]] = nil
		switch {
		case !there:
		case i < len(keys)-3 && !slices.Contains([]string{"user-script", "user-data", "cloud-init:user-data", "sdc:vendor-data", "sdc:operator-script"}, key[1]):
			meta[key[0]] = strings.TrimSpace(text)
		case i < len(keys)-3:
			meta[key[0]] = text
		default:
			if meta[key[0]], err = conf.ReadJSON([]byte(text)); err != nil {
				return nil, fmt.Errorf("read %s: %w", key[1], err)
			}
		}
	}
	return meta, nil
}

// packed says which keys have their value in base64: all, those that base64_keys lists, and each for which b64-KEY is true.
func (c *smartClient) packed() (func(key string) bool, error) {
	all, _, err := c.get("base64_all")
	if err != nil {
		return nil, err
	}
	list, _, err := c.get("base64_keys")
	if err != nil {
		return nil, err
	}
	named := strings.Split(list, ",")
	for _, key := range smartKeys() {
		if value, there, err := c.get("b64-" + key[1]); err != nil {
			return nil, err
		} else if there && isTrue(value) {
			named = append(named, key[1])
		}
	}
	plain := []string{"iptables_disable", "motd_sys_info", "root_authorized_keys", "sdc:datacenter_name", "user-script"}
	return func(key string) bool {
		return !slices.Contains(plain, key) && (isTrue(all) || slices.Contains(named, key))
	}, nil
}

// isTrue reads a word for yes.
func isTrue(word string) bool {
	return slices.Contains([]string{"true", "1", "on", "yes"}, strings.ToLower(strings.TrimSpace(word)))
}

// smartInstance is the instance that the keys describe.
func (e *Env) smartInstance(id string, meta map[string]any, isZone bool) *instance.Instance {
	host := cmp.Or(textAt(meta, "local-hostname"), textAt(meta, "hostname"), id)
	meta["local-hostname"] = host
	e.keepSmartFiles(id, meta)
	in := &instance.Instance{Source: "SmartOS", Cloud: "joyent", Platform: "joyent", Subplatform: "serial (" + hostLine + ")", Mode: modeNet,
		ID: id, Hostname: host, Zone: textAt(meta, "availability_zone"), Keys: keyLines(e, "root_authorized_keys", meta["public-keys"]),
		UserData: bytesAt(meta, "user-data"), VendorData: bytesAt(meta, "vendor-data"), Metadata: meta}
	if nics := listAt(meta, "network-data"); nics != nil {
		in.Network = described("v1", smartNetwork(nics, meta))
	}
	if !isZone {
		in.Config = []byte(conf.JSON(map[string]any{
			"disk_setup": map[string]any{"ephemeral0": map[string]any{"table_type": "mbr", "layout": false, "overwrite": false}},
			"fs_setup":   []any{map[string]any{"label": "ephemeral0", "filesystem": "ext4", "device": "ephemeral0"}}}))
	}
	return in
}
