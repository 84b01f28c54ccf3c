package metadata

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Google Compute Engine, as its documentation "View and query VM metadata" has it:
// https://cloud.google.com/compute/docs/metadata/querying-metadata. The table in
// docs/metadata-server.md says where each refusal was seen.
//
//	request                                  answer
//	/                                        computeMetadata/ (no header needed; clients look for Metadata-Flavor in the answer)
//	without Metadata-Flavor: Google          403
//	with X-Forwarded-For                     403
//	a folder without its slash               301 to the same with it, query and all
//	a folder                                 its names, folders with a slash
//	a folder?recursive=true                  JSON in camel case; with alt=text lines of path and value
//	a value                                  text; with alt=json JSON
//	?wait_for_change=true&last_etag=E        held back until its ETag is not E, or timeout_sec have passed
//	PUT, DELETE guest-attributes/NS/KEY      200; 403 where enable-guest-attributes is not set
//	gce-workload-certificates                412: they are not configured
//	what is not there                        404

const gceTop = "/computeMetadata/v1"

func gceMine(r *request) bool {
	_, ours := below(r.path, "/computeMetadata")
	return ours || r.path == "/" && r.view.Instance.only("gce", dialectNames()[1:]...)
}

func gceHeaders(etag string) [][2]string {
	h := [][2]string{{"Metadata-Flavor", "Google"}, {"Server", "Metadata Server for VM"}, {"X-XSS-Protection", "0"}, {"X-Frame-Options", "SAMEORIGIN"}}
	if etag != "" {
		h = append(h, [2]string{"ETag", etag})
	}
	return h
}

func gceReply(r *request) reply {
	rest, v1 := below(r.path, gceTop)
	switch {
	case r.path == "/":
		return gceText("computeMetadata/\n")
	case strings.Trim(r.path, "/") == "computeMetadata":
		return gceText("v1/\n")
	case r.header.Get("X-Forwarded-For") != "":
		return gceForbidden(r, "Found header X-Forwarded-For, which says that the request came through a proxy.")
	case r.header.Get("Metadata-Flavor") != "Google":
		return gceForbidden(r, "Missing Metadata-Flavor:Google header.")
	case !v1:
		return gceNotFound(r)
	}
	if attribute, ok := below(rest, "instance/guest-attributes"); ok {
		return gceGuestAttributes(r, attribute)
	}
	if !r.reads() {
		return gceError(http.StatusMethodNotAllowed, "The request method is inappropriate for this URL.")
	}
	if _, ok := below(rest, "instance/gce-workload-certificates"); ok {
		return gceError(http.StatusPreconditionFailed, "Workload certificates are not configured for this instance.")
	}
	if gceIdentity(r, rest) && r.query.Get("audience") == "" {
		return gcePlain(http.StatusBadRequest, "non-empty audience parameter required")
	}
	return gceGet(r, gceTree(r.view), rest)
}

// gceIdentity says whether a path is that of an identity token, which there is none of: see docs/metadata-server.md.
func gceIdentity(r *request, path string) bool {
	return r.view.Instance.ServiceAccount != nil && strings.HasPrefix(path, "instance/service-accounts/") && strings.HasSuffix(path, "/identity")
}

// gceGet answers with a node of a tree.
func gceGet(r *request, tree *node, path string) reply {
	n := tree.find(path)
	if n == nil || !n.folder && strings.HasSuffix(path, "/") {
		return gceNotFound(r)
	}
	if n.folder && !strings.HasSuffix(r.path, "/") {
		return gceRedirect(r)
	}
	body, kind, err := gceBody(n, r)
	if err != nil {
		return gceError(http.StatusBadRequest, err.Error())
	}
	a := reply{status: http.StatusOK, body: body}
	etag := gceTag(body)
	a.headers = append(gceHeaders(etag), [2]string{"Content-Type", kind})
	if gceTruth(r, "wait_for_change") {
		a.wait, err = gceWait(r, etag)
		if err != nil {
			return gceError(http.StatusBadRequest, err.Error())
		}
	}
	return a
}

