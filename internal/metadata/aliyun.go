package metadata

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Alibaba Cloud ECS, as its documentation "Instance metadata" has it: https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata.
// Its paths are EC2's; they are its own where the instance is told no EC2, or where 100.100.100.200 or a header of its own is used.
//
//	request                                  answer
//	PUT /latest/api/token                    a token (header X-aliyun-ecs-metadata-token-ttl-seconds); 400, 403 and 401 as EC2's
//	/2016-01-01/meta-data/                   names
//	/2016-01-01/meta-data/all                the whole tree as JSON
//	/2016-01-01/{user-data,vendor-data}      as they are; 404 where there are none

var (
	aliyunVersions = []string{"2016-01-01", "latest"}
	aliyunAddress  = netip.MustParseAddr("100.100.100.200")
	aliyunSession  = session{life: "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds", token: "X-Aliyun-Ecs-Metadata-Token", fail: aliyunError}
)

func aliyunMine(r *request) bool {
	version, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	switch {
	case r.path == "/":
		return r.view.Instance.only("aliyun", "gce", "openstack", "ec2")
	case !slices.Contains(aliyunVersions, version):
		return false
	}
	return version != "latest" || r.view.Instance.only("aliyun", "ec2") || r.local == aliyunAddress ||
		r.header.Get(aliyunSession.life) != "" || r.header.Get(aliyunSession.token) != ""
}

func aliyunError(status int) reply { return ec2Error(status) }

func aliyunReply(r *request) reply {
	path := strings.TrimPrefix(r.path, "/")
	if path == "latest/api/token" {
		return aliyunSession.issue(r)
	}
	if !r.reads() {
		return aliyunError(http.StatusMethodNotAllowed)
	}
	return aliyunSession.guard(r, func() reply { return aliyunRead(r, path) })
}

func aliyunRead(r *request, path string) reply {
	version, rest, _ := strings.Cut(path, "/")
	if version == "" {
		return ec2Text(strings.Join(aliyunVersions, "\n"))
	}
	if strings.Trim(rest, "/") == "meta-data/all" {
		return answer(http.StatusOK, aliyunAll(r.view), "application/json")
	}
	return ec2Node(aliyunTree(r.view), rest)
}

func aliyunTree(v View) *node {
	tops := given(
		entry{name: "dynamic", node: folder(at("instance-identity", folder(text("document", aliyunDocument(v)))))},
		entry{name: "meta-data", node: aliyunMetaData(v)},
		text("user-data", string(v.Instance.UserData)),
		text("vendor-data", string(v.Instance.VendorData)),
	)
	return folder(tops...)
}

func aliyunMetaData(v View) *node {
	i, nic := v.Instance, v.Instance.nic()
	return folder(given(
		at("dns-conf", folder(given(at("nameservers", words(nic.DNS)))...)),
		text("eipv4", nic.PublicIP),
		text("hostname", i.hostname()),
		text("image-id", i.Image),
		at("instance", folder(given(text("instance-name", i.Name), text("instance-type", i.MachineType))...)),
		text("instance-id", i.ec2ID("aliyun")),
		text("mac", strings.ToLower(nic.MAC)),
		at("network", folder(at("interfaces", folder(at("macs", aliyunMACs(i)))))),
		text("network-type", "vpc"),
		text("owner-account-id", v.Project.Account),
		text("private-ipv4", nic.firstIP(false)),
		at("public-keys", aliyunKeys(v)),
		text("region-id", i.region()),
		text("serial-number", i.uuid("serial")),
		text("zone-id", i.Zone),
	)...)
}

func aliyunKeys(v View) *node {
	names, keys := v.keysByName()
	n := &node{folder: true, exact: true}
	for _, name := range names {
		n.entries = append(n.entries, at(name, folder(text("openssh-key", keys[name]))))
	}
	return n
}

func aliyunMACs(i *Instance) *node {
	macs := folder()
	for n := range i.NICs {
		nic := &i.NICs[n]
		first := func(all []string) string { return append(all, "")[0] }
		var v6 string
		if all := nic.texts(true); len(all) > 0 {
			v6 = "[" + strings.Join(all, ",") + "]"
		}
		macs.entries = append(macs.entries, at(strings.ToLower(nic.MAC), folder(given(
			text("gateway", nic.Gateway),
			text("ipv6-gateway", nic.Gateway6),
			text("ipv6s", v6),
			text("netmask", mask(nic)),
			text("primary-ip-address", nic.firstIP(false)),
			text("private-ipv4s", compact(nic.texts(false))),
			text("vswitch-cidr-block", first(nic.networks(false))),
		)...)))
	}
	return macs
}

// aliyunAll is the tree as one document, with the names as they are.
func aliyunAll(v View) string { return compact(aliyunMetaData(v).plainMap()) }

// plainMap is a folder as maps and texts, with names as they are; lists are lists.
func (n *node) plainMap() any {
	if !n.folder {
		if n.words != nil {
			return n.words
		}
		return n.text
	}
	all := map[string]any{}
	for _, e := range n.entries {
		all[e.name] = e.node.plainMap()
	}
	return all
}

func aliyunDocument(v View) string {
	i := v.Instance
	return compact(map[string]any{
		"owner-account-id": v.Project.Account, "instance-id": i.ec2ID("aliyun"), "mac": strings.ToLower(i.nic().MAC), "region-id": i.region(),
		"serial-number": i.uuid("serial"), "zone-id": i.Zone, "instance-type": i.MachineType, "image-id": i.Image, "private-ipv4": i.nic().firstIP(false),
	})
}
