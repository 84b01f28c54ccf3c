package metadata

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A request is what a guest asks, after it is known who asks.
type request struct {
	method string
	path   string // decoded, beginning with a slash
	query  url.Values
	header http.Header
	body   []byte
	local  netip.Addr // the address that was asked
	host   string
	now    time.Time
	view   View
	tokens *tokens
	write  func(func(*Written) error) error // changes what the guest said of itself
}

// A reply is what a guest is told.
type reply struct {
	status  int
	headers [][2]string
	body    []byte
	wait    *wait // the guest wants to be told when it changes; see parked.go
}

// A wait says until when a reply may be held back.
type wait struct {
	etag  string        // hold it back while it has this tag
	limit time.Duration // 0: for ever
}

func answer(status int, body, contentType string, headers ...[2]string) reply {
	return reply{status: status, body: []byte(body), headers: append([][2]string{{"Content-Type", contentType}}, headers...)}
}

func (r reply) header(name string) string {
	for _, h := range r.headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// A dialect is how one cloud talks.
type dialect struct {
	name  string
	mine  func(*request) bool // whether the path is this cloud's
	reply func(*request) reply
}

// dialects are all clouds, in the order in which they are asked whether a path is theirs. Where two use the same path, the
// instance's clouds decide, then the first here.
func dialects() []dialect {
	return []dialect{
		{"gce", gceMine, gceReply},
		{"openstack", openstackMine, openstackReply},
		{"aliyun", aliyunMine, aliyunReply},
		{"ec2", ec2Mine, ec2Reply},
		{"digitalocean", digitaloceanMine, digitaloceanReply},
		{"azure", azureMine, azureReply},
		{"hetzner", hetznerMine, hetznerReply},
		{"nocloud", nocloudMine, nocloudReply},
	}
}

// dialectNames are what Instance.Clouds may name.
func dialectNames() (names []string) {
	return []string{"gce", "openstack", "aliyun", "ec2", "digitalocean", "azure", "hetzner", "nocloud"}
}

// speaks says whether an instance is told a dialect. OpenStack tells EC2's as well.
func (i *Instance) speaks(name string) bool {
	return len(i.Clouds) == 0 || slices.Contains(i.Clouds, name) || name == "ec2" && slices.Contains(i.Clouds, "openstack")
}

// only says that of the named dialects the instance is told this one alone, so that a path that they share is its.
func (i *Instance) only(name string, others ...string) bool {
	return slices.Contains(i.Clouds, name) && !slices.ContainsFunc(others, func(o string) bool { return slices.Contains(i.Clouds, o) })
}

// dispatch finds the cloud whose path it is, and lets it answer.
func dispatch(all []dialect, r *request) (name string, a reply) {
	for _, d := range all {
		if r.view.Instance.speaks(d.name) && d.mine(r) {
			return d.name, d.reply(r)
		}
	}
	if r.path == "/" {
		return "index", index(all, r)
	}
	return "none", answer(http.StatusNotFound, "404 page not found\n", "text/plain; charset=utf-8")
}

// index is the root where an instance is told several clouds. Google's clients look at its header only.
func index(all []dialect, r *request) reply {
	tops := map[string]string{
		"gce": "computeMetadata/", "openstack": "openstack", "ec2": "latest", "aliyun": "latest", "digitalocean": "metadata/", "azure": "metadata/",
		"hetzner": "hetzner/", "nocloud": "nocloud/",
	}
	var lines []string
	a := reply{status: http.StatusOK}
	for _, d := range all {
		if top := tops[d.name]; r.view.Instance.speaks(d.name) && !slices.Contains(lines, top) {
			lines = append(lines, top)
		}
	}
	if r.view.Instance.speaks("gce") {
		a.headers = gceHeaders("")
	}
	a.headers = append(a.headers, [2]string{"Content-Type", "text/plain; charset=utf-8"})
	a.body = []byte(strings.Join(lines, "\n") + "\n")
	return a
}

// reads says that a request changes nothing.
func (r *request) reads() bool { return r.method == http.MethodGet || r.method == http.MethodHead }

// below gives what follows a first part of the path: "" for /latest and /latest/, and false where it is another.
func below(path, top string) (string, bool) {
	rest, ok := strings.CutPrefix(path, top)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// compact is JSON without spaces and without HTML's escapes.
func compact(v any) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "null"
	}
	return strings.TrimSuffix(out.String(), "\n")
}