// gceBody shows a node in the form that is asked for.
func gceBody(n *node, r *request) ([]byte, string, error) {
	alt := strings.ToLower(r.query.Get("alt"))
	if alt != "" && alt != "json" && alt != "text" {
		return nil, "", fmt.Errorf("Invalid value for alt: %q", alt)
	}
	var out bytes.Buffer
	recursive := n.folder && gceTruth(r, "recursive")
	switch {
	case recursive && alt == "text":
		n.writePaths(&out, "")
	case recursive, !n.folder && (alt == "json" || alt == "" && n.asJSON):
		n.writeJSON(&out)
		return out.Bytes(), "application/json", nil
	case n.folder:
		if out.WriteString(n.listing()); len(n.entries) > 0 {
			out.WriteByte('\n')
		}
	default:
		out.WriteString(n.plain())
	}
	return out.Bytes(), "application/text", nil
}

// gceTruth reads a parameter. Old clients write True.
func gceTruth(r *request, name string) bool {
	on, err := strconv.ParseBool(strings.ToLower(r.query.Get(name)))
	return on && err == nil
}

// gceTag is the ETag of an answer. It is made of the answer alone, so that who waits for one value is not told of another.
func gceTag(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}

// gceWait reads how long to hold the answer back. Without last_etag the guest waits for the next change.
func gceWait(r *request, etag string) (*wait, error) {
	w := &wait{etag: etag}
	if r.query.Has("last_etag") {
		w.etag = strings.Trim(r.query.Get("last_etag"), `"`)
	}
	if seconds := r.query.Get("timeout_sec"); seconds != "" {
		n, err := strconv.ParseUint(seconds, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("Invalid value for timeout_sec: %q", seconds)
		}
		if w.limit = time.Duration(n) * time.Second; n == 0 {
			return nil, nil
		}
	}
	return w, nil
}

func gceText(body string) reply {
	return answer(http.StatusOK, body, "application/text", gceHeaders("")...)
}

// gceRedirect sends who forgot a folder's slash to the folder.
func gceRedirect(r *request) reply {
	to := "http://" + or(r.host, "metadata.google.internal") + r.path + "/"
	if len(r.query) > 0 {
		to += "?" + r.query.Encode()
	}
	return answer(http.StatusMovedPermanently, "", "text/html; charset=UTF-8", append(gceHeaders(""), [2]string{"Location", to})...)
}

func gceNotFound(r *request) reply {
	return gceError(http.StatusNotFound, "The requested URL <code>"+html.EscapeString(r.path)+"</code> was not found on this server. ")
}

func gceForbidden(r *request, why string) reply {
	return gceError(http.StatusForbidden, "Your client does not have permission to get URL <code>"+html.EscapeString(r.path)+"</code> from this server. "+why)
}

// gceError is a page with the words of Google's; its style and picture are left out, for nobody reads them with a machine.
func gceError(status int, why string) reply {
	title := fmt.Sprintf("Error %d (%s)!!1", status, http.StatusText(status))
	page := "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <meta name=viewport content=\"initial-scale=1, minimum-scale=1, width=device-width\">\n" +
		"  <title>" + title + "</title>\n  <p><b>" + strconv.Itoa(status) + ".</b> <ins>That’s an error.</ins>\n  <p>" + why + " <ins>That’s all we know.</ins>\n"
	return answer(status, page, "text/html; charset=UTF-8", gceHeaders("")...)
}

// gcePlain is a refusal that Google writes without a page.
func gcePlain(status int, why string) reply {
	return answer(status, why, "text/html; charset=UTF-8", gceHeaders("")...)
}

