package metadata

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// OpenStack, as the documentation of Nova has it: https://docs.openstack.org/nova/latest/user/metadata.html.
//
//	request                                  answer
//	/openstack                               the versions, one a line
//	/openstack/VERSION                       the documents that the version has
//	…/meta_data.json                         always
//	…/user_data                              404 where there is none
//	…/password                               what the guest posted; POST once, at most 1020 bytes; 409 after that  (2013-04-04)
//	…/vendor_data.json                       {} where there is none                                              (2013-10-17)
//	…/network_data.json                      given, or made from the interfaces                                  (2015-10-15)
//	…/vendor_data2.json                      {} where there is none                                              (2016-10-06)
//	/openstack/content/NNNN                  a file that meta_data.json names
//	another method                           as GET; 400 for the password
//	what is not there                        404: a page where the guest takes HTML, else a text
//
// What is refused, and how, is as nova/api/metadata/password.py, nova/api/metadata/handler.py and webob/exc.py have it.

var openstackVersions = strings.Fields(`2012-08-10 2013-04-04 2013-10-17 2015-10-15 2016-06-30 2016-10-06 2017-02-22 2018-08-27 2020-10-14 latest`)

// openstackSince says in which version a document first was.
var openstackSince = map[string]string{
	"password": "2013-04-04", "vendor_data.json": "2013-10-17", "network_data.json": "2015-10-15", "vendor_data2.json": "2016-10-06",
}

func openstackMine(r *request) bool {
	_, ours := below(r.path, "/openstack")
	return ours
}

func openstackReply(r *request) reply {
	rest, _ := below(r.path, "/openstack")
	version, document, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	switch {
	case version == "":
		return answer(http.StatusOK, strings.Join(openstackVersions, "\n"), "text/plain; charset=UTF-8")
	case version == "content":
		return openstackContent(r, document)
	case !slices.Contains(openstackVersions, version):
		return openstackNotFound(r)
	case document == "password" && version >= openstackSince["password"] && r.method != http.MethodGet:
		return openstackPassword(r)
	}
	return openstackDocument(r, version, document)
}

func openstackDocument(r *request, version, name string) reply {
	documents := openstackDocuments(r.view, version)
	if name == "" {
		var names []string
		for _, d := range documents {
			names = append(names, d.name)
		}
		return answer(http.StatusOK, strings.Join(names, "\n"), "text/plain; charset=UTF-8")
	}
	for _, d := range documents {
		if d.name == name {
			return reply{status: http.StatusOK, body: d.body, headers: [][2]string{{"Content-Type", d.kind}}}
		}
	}
	return openstackNotFound(r)
}

// An openstackFile is one document of a version.
type openstackFile struct {
	name, kind string
	body       []byte
}

func openstackDocuments(v View, version string) []openstackFile {
	i := v.Instance
	const isJSON = "application/json"
	all := []openstackFile{{"meta_data.json", isJSON, []byte(openstackMetaData(v, version))}}
	if len(i.UserData) > 0 {
		all = append(all, openstackFile{"user_data", "application/octet-stream", i.UserData})
	}
	all = append(all,
		openstackFile{"password", "text/html; charset=UTF-8", []byte(v.Written.Password)},
		openstackFile{"vendor_data.json", isJSON, []byte(openstackVendorData(i.VendorData))},
		openstackFile{"network_data.json", isJSON, []byte(openstackNetwork(v))},
		openstackFile{"vendor_data2.json", isJSON, []byte(openstackVendorData(i.VendorData2))},
	)
	return slices.DeleteFunc(all, func(f openstackFile) bool { return openstackSince[f.name] > version })
}

// openstackVendorData is JSON already, or a text that becomes cloud-init's part of it.
func openstackVendorData(data Blob) string {
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return "{}"
	case text[0] == '{' || text[0] == '[' || text[0] == '"':
		return text
	}
	return compact(map[string]string{"cloud-init": string(data)})
}

