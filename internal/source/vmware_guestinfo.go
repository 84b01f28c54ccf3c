package source

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// guestData is what VMware was given for the machine, decoded.
type guestData struct {
	way    string // "envvar" or "guestinfo", as cloud-init calls it
	key    string // of the metadata there
	values map[string]string
	config []byte // what guest customization says besides, as configuration
}

// fetchVMware reads the environment, else guestinfo, else what VMware's tools left to be carried out once. All are local: no
// network is needed. Where nothing is there any more, the machine stays what it was made.
func fetchVMware(ctx context.Context, e *Env) (*instance.Instance, error) {
	data, err := guestDataOf(e)
	if err == nil && data == nil && e.isOnVMware() {
		data, err = e.customized(ctx)
	}
	switch last := e.Last; {
	case err != nil:
		return nil, err
	case data == nil && last != nil && last.Source == "VMware":
		return last, nil
	case data == nil:
		return nil, fmt.Errorf("%w: neither VMX_GUESTINFO in the environment nor guestinfo nor guest customization has anything", ErrAbsent)
	}
	meta, err := guestMeta(e, data)
	if err != nil {
		return nil, err
	}
	network := guestNetwork(e, meta)
	in := standard(e, meta)
	if in.ID = scalar(meta.Get("instance-id")); in.ID == "" {
		in.ID = e.hardwareID()
	}
	if in.ID == "" {
		return nil, fmt.Errorf("%w: neither guestinfo.metadata nor the firmware says an instance-id", ErrSilent)
	}
	in.Source, in.Detail, in.Mode = "VMware", "DataSourceVMware [seed="+data.way+"]", modeNet
	in.Cloud, in.Platform, in.Subplatform = cmp.Or(in.Cloud, "vmware"), "vmware", data.way+" ("+data.key+")"
	in.Config = data.config
	in.UserData, in.VendorData, in.Network = []byte(data.values["userdata"]), []byte(data.values["vendordata"]), network
	in.Metadata["instance-id"] = in.ID
	in.Keys = nil
	for _, key := range []string{"public-keys-data", "public_keys_data", "public-keys", "public_keys"} {
		if v := meta.Get(key); v != nil {
			in.Keys = keysOf(e, v)
			break
		}
	}
	if data.way == "guestinfo" {
		e.redactGuestInfo(ctx, meta)
	}
	return in, nil
}

// redactGuestInfo empties the keys that the metadata names. What stands there then is YAML.
func (e *Env) redactGuestInfo(ctx context.Context, meta *conf.Value) {
	keys := meta.Get("redact")
	if keys == nil {
		keys = meta.Get("cleanup-guestinfo")
	}
	for _, key := range keys.Strings() {
		e.info("clearing guestinfo.%s", key)
		e.tellVMware(ctx, "info-set guestinfo."+key+" ---")
		e.tellVMware(ctx, "info-set guestinfo."+key+".encoding  ")
	}
}

// hardwareID is the firmware's uuid. The machine keeps its id where that is the same, written another way: old kernels write
// it in capitals, and old firmware turns it round.
func (e *Env) hardwareID() string {
	id := strings.ToLower(e.Machine.Facts.DMI("product_uuid"))
	if e.Last != nil && id != "" && machine.SameUUID(e.Last.ID, id) {
		return e.Last.ID
	}
	return id
}

// guestDataOf is what there is in the environment or in guestinfo; nil where that is nothing.
func guestDataOf(e *Env) (*guestData, error) {
	f := e.Machine.Facts
	places := []*guestData{{way: "envvar", key: "VMX_GUESTINFO_METADATA"}, {way: "guestinfo", key: "guestinfo.metadata"}}
	read := []func(key string) string{
		func(key string) string {
			return f.Environment("VMX_GUESTINFO_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")))
		},
		func(key string) string { return guestInfo(e, key) },
	}
	for i, from := range places {
		if i == 0 && f.Environment("VMX_GUESTINFO") == "" || i == 1 && !e.isOnVMware() {
			continue
		}
		if err := from.read(read[i]); err != nil || len(from.values) > 0 {
			return from, err
		}
	}
	return nil, nil
}

func (e *Env) isOnVMware() bool { return e.Machine.Facts.Virtualization() == "vmware" }

// read takes in the three values, as their encodings say.
func (d *guestData) read(get func(key string) string) error {
	d.values = map[string]string{}
	for _, key := range guestInfoKeys() {
		text := strings.TrimRight(get(key), " \t\r\n")
		if text == "" || text == "---" {
			continue
		}
		plain, err := guestDecoded(strings.TrimSpace(get(key+".encoding")), text)
		if err != nil {
			return fmt.Errorf("%w: read guestinfo.%s: %w", ErrSilent, key, err)
		}
		d.values[key] = plain
	}
	return nil
}

// maxGuestInfo is how large a packed value of guestinfo may be once it is unpacked.
const maxGuestInfo = 32 << 20

// guestDecoded is a text in one of the encodings that VMware's documentation for cloud-init names; any other is plain.
func guestDecoded(encoding, text string) (string, error) {
	isPacked := encoding == "gzip+base64" || encoding == "gz+b64"
	if !isPacked && encoding != "base64" && encoding != "b64" {
		return text, nil
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || !isPacked {
		return string(data), err
	}
	return conf.Gunzip(string(data), maxGuestInfo)
}

// guestMeta is the metadata, which is JSON or YAML; its network is decoded, and stands below config as cloud-init keeps it.
func guestMeta(e *Env, d *guestData) (*conf.Value, error) {
	meta, err := parseMeta(e, "guestinfo.metadata", []byte(d.values["metadata"]))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	network := meta.Get("network")
	if network.IsNull() {
		return meta, nil
	}
	if network.Kind == conf.String {
		text, err := guestDecoded(scalar(meta.Get("network.encoding")), network.Text)
		if err == nil {
			network, _, err = conf.Parse("guestinfo.metadata: network", []byte(text))
		}
		if err != nil {
			e.warn("the network's description is left out: %v", err)
			network = nil
		}
	}
	name := &conf.Value{Kind: conf.String, Text: "config"}
	return with(meta, "network", &conf.Value{Kind: conf.Map, Origin: meta.Origin, Pairs: []conf.Pair{{Key: name, Value: network}}}), nil
}

// guestNetwork is the network's description out of the metadata.
func guestNetwork(e *Env, meta *conf.Value) *instance.Network {
	v := meta.At("network", "config")
	if v.IsNull() {
		return nil
	}
	return parseNetwork(e, "guestinfo.metadata: network", []byte(conf.JSON(plain(v.Data()))))
}
