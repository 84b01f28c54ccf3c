package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// rbxCloud is the source of machines on RbxCloud.
func rbxCloud() *Source {
	return &Source{
		Name:  "RbxCloud",
		Doc:   "A disk of Rbx Cloud labelled CLOUDMD, with the files cloud.json and user.data.",
		Match: anyOf(label("CLOUDMD", "cloudmd")),
		Fetch: fetchRbxCloud,
	}
}

// fetchRbxCloud reads the first disk that has the file.
func fetchRbxCloud(_ context.Context, e *Env) (*instance.Instance, error) {
	broken := ErrAbsent
	for _, d := range labelled(e.Machine.Facts, e, "CLOUDMD", "cloudmd") {
		in, err := e.rbxDisk(d)
		if err == nil {
			return in, nil
		}
		e.warn("%s cannot be used: %v", d.Path, err)
		broken = ErrSilent
	}
	return nil, fmt.Errorf("%w: no disk labelled CLOUDMD holds a good cloud.json", broken)
}

// rbxDisk reads the files of a disk.
func (e *Env) rbxDisk(d machine.Device) (*instance.Instance, error) {
	files, closeDisk, err := e.Machine.Disks.Mount(d)
	if err != nil {
		return nil, err
	}
	defer closeDisk()
	text, err := files.Read("/cloud.json")
	if err != nil {
		return nil, err
	}
	doc, err := object(d.Path+": cloud.json", []byte(text))
	if err != nil {
		return nil, err
	}
	id, name := textAt(doc, "vm", "_id"), textAt(doc, "vm", "name")
	if !isIdentity(id) || doc["netadp"] == nil {
		return nil, errors.New("cloud.json has no vm._id, or no netadp")
	}
	user, _ := files.Read("/user.data")
	meta := map[string]any{"instance-id": id, "local-hostname": name, "public-keys": []any{}}
	return &instance.Instance{
		Source: "RbxCloud", Detail: "DataSourceRbxCloud [seed=None]", Cloud: "rbxcloud", Platform: "rbxcloud", Subplatform: "unknown", Mode: modeNet,
		ID: id, Hostname: name, UserData: []byte(user), Metadata: meta, Network: described("v1", rbxNetwork(doc)), Config: e.rbxConfig(doc),
	}, nil
}

// rbxConfig is what the disk says of the default user.
func (e *Env) rbxConfig(doc map[string]any) []byte {
	more := doc["additionalMetadata"]
	name := textAt(more, "username")
	user := map[string]any{"gecos": name, "sudo": []any{"ALL=(ALL) NOPASSWD:ALL"}, "lock_passwd": false, "ssh_authorized_keys": listAt(more, "sshKeys")}
	if name != "" {
		user["name"] = name
	}
	if hash := textAt(more, "password", "sha512"); hash != "" {
		user["passwd"] = hash
	}
	hosts, _ := e.Machine.Files.Read("/etc/hosts")
	return []byte(conf.JSON(map[string]any{"ssh_pwauth": true, "disable_root": true, "manage_etc_hosts": hosts == "",
		"system_info": map[string]any{"default_user": user}}))
}

// rbxNetwork is the network as version 1: each card has fixed addresses.
func rbxNetwork(doc map[string]any) map[string]any {
	var config []any
	for i, nic := range listAt(doc, "netadp") {
		subnets := []any{}
		for _, ip := range listAt(nic, "ip") {
			subnets = append(subnets, map[string]any{"type": "static", "control": "auto", "address": textAt(ip, "address"), "netmask": textAt(nic, "network", "netmask"),
				"gateway": textAt(nic, "network", "gateway"), "dns_nameservers": listAt(nic, "network", "dns", "nameservers")})
		}
		config = append(config, map[string]any{"type": "physical", "name": "eth" + strconv.Itoa(i), "mac_address": strings.ToLower(textAt(nic, "macaddress")), "subnets": subnets})
	}
	return map[string]any{"version": 1, "config": config}
}