// gceTree is all that Google tells an instance, but for guest attributes.
func gceTree(v View) *node {
	return folder(
		at("instance", gceInstance(v)),
		at("oslogin", folder(at("authenticate", folder(at("sessions", folder()))))),
		at("project", folder(
			at("attributes", attributes(v.Project.Attributes, v.Project.SSHKeys)),
			at("numeric-project-id", number(strconv.FormatUint(v.Project.Number, 10))),
			text("project-id", v.Project.ID),
		)),
		at("universe", folder(text("universe-domain", or(v.Project.UniverseDomain, "googleapis.com")))),
	)
}

func gceInstance(v View) *node {
	i := v.Instance
	project := "projects/" + strconv.FormatUint(v.Project.Number, 10)
	return folder(
		at("attributes", gceAttributes(i)),
		text("cpu-platform", or(i.CPUPlatform, "Unknown CPU Platform")),
		text("description", i.Description),
		at("disks", gceDisks(i.Disks)),
		at("guest-attributes", folder()),
		text("hostname", i.hostname()),
		at("id", number(i.numberID("gce", 64))),
		text("image", i.Image),
		at("licenses", array()),
		text("machine-type", project+"/machineTypes/"+i.MachineType),
		text("maintenance-event", "NONE"),
		text("name", i.Name),
		at("network-interfaces", gceNICs(i.NICs, project)),
		at("partner-attributes", folder()),
		flag("preempted", false),
		at("remaining-cpu-time", number("-1")),
		at("scheduling", folder(flag("automatic-restart", true), text("on-host-maintenance", "MIGRATE"), flag("preemptible", false))),
		at("service-accounts", gceAccounts(i.ServiceAccount)),
		at("tags", &node{words: append([]string{}, i.Tags...), asJSON: true}),
		at("virtual-clock", folder(text("drift-token", or(i.DriftToken, "0")))),
		text("zone", project+"/zones/"+i.Zone),
	)
}

// gceAttributes are a person's own, with user-data and keys where Google's tools look for them.
func gceAttributes(i *Instance) *node {
	all := maps.Clone(i.Attributes)
	if all == nil {
		all = map[string]string{}
	}
	if _, there := all["user-data"]; !there && len(i.UserData) > 0 {
		all["user-data"] = string(i.UserData)
		if !utf8.Valid(i.UserData) { // an attribute is a text
			all["user-data"], all["user-data-encoding"] = base64.StdEncoding.EncodeToString(i.UserData), "base64"
		}
	}
	return attributes(all, i.SSHKeys)
}

func attributes(all map[string]string, keys []string) *node {
	lines := keyLines(keys)
	if _, there := all["ssh-keys"]; !there && len(lines) > 0 {
		if all = maps.Clone(all); all == nil {
			all = map[string]string{}
		}
		all["ssh-keys"] = strings.Join(lines, "\n")
	}
	n := &node{folder: true, exact: true}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		n.entries = append(n.entries, text(name, all[name]))
	}
	return n
}

func gceDisks(disks []Disk) *node {
	var all []*node
	for n, d := range disks {
		kind := "PERSISTENT"
		if d.Kind == "LOCAL-SSD" {
			kind = d.Kind
		}
		all = append(all, folder(text("device-name", d.Name), at("index", number(strconv.Itoa(n))), text("interface", "SCSI"),
			text("mode", or(d.Mode, "READ_WRITE")), text("type", kind)))
	}
	return array(all...)
}

func gceNICs(nics []NIC, project string) *node {
	var all []*node
	for _, n := range nics {
		all = append(all, gceNIC(&n, project))
	}
	return array(all...)
}

