package metadata

import (
	"net/http"
	"strings"

	"go.yaml.in/yaml/v4"
)

// NoCloud over HTTP: https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html. The guest is given
// ds=nocloud;s=http://ADDRESS/nocloud/ or, where its address is not known before, …/nocloud/TOKEN/.
//
//	request                                  answer
//	meta-data                                instance-id, local-hostname, public-keys, as YAML
//	user-data                                as it is; empty where there is none, for it must be there
//	vendor-data, network-config              as they are; 404 where there are none

func nocloudMine(r *request) bool {
	_, ours := below(r.path, "/nocloud")
	return ours
}

// nocloudToken is the token in a path, and the path without it.
func nocloudToken(path string) (token, without string, ok bool) {
	rest, ours := below(path, "/nocloud")
	if !ours {
		return "", "", false
	}
	token, name, found := strings.Cut(rest, "/")
	if !found || token == "" {
		return "", "", false
	}
	return token, "/nocloud/" + name, true
}

func nocloudReply(r *request) reply {
	i := r.view.Instance
	name, _ := below(r.path, "/nocloud")
	if !r.reads() {
		return answer(http.StatusMethodNotAllowed, "method not allowed\n", "text/plain; charset=utf-8")
	}
	switch {
	case name == "":
		return answer(http.StatusOK, "meta-data\nnetwork-config\nuser-data\nvendor-data\n", "text/plain; charset=utf-8")
	case name == "meta-data":
		return nocloudMetaData(r.view)
	case name == "user-data":
		return nocloudBlob(i.UserData)
	case name == "vendor-data" && len(i.VendorData) > 0:
		return nocloudBlob(i.VendorData)
	case name == "network-config" && len(i.NetworkConfig) > 0:
		return nocloudBlob(i.NetworkConfig)
	}
	return answer(http.StatusNotFound, "404 page not found\n", "text/plain; charset=utf-8")
}

func nocloudBlob(b Blob) reply {
	return reply{status: http.StatusOK, body: b, headers: [][2]string{{"Content-Type", "application/octet-stream"}}}
}

func nocloudMetaData(v View) reply {
	m := map[string]any{"instance-id": v.Instance.id("nocloud"), "local-hostname": v.Instance.hostname()}
	if keys := v.publicKeys(); len(keys) > 0 {
		m["public-keys"] = keys
	}
	body, err := yaml.Marshal(m)
	if err != nil {
		return answer(http.StatusInternalServerError, err.Error()+"\n", "text/plain; charset=utf-8")
	}
	return answer(http.StatusOK, string(body), "text/yaml; charset=utf-8")
}
