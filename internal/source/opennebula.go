package source

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"path"
	"sort"
	"strings"

	"openguest/internal/instance"
)

// openNebula is the source of machines on OpenNebula.
func openNebula() *Source {
	return &Source{
		Name: "OpenNebula",
		Doc: "The file context.sh on OpenNebula's context disc, or in the seed folder opennebula. It is read, and not run: values are plain " +
			"words or stand in quotes. SSH_PUBLIC_KEY, SET_HOSTNAME, USER_DATA, USER_DATA_ENCODING and ETHx_… are known.",
		Match: anyOf(seeded("opennebula", "meta-data"), label("CONTEXT", "CDROM")),
		Fetch: fetchOpenNebula,
	}
}

// openNebulaID is the name that cloud-init has for every machine of OpenNebula. It proves nothing, but there is no other.
const openNebulaID = "iid-dsopennebula"

// fetchOpenNebula reads the first context that there is.
func fetchOpenNebula(_ context.Context, e *Env) (*instance.Instance, error) {
	seed, text, err := contextOf(e)
	if err != nil {
		return nil, err
	}
	vars, err := parseContext(text)
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %s: %w", ErrSilent, seed, contextFile, err)
	}
	mode := cmp.Or(vars["DSMODE"], scalar(e.config("OpenNebula").Get("dsmode")), modeNet)
	switch {
	case mode == modeDisabled:
		return nil, fmt.Errorf("%w: its dsmode is disabled", ErrAbsent)
	case mode != modeLocal && mode != modeNet:
		e.warn("invalid dsmode '%s', using default=%s", mode, modeNet)
		mode = modeNet
	}
	place := "config-disk (" + seed + ")"
	if !strings.HasPrefix(seed, "/dev/") {
		place = "seed-dir (" + seed + ")"
	}
	meta := map[string]any{"instance-id": openNebulaID}
	for name, value := range vars {
		meta[name] = value
	}
	in := &instance.Instance{Source: "OpenNebula", Detail: "DataSourceOpenNebula [seed=" + seed + "][dsmode=" + mode + "]", Cloud: "opennebula", Platform: "opennebula",
		Subplatform: place, Mode: mode, ID: openNebulaID, Hostname: firstOf(vars, "SET_HOSTNAME", "HOSTNAME", "PUBLIC_IP", "IP_PUBLIC", "ETH0_IP"),
		UserData: contextUserData(e, vars), Network: contextNetwork(e, vars), Metadata: meta}
	for line := range strings.Lines(firstOf(vars, "SSH_KEY", "SSH_PUBLIC_KEY")) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#") {
			in.Keys = append(in.Keys, instance.Key{Line: line})
		}
	}
	if in.Hostname != "" {
		meta["local-hostname"] = in.Hostname
	}
	meta["public-keys"] = plainList(in.PublicKeys())
	in.Sensitive = []string{"ds/meta_data/USER_DATA", "ds/meta_data/USERDATA", "ds/meta_data/PASSWORD"}
	return in, nil
}

// firstOf is the first of several variables that is set.
func firstOf(vars map[string]string, names ...string) string {
	for _, name := range names {
		if value, there := vars[name]; there {
			return value
		}
	}
	return ""
}

// contextFile is the file with the variables.
const contextFile = "context.sh"

// contextOf is the context in the seed folder, or on a disc, those labelled for it first.
func contextOf(e *Env) (seed, text string, err error) {
	folder := path.Join(e.Seed, "opennebula")
	if text, err := e.Machine.Files.Read(path.Join(folder, contextFile)); err == nil {
		return folder, text, nil
	}
	devices, err := e.Machine.Disks.Labelled()
	if err != nil {
		e.warn("look for discs: %v", err)
	}
	rank := map[string]int{"CONTEXT": 2, "CDROM": 1}
	sort.SliceStable(devices, func(i, j int) bool {
		a, b := devices[i], devices[j]
		return rank[a.Label] > rank[b.Label] || rank[a.Label] == rank[b.Label] && a.Path < b.Path
	})
	for _, d := range devices {
		if rank[d.Label] == 0 && d.Type != "iso9660" {
			continue
		}
		files, closeDisc, err := e.Machine.Disks.Mount(d)
		if err != nil {
			e.warn("%s was not mountable: %v", d.Path, err)
			continue
		}
		text, err := files.Read("/" + contextFile)
		closeDisc()
		if err == nil {
			return d.Path, text, nil
		}
	}
	return "", "", fmt.Errorf("%w: no seed folder and no disc holds %s", ErrAbsent, contextFile)
}

// contextUserData is the user-data; it is base64 where that is said.
func contextUserData(e *Env, vars map[string]string) []byte {
	text := firstOf(vars, "USER_DATA", "USERDATA")
	if firstOf(vars, "USERDATA_ENCODING", "USER_DATA_ENCODING") != "base64" {
		return []byte(text)
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		e.warn("Failed base64 decoding of userdata: %v; it is left out", err)
		return nil
	}
	return data
}
