package source

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// An openStackTree reads OpenStack's documents, which are the same on a server and on a disk. See
// https://docs.openstack.org/nova/latest/user/metadata.html.
type openStackTree struct {
	e     *Env
	place string // the address, the device or the folder above openstack/, for texts
	// read is what stands under names, each a body or an error.
	read func(names ...string) ([][]byte, []error)
}

// newestVersion is the newest version of the tree that cloud-init knows among those that are there.
func newestVersion(there []string) string {
	const known = "2018-08-27 2017-02-22 2016-10-06 2016-06-30 2015-10-15 2013-10-17 2013-04-04 2012-08-10"
	for version := range strings.FieldsSeq(known) {
		if slices.Contains(there, version) {
			return version
		}
	}
	return "latest"
}

// instance is what the documents of the newest of some versions say. Who the machine is and what its user wants must be
// known for sure; what else cannot be had is said and left out.
func (t openStackTree) instance(versions []string) (*instance.Instance, error) {
	dir := "openstack/" + newestVersion(versions) + "/"
	names := []string{dir + "meta_data.json", dir + "user_data", dir + "vendor_data.json", dir + "vendor_data2.json", dir + "network_data.json"}
	bodies, errs := t.read(names...)
	if errs[0] != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, errs[0])
	}
	if errs[1] != nil && !isRefused(errs[1]) {
		return nil, fmt.Errorf("%w: %w", ErrSilent, errs[1])
	}
	meta, err := object(t.at(names[0]), bodies[0])
	if err != nil {
		return nil, err
	}
	in, err := t.described(names[0], meta)
	if err != nil {
		return nil, err
	}
	in.UserData = bodies[1]
	data := make([]any, len(names))
	for i := 2; i < len(names); i++ {
		data[i] = t.optional(names[i], bodies[i], errs[i])
	}
	in.VendorData, in.VendorData2 = vendorData(t.e, t.at(names[2]), data[2]), vendorData(t.e, t.at(names[3]), data[3])
	in.Tree = map[string]any{"network_json": data[4]}
	if data[4] != nil {
		in.Network = &instance.Network{Kind: "network_data", Document: bodies[4]}
	}
	return in, nil
}

// at is where a document is, for texts.
func (t openStackTree) at(name string) string { return join(t.place, name) }

// described is the instance that meta_data.json describes. Its names become cloud-init's.
func (t openStackTree) described(name string, meta map[string]any) (*instance.Instance, error) {
	id, _ := meta["uuid"].(string)
	if id == "" {
		return nil, fmt.Errorf("%w: %s has no uuid", ErrSilent, t.at(name))
	}
	meta["instance-id"] = id
	if host, ok := meta["hostname"]; ok {
		meta["local-hostname"] = host
	}
	seed := t.seed(name, meta)
	in := standard(t.e, conf.Of(meta, conf.Origin{Part: t.at(name)}))
	in.ID, in.Metadata, in.RandomSeed = id, meta, seed
	in.Keys = keyLines(t.e, t.at(name), meta["public_keys"])
	return in, nil
}

// seed unpacks the bytes for the kernel's random numbers.
func (t openStackTree) seed(name string, meta map[string]any) []byte {
	given, ok := meta["random_seed"]
	if !ok {
		return nil
	}
	text, _ := given.(string)
	seed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || text == "" {
		t.e.warn("%s: random_seed should be a text in base64; it is left out", t.at(name))
		delete(meta, "random_seed")
		return nil
	}
	meta["random_seed"] = seed
	return seed
}

// optional reads a document of JSON that need not be there.
func (t openStackTree) optional(name string, body []byte, err error) (data any) {
	if err == nil {
		data, err = conf.ReadJSON(body)
	} else if isRefused(err) {
		t.e.debug("there is no %s: %v", t.at(name), err)
		return nil
	}
	if err != nil {
		t.e.warn("read %s: %v; it is left out", t.at(name), err)
	}
	return data
}

// isRefused says that there is no such thing for us, and that asking again would not help.
func isRefused(err error) bool { return isMissing(err) || isRefusal(err) }

// dsmode is the first of several modes that is given.
func dsmode(e *Env, given ...*conf.Value) string {
	for _, v := range given {
		if v.IsNull() {
			continue
		}
		switch mode := scalar(v); mode {
		case modeLocal, modeNet, modePass, modeDisabled:
			return mode
		default:
			e.warn("invalid dsmode '%s', using default=%s", mode, modeNet)
			return modeNet
		}
	}
	return modeNet
}

// metaMode is the mode that the instance's owner gave: a property of the instance in OpenStack.
func metaMode(in *instance.Instance) *conf.Value {
	return conf.Of(in.Metadata["meta"], conf.Origin{}).Get("dsmode")
}

// checkUUID compares the recorded id with that of the hardware: OpenStack gives its machines the same.
func checkUUID(_ context.Context, e *Env, last *instance.Instance) bool {
	return last.ID != "" && machine.SameUUID(last.ID, e.Machine.Facts.DMI("product_uuid"))
}
