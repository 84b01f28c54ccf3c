package metadata

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Amazon EC2, as its user guide has it: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html.
// OpenStack tells the same under the versions up to 2009-04-04, without tokens.
//
//	request                                  answer
//	/                                        the versions, one a line
//	PUT /latest/api/token                    a token; 400 without its life (1 to 21600 s), 403 through a proxy
//	another method there                     405 with Allow
//	with a wrong token, or none where one    401
//	is required
//	with a token                             says for how many seconds it is good
//	a folder, with or without its slash      its names; folders but the version's own with a slash, keys as 0=NAME
//	a value                                  text
//	user-data                                as it is; 404 where there is none
//	what is not there, or not yet in that    404
//	version
//
// The page of an error is as people saw it: https://github.com/vmware-archive/salt-contrib/issues/117.

// ec2Versions are EC2's API versions.
var ec2Versions = strings.Fields(`1.0 2007-01-19 2007-03-01 2007-08-29 2007-10-10 2007-12-15 2008-02-01 2008-09-01 2009-04-04 2011-01-01 2011-05-01
	2012-01-12 2014-02-25 2014-11-05 2015-10-20 2016-04-19 2016-06-30 2016-09-02 2018-03-28 2018-08-17 2018-09-24 2019-10-01 2020-10-27 2021-01-03
	2021-03-23 2021-07-15 2022-09-24 2024-04-11 latest`)

// ec2Since says in which version a name of meta-data first was.
var ec2Since = map[string]string{
	"block-device-mapping": "2007-12-15", "placement": "2008-02-01", "instance-action": "2008-09-01", "mac": "2011-01-01", "network": "2011-01-01",
	"metrics": "2011-05-01", "profile": "2011-05-01", "services": "2014-02-25", "instance-life-cycle": "2018-09-24", "tags": "2021-03-23",
}

var ec2Session = session{life: "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", token: "X-Aws-Ec2-Metadata-Token", fail: ec2Error}

func ec2Mine(r *request) bool {
	version, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	return slices.Contains(ec2Versions, version) || r.path == "/" && (r.view.Instance.only("ec2", "gce") || ec2Old(r.view.Instance))
}

// ec2Old says that an instance has EC2's paths because it is on OpenStack.
func ec2Old(i *Instance) bool { return i.only("openstack", "ec2") }

func ec2Reply(r *request) reply {
	path := strings.TrimPrefix(r.path, "/")
	switch {
	case ec2Old(r.view.Instance):
		return openstackEC2(r, ec2Read(r, path))
	case path == "latest/api/token":
		return ec2Session.issue(r)
	case !r.reads():
		return ec2Error(http.StatusMethodNotAllowed)
	}
	return ec2Session.guard(r, func() reply { return ec2Read(r, path) })
}

// openstackEC2 is an answer as OpenStack gives it: without Amazon's headers, and with its own errors.
func openstackEC2(r *request, a reply) reply {
	if a.status != http.StatusOK {
		return openstackNotFound(r)
	}
	return answer(a.status, string(a.body), "text/plain; charset=UTF-8")
}

func ec2Read(r *request, path string) reply {
	version, rest, _ := strings.Cut(path, "/")
	if version == "" {
		return ec2Text(strings.Join(ec2Known(r.view.Instance), "\n"))
	}
	if !slices.Contains(ec2Known(r.view.Instance), version) {
		return ec2Error(http.StatusNotFound)
	}
	if strings.Trim(rest, "/") == "user-data" {
		return ec2UserData(r.view.Instance)
	}
	return ec2Node(ec2Tree(r.view, version), rest)
}

// ec2Known are the versions that an instance is told.
func ec2Known(i *Instance) []string {
	if !ec2Old(i) {
		return ec2Versions
	}
	return append(slices.Clone(ec2Versions[:slices.Index(ec2Versions, "2009-04-04")+1]), "latest")
}

func ec2UserData(i *Instance) reply {
	if len(i.UserData) == 0 {
		return ec2Error(http.StatusNotFound)
	}
	return reply{status: http.StatusOK, body: i.UserData, headers: append(ec2Headers(), [2]string{"Content-Type", "application/octet-stream"})}
}

// ec2Node answers with a node of a tree, as EC2 and those that follow it do.
func ec2Node(tree *node, path string) reply {
	n := tree.find(path)
	switch {
	case n == nil, !n.folder && strings.HasSuffix(path, "/"):
		return ec2Error(http.StatusNotFound)
	case n.folder:
		return ec2Text(n.listing())
	}
	return ec2Text(n.plain())
}

func ec2Headers() [][2]string { return [][2]string{{"Server", "EC2ws"}, {"Accept-Ranges", "none"}} }

func ec2Text(body string) reply { return answer(http.StatusOK, body, "text/plain", ec2Headers()...) }

// ec2Error is EC2's page of an error.
func ec2Error(status int) reply {
	title := fmt.Sprintf("%d - %s", status, http.StatusText(status))
	page := `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
         "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>` + title + `</title>
 </head>
 <body>
  <h1>` + title + `</h1>
 </body>
</html>
`
	return answer(status, page, "text/html", ec2Headers()...)
}

// ec2Tree is what a version tells.
func ec2Tree(v View, version string) *node {
	meta := ec2MetaData(v)
	if version != "latest" {
		meta.entries = slices.DeleteFunc(meta.entries, func(e entry) bool { return ec2Since[e.name] > version })
	}
	tops := []entry{{name: "meta-data", shown: "meta-data", node: meta}}
	if version > "2008" { // "latest" is greater as well
		dynamic := folder(at("instance-identity", folder(text("document", ec2Document(v)))))
		tops = append([]entry{{name: "dynamic", shown: "dynamic", node: dynamic}}, tops...)
	}
	if len(v.Instance.UserData) > 0 {
		tops = append(tops, text("user-data", string(v.Instance.UserData)))
	}
	return folder(tops...)
}

