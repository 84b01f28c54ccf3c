package metadata

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Azure's Instance Metadata Service: https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service.
//
//	request                                  answer
//	without Metadata: true                   400
//	with X-Forwarded-For                     400
//	/metadata/versions                       the versions
//	/metadata/instance without api-version,  400 with the newest versions
//	or with one that is not
//	/metadata/instance and folders below     JSON; with format=text names
//	a value below                            with format=text; JSON otherwise is refused
//	userData                                 base64, from 2021-01-01 on

var azureVersions = strings.Fields(`2017-03-01 2017-04-02 2017-08-01 2017-10-01 2017-12-01 2018-02-01 2018-04-02 2018-10-01 2019-02-01 2019-03-11
	2019-04-30 2019-06-01 2019-06-04 2019-08-01 2019-08-15 2019-11-01 2020-06-01 2020-07-15 2020-09-01 2020-10-01 2020-12-01 2021-01-01 2021-02-01
	2021-03-01 2021-05-01 2021-08-01 2021-10-01 2021-11-01 2021-11-15 2021-12-13 2023-07-01`)

func azureMine(r *request) bool {
	_, ours := below(r.path, "/metadata")
	return ours
}

func azureReply(r *request) reply {
	rest, _ := below(r.path, "/metadata")
	switch {
	case !strings.EqualFold(r.header.Get("Metadata"), "true"):
		return azureError(http.StatusBadRequest, "Bad request. Required metadata header not specified")
	case r.header.Get("X-Forwarded-For") != "":
		return azureError(http.StatusBadRequest, "Bad request. Requests that were forwarded are not answered")
	case !r.reads():
		return azureError(http.StatusMethodNotAllowed, "Method not allowed")
	case rest == "versions":
		return answer(http.StatusOK, compact(map[string]any{"apiVersions": azureVersions}), "application/json; charset=utf-8")
	}
	path, ours := below(rest, "instance")
	if !ours {
		return azureError(http.StatusNotFound, "Not found")
	}
	version := r.query.Get("api-version")
	if !slices.Contains(azureVersions, version) {
		return azureWrongVersion(version)
	}
	return azureNode(azureTree(r.view, version).find(path), strings.ToLower(r.query.Get("format")))
}

func azureNode(n *node, format string) reply {
	switch {
	case n == nil:
		return azureError(http.StatusNotFound, "Not found")
	case format == "text" && n.folder:
		return answer(http.StatusOK, n.listing(), "text/plain; charset=utf-8")
	case format == "text":
		return answer(http.StatusOK, n.plain(), "text/plain; charset=utf-8")
	case !n.folder:
		return azureError(http.StatusBadRequest, "Bad request. The requested key needs format=text")
	}
	var out bytes.Buffer
	n.writeJSON(&out)
	return answer(http.StatusOK, out.String(), "application/json; charset=utf-8")
}

func azureError(status int, why string) reply {
	return answer(status, compact(map[string]string{"error": why}), "application/json; charset=utf-8")
}

func azureWrongVersion(version string) reply {
	why := "Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds"
	if version != "" {
		why = "Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds"
	}
	newest := slices.Clone(azureVersions[len(azureVersions)-3:])
	slices.Reverse(newest)
	body := struct {
		Error  string   `json:"error"`
		Newest []string `json:"newest-versions"`
	}{why, newest}
	return answer(http.StatusBadRequest, compact(body), "application/json; charset=utf-8")
}

func azureTree(v View, version string) *node {
	i := v.Instance
	compute := folder(
		text("azEnvironment", "AzurePublicCloud"), text("customData", ""), text("location", i.region()), text("name", i.Name), text("offer", ""),
		at("osProfile", folder(text("adminUsername", azureUser(v)), text("computerName", short(i.hostname())), text("disablePasswordAuthentication", "true"))),
		text("osType", "Linux"), text("placementGroupId", ""), text("platformFaultDomain", "0"), text("platformUpdateDomain", "0"),
		text("provider", "Microsoft.Compute"), at("publicKeys", azureKeys(v)), text("publisher", ""), text("resourceGroupName", v.Project.ID),
		text("sku", i.Image), text("subscriptionId", v.Project.Account), text("tags", azureTags(i)), text("version", ""),
		text("vmId", i.uuid("azure")), text("vmSize", i.MachineType), text("zone", i.Zone),
	)
	if version >= "2021-01-01" {
		compute.entries = append(compute.entries, text("userData", base64.StdEncoding.EncodeToString(i.UserData)))
	}
	slices.SortFunc(compute.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var nics []*node
	for n := range i.NICs {
		nics = append(nics, azureNIC(&i.NICs[n]))
	}
	return folder(at("compute", exactly(compute)), at("network", folder(at("interface", array(nics...)))))
}

func exactly(n *node) *node { n.exact = true; return n }

func azureUser(v View) string {
	for _, k := range v.Instance.SSHKeys {
		if user, _, ok := userKey(k); ok {
			return user
		}
	}
	return "azureuser"
}

func azureKeys(v View) *node {
	var all []*node
	for _, k := range v.publicKeys() {
		all = append(all, folder(text("keyData", k), text("path", "/home/"+azureUser(v)+"/.ssh/authorized_keys")))
	}
	return array(all...)
}

func azureTags(i *Instance) string {
	all := slices.Clone(i.Tags)
	for name := range i.Labels {
		all = append(all, name+":"+i.Labels[name])
	}
	slices.Sort(all)
	return strings.Join(all, ";")
}

func azureNIC(nic *NIC) *node {
	family := func(v6 bool) *node {
		var addresses, subnets []*node
		for n, p := range nic.prefixes(v6) {
			one := folder(text("privateIpAddress", p.Addr().String()))
			if !v6 {
				one.entries = append(one.entries, text("publicIpAddress", map[bool]string{true: nic.PublicIP}[n == 0]))
				subnets = append(subnets, folder(text("address", p.Masked().Addr().String()), text("prefix", strconv.Itoa(p.Bits()))))
			}
			addresses = append(addresses, one)
		}
		all := folder(at("ipAddress", array(addresses...)))
		if !v6 {
			all.entries = append(all.entries, at("subnet", array(subnets...)))
		}
		return all
	}
	mac := strings.ToUpper(strings.ReplaceAll(nic.MAC, ":", ""))
	return folder(at("ipv4", family(false)), at("ipv6", family(true)), text("macAddress", mac))
}

// short is a host's name without its domain.
func short(name string) string {
	first, _, _ := strings.Cut(name, ".")
	return first
}
