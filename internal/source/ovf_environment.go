package source

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// fetchOVF reads the environment where it is, and the seed that it may name. What both say, the environment says.
func fetchOVF(ctx context.Context, e *Env) (*instance.Instance, error) {
	place, text := ovfSource(e)
	if text == "" {
		return nil, fmt.Errorf("%w: no seed folder, no guestinfo.ovfEnv and no disc holds an environment", ErrAbsent)
	}
	s, config, err := readOVF(e, place, text)
	if err != nil {
		return nil, err
	}
	g := &gathering{e: e, meta: &conf.Value{Kind: conf.Map}}
	g.add(place, s)
	if scalar(s.meta.Get("seedfrom")) != "" {
		err := g.follow(ctx)
		if err != nil {
			return nil, err
		}
		g.network = s.network
	}
	in := standard(e, withDefault(g.meta, "instance-id", ovfID))
	in.ID = cmp.Or(scalar(g.meta.Get("instance-id")), ovfID)
	if last := e.Last; in.ID == ovfID && last != nil && last.Source == "OVF" && last.ID != ovfID {
		return nil, fmt.Errorf("%w: the environment says no instance-id, and this machine was %s", ErrSilent, last.ID)
	}
	from := strings.Join(g.places, ",")
	in.Source, in.Detail, in.Mode = "OVF", "DataSourceOVF [seed="+from+"]", modeNet
	in.Cloud, in.Platform, in.Subplatform = cmp.Or(in.Cloud, "ovf"), "ovf", "ovf ("+from+")"
	in.UserData, in.VendorData, in.Network, in.Config = g.user, g.vendor, g.network, config
	return in, nil
}

// ovfID is the name of a machine whose environment gives it none. It proves nothing.
const ovfID = "iid-dsovf"

// ovfSource is the environment, and where it is as cloud-init calls that.
func ovfSource(e *Env) (place, text string) {
	for _, name := range []string{path.Join(e.Seed, "ovf", ovfEnvironment), path.Join(e.Seed, ovfEnvironment)} {
		if text, err := e.Machine.Files.Read(name); err == nil {
			return name, text
		}
	}
	if e.Machine.Facts.Virtualization() == "vmware" {
		if text := guestInfo(e, "ovfEnv"); text != "" {
			return "com.vmware.guestInfo", text
		}
	}
	devices, err := e.Machine.Disks.Labelled()
	if err != nil {
		e.warn("look for discs: %v", err)
	}
	for _, d := range devices {
		if d.Type != "iso9660" || !isDrive(d.Path) {
			continue
		}
		if text := ovfTextOn(e, d); text != "" {
			return "iso", text
		}
	}
	return "", ""
}

// readOVF is what the properties of an environment mean. A password is configuration, not metadata.
func readOVF(e *Env, place, text string) (s seed, config []byte, err error) {
	all, err := xmlTexts(place, []byte(text))
	if err != nil {
		return s, nil, err
	}
	meta := map[string]any{}
	const property = "Environment/PropertySection/Property"
	var key, value string
	for _, t := range all {
		switch t.path {
		case property + "/@key":
			key = t.text
		case property + "/@value":
			value = t.text
		case property:
			switch key {
			case "hostname":
				meta["local-hostname"] = value
			case "seedfrom", "local-hostname", "public-keys", "instance-id":
				meta[key] = value
			case "password":
				config = []byte(conf.JSON(map[string]any{"password": value}))
			case "user-data":
				s.user = orPlain(value)
			case "network-config":
				s.network = parseNetwork(e, place+": network-config", orPlain(value))
			}
			key, value = "", ""
		}
	}
	s.meta = conf.Of(meta, conf.Origin{Part: place})
	return s, config, nil
}

// orPlain is data that is base64, or else the text itself.
func orPlain(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return []byte(text)
	}
	return data
}