func openstackMetaData(v View, version string) string {
	i := v.Instance
	m := map[string]any{
		"uuid": i.uuid("openstack"), "name": i.Name, "hostname": i.hostname(), "launch_index": i.LaunchIndex, "availability_zone": i.Zone,
	}
	if len(i.Labels) > 0 {
		m["meta"] = i.Labels
	}
	openstackKeys(v, m)
	if len(i.Files) > 0 {
		m["files"] = openstackFiles(i)
	}
	if version >= "2013-04-04" {
		m["random_seed"] = base64.StdEncoding.EncodeToString(openstackSeed(i))
	}
	if version >= "2015-10-15" {
		m["project_id"] = v.Project.ID
	}
	if version >= "2016-06-30" {
		m["devices"] = []any{}
	}
	return compact(m)
}

func openstackKeys(v View, m map[string]any) {
	names, keys := v.keysByName()
	var list []map[string]string
	for _, name := range names {
		list = append(list, map[string]string{"name": name, "type": "ssh", "data": keys[name] + "\n"})
		keys[name] += "\n"
	}
	if len(names) > 0 {
		m["public_keys"], m["keys"] = keys, list
	}
}

// openstackSeed is given, or the same at each start: a lab's boots are to be the same.
func openstackSeed(i *Instance) []byte {
	if len(i.RandomSeed) > 0 {
		return i.RandomSeed
	}
	var seed []byte
	for n := range 16 {
		seed = append(seed, digest(i.Name+strconv.Itoa(n))...)
	}
	return seed
}

func openstackFiles(i *Instance) (all []map[string]string) {
	for n, f := range i.Files {
		all = append(all, map[string]string{"path": f.Path, "content_path": fmt.Sprintf("/content/%04d", n)})
	}
	return all
}

func openstackContent(r *request, name string) reply {
	n, err := strconv.Atoi(name)
	if err != nil || len(name) != 4 || n < 0 || n >= len(r.view.Instance.Files) {
		return openstackNotFound(r)
	}
	return reply{status: http.StatusOK, body: r.view.Instance.Files[n].Content, headers: [][2]string{{"Content-Type", "application/octet-stream"}}}
}

// errPasswordSet says that the guest posted its password before.
var errPasswordSet = errors.New("the password was posted before")

// maxPassword is the largest password that a guest may post, in bytes.
const maxPassword = 1020

func openstackPassword(r *request) reply {
	switch {
	case r.method != http.MethodPost:
		return openstackError(r, http.StatusBadRequest, "GET and POST only are supported.")
	case r.view.Written.Password == "" && len(r.body) > maxPassword:
		return openstackError(r, http.StatusBadRequest, "Request is too large.")
	}
	err := r.write(func(w *Written) error {
		if w.Password != "" {
			return errPasswordSet
		}
		w.Password = string(r.body)
		return nil
	})
	switch {
	case errors.Is(err, errPasswordSet):
		return openstackError(r, http.StatusConflict, "There was a conflict when trying to complete your request.")
	case err != nil:
		return openstackError(r, http.StatusServiceUnavailable, "The server is currently unavailable.")
	}
	return answer(http.StatusOK, "", "text/html; charset=UTF-8")
}

func openstackNotFound(r *request) reply {
	return openstackError(r, http.StatusNotFound, "The resource could not be found.")
}

// openstackError is a page for who takes HTML, which cloud-init and curl do, and a text for others.
func openstackError(r *request, status int, why string) reply {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	takes := func(kind string) bool { return strings.Contains(r.header.Get("Accept"), kind) }
	if !takes("*/*") && !takes("text/*") && !takes("text/html") {
		return answer(status, title+"\n\n"+why+"\n\n   ", "text/plain; charset=UTF-8")
	}
	page := "<html>\n <head>\n  <title>" + title + "</title>\n </head>\n <body>\n  <h1>" + title + "</h1>\n  " + why + "<br /><br />\n\n\n\n </body>\n</html>"
	return answer(status, page, "text/html; charset=UTF-8")
}