func ec2MetaData(v View) *node {
	i, nic := v.Instance, v.Instance.nic()
	all := given(
		text("ami-id", i.Image),
		text("ami-launch-index", strconv.Itoa(i.LaunchIndex)),
		text("ami-manifest-path", "(unknown)"),
		at("block-device-mapping", ec2Disks(i.Disks)),
		text("hostname", i.hostname()),
		text("instance-action", "none"),
		text("instance-id", i.ec2ID("ec2")),
		text("instance-life-cycle", "on-demand"),
		text("instance-type", i.MachineType),
		text("local-hostname", i.hostname()),
		text("local-ipv4", nic.firstIP(false)),
		text("mac", strings.ToLower(nic.MAC)),
		at("metrics", folder(text("vhostmd", `<?xml version="1.0" encoding="UTF-8"?>`))),
		at("network", folder(at("interfaces", folder(at("macs", ec2MACs(v)))))),
		at("placement", folder(given(text("availability-zone", i.Zone), text("region", i.region()))...)),
		text("profile", "default-hvm"),
		text("public-hostname", ec2PublicName(nic)),
		text("public-ipv4", nic.PublicIP),
		at("public-keys", ec2Keys(v)),
		text("reservation-id", "r-"+fmt.Sprintf("%017x", numberOf(i.Name))[:17]),
		at("security-groups", words(or1(i.Tags, "default"))),
		at("services", folder(text("domain", "amazonaws.com"), text("partition", "aws"))),
	)
	if len(i.Labels) > 0 {
		all = append(all, at("tags", folder(at("instance", attributes(i.Labels, nil)))))
	}
	all = slices.DeleteFunc(all, func(e entry) bool { return e.name == "public-keys" && len(e.node.entries) == 0 })
	return folder(all...)
}

// or1 gives a list, or one value where it is empty.
func or1(all []string, otherwise string) []string {
	if len(all) == 0 {
		return []string{otherwise}
	}
	return all
}

func ec2PublicName(n *NIC) string {
	if n.PublicIP == "" {
		return ""
	}
	return "ec2-" + strings.ReplaceAll(n.PublicIP, ".", "-") + ".compute.amazonaws.com"
}

// ec2Disks maps names to devices. What is not said is the first disk's: ami and root.
func ec2Disks(disks []Disk) *node {
	devices := map[string]string{}
	for n, d := range disks {
		if d.Device == "" {
			continue
		}
		if d.Kind != "" && d.Kind != "PERSISTENT" {
			devices[d.Kind] = d.Device
		} else if n > 0 {
			devices["ebs"+strconv.Itoa(n)] = d.Device
		}
		if n == 0 {
			devices["ami"], devices["root"] = d.Device, d.Device
		}
	}
	n := folder()
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		n.entries = append(n.entries, text(name, devices[name]))
	}
	return n
}

// ec2Keys are shown as 0=NAME; below 0/ is openssh-key.
func ec2Keys(v View) *node {
	names, keys := v.keysByName()
	n := folder()
	for i, name := range names {
		number := strconv.Itoa(i)
		n.entries = append(n.entries, entry{name: number, shown: number + "=" + name, node: folder(text("openssh-key", keys[name]))})
	}
	return n
}

func ec2MACs(v View) *node {
	macs := folder()
	for n := range v.Instance.NICs {
		nic := &v.Instance.NICs[n]
		macs.entries = append(macs.entries, at(strings.ToLower(nic.MAC), ec2NIC(v, nic, n)))
	}
	return macs
}

func ec2NIC(v View, nic *NIC, n int) *node {
	first := func(all []string) string { return append(all, "")[0] }
	return folder(given(
		text("device-number", strconv.Itoa(n)),
		text("interface-id", fmt.Sprintf("eni-%017x", numberOf(nic.MAC)>>4)),
		at("ipv6s", words(nic.texts(true))),
		text("local-hostname", v.Instance.hostname()),
		at("local-ipv4s", words(nic.texts(false))),
		text("mac", strings.ToLower(nic.MAC)),
		text("owner-id", v.Project.Account),
		text("public-hostname", ec2PublicName(nic)),
		text("public-ipv4s", nic.PublicIP),
		text("security-groups", "default"),
		text("subnet-id", fmt.Sprintf("subnet-%017x", numberOf(first(nic.networks(false)))>>4)),
		text("subnet-ipv4-cidr-block", first(nic.networks(false))),
		at("subnet-ipv6-cidr-blocks", words(nic.networks(true))),
		text("vpc-id", fmt.Sprintf("vpc-%017x", numberOf(or(nic.Network, "default"))>>4)),
		text("vpc-ipv4-cidr-block", first(nic.networks(false))),
	)...)
}

// ec2Document is the identity document. It is not signed: nobody could check a signature that is not Amazon's.
func ec2Document(v View) string {
	i := v.Instance
	return compact(map[string]any{
		"accountId": v.Project.Account, "architecture": or(i.Architecture, "x86_64"), "availabilityZone": i.Zone, "imageId": i.Image,
		"instanceId": i.ec2ID("ec2"), "instanceType": i.MachineType, "privateIp": i.nic().firstIP(false), "region": i.region(), "version": "2017-09-30",
		"billingProducts": nil, "devpayProductCodes": nil, "kernelId": nil, "marketplaceProductCodes": nil, "pendingTime": nil, "ramdiskId": nil,
	})
}