// gceNIC is one interface. dhcpv6-refresh is there where the interface has IPv6.
func gceNIC(n *NIC, project string) *node {
	external := folder(text("external-ip", n.PublicIP), text("type", "ONE_TO_ONE_NAT"))
	var v6 []string
	for _, p := range n.prefixes(true) {
		v6 = append(v6, p.Addr().String())
	}
	all := folder(
		at("access-configs", array(external)),
		at("dns-servers", words(n.DNS)),
		at("forwarded-ips", leaves(n.ForwardedIPs)),
		text("gateway", n.Gateway),
		text("ip", n.firstIP(false)),
		at("ip-aliases", leaves(n.Aliases)),
		text("mac", strings.ToLower(n.MAC)),
		at("mtu", number(strconv.Itoa(n.mtu(1460)))),
		text("network", project+"/networks/"+or(n.Network, "default")),
		text("subnetmask", mask(n)),
		at("target-instance-ips", array()),
	)
	if len(v6) > 0 {
		all.entries = append(all.entries, text("dhcpv6-refresh", strconv.FormatUint(numberOf(n.MAC), 10)), at("ipv6s", leaves(v6)))
		all.entries = append(all.entries, given(text("gateway-ipv6", n.Gateway6))...)
	}
	slices.SortFunc(all.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all
}

func gceAccounts(a *ServiceAccount) *node {
	if a == nil {
		return folder()
	}
	account := folder(at("aliases", words([]string{"default"})), text("email", a.Email), at("scopes", words(a.Scopes)))
	if a.Token != "" {
		token := text("token", compact(map[string]any{"access_token": a.Token, "expires_in": 3599, "token_type": "Bearer"}))
		token.node.apart = true
		account.entries = append(account.entries, token)
	}
	return &node{folder: true, exact: true, entries: []entry{at(a.Email, account), at("default", account)}}
}

// guestName is what a guest attribute's namespace and key may be: https://cloud.google.com/compute/docs/metadata/manage-guest-attributes.
var guestName = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// gceGuestAttributes reads and writes what the guest says of itself.
func gceGuestAttributes(r *request, path string) reply {
	if !guestAttributesOn(r.view) {
		return gcePlain(http.StatusForbidden, "Guest attributes endpoint access is disabled.")
	}
	if r.reads() {
		tree := guestTree(r.view.Written.GuestAttributes)
		if n := tree.find(path); n == nil || n == tree && len(tree.entries) == 0 {
			return gceNotFound(r)
		}
		return gceGet(r, tree, path)
	}
	space, key, ok := strings.Cut(path, "/")
	if r.method != http.MethodPut && r.method != http.MethodDelete {
		return gceError(http.StatusMethodNotAllowed, "The request method is inappropriate for this URL.")
	}
	if !ok || !guestName.MatchString(space) || !guestName.MatchString(key) || len(r.body) > maxValue {
		return gceError(http.StatusBadRequest, "A guest attribute is NAMESPACE/KEY with a value of at most 256 KiB.")
	}
	err := r.write(func(w *Written) error { return w.set(space, key, r.body, r.method == http.MethodPut) })
	if err != nil {
		return gceError(http.StatusServiceUnavailable, html.EscapeString(err.Error()))
	}
	return gceText("")
}

// set writes or removes a guest attribute.
func (w *Written) set(space, key string, value []byte, there bool) error {
	all := w.GuestAttributes
	if all == nil {
		all = map[string]map[string]string{}
	}
	if all[space] == nil {
		all[space] = map[string]string{}
	}
	if all[space][key] = string(value); !there {
		delete(all[space], key)
	}
	if len(all[space]) == 0 {
		delete(all, space)
	}
	w.GuestAttributes = all
	return nil
}

func guestTree(all map[string]map[string]string) *node {
	tree := &node{folder: true, exact: true}
	for _, space := range slices.Sorted(maps.Keys(all)) {
		tree.entries = append(tree.entries, at(space, attributes(all[space], nil)))
	}
	return tree
}

// guestAttributesOn reads the switch: the instance's, else the project's.
func guestAttributesOn(v View) bool {
	value, there := v.Instance.Attributes["enable-guest-attributes"]
	if !there {
		value = v.Project.Attributes["enable-guest-attributes"]
	}
	on, err := strconv.ParseBool(strings.ToLower(value))
	return on && err == nil
}
