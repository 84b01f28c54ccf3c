package metadata

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func files(all map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, data := range all {
		fs[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return fs
}

func TestImport(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  map[string]string // object, JSON of it
	}{
		"several": {
			map[string]string{"project.yaml": "id: lab\nnumber: 7\n", "a/instance.yaml": "zone: z1\nnics:\n- mac: 52:54:00:00:00:01\n  ips: [10.0.0.1/24]\n",
				"a/user-data": "#cloud-config\n", "b/instance.yaml": "name: other\n", "notes/README": "nothing of ours"},
			map[string]string{"project": `{"id":"lab","number":7}`, "a": `{"name":"a","nics":[{"ips":["10.0.0.1/24"],"mac":"52:54:00:00:00:01"}],"user-data":"#cloud-config\n","zone":"z1"}`, "other": `{"name":"other"}`},
		},
		"a seed": {
			map[string]string{"meta-data": "instance-id: 17\nlocal-hostname: h\npublic-keys: {k: ssh-ed25519 AAAA}\n", "user-data": "\x1f\x8b\xff"},
			map[string]string{"dir": `{"hostname":"h","id":"17","name":"dir","ssh-keys":["ssh-ed25519 AAAA"],"user-data":{"base64":"H4v/"}}`},
		},
		"instance.yaml before the seed": {
			map[string]string{"instance.yaml": "id: mine\n", "meta-data": "instance-id: seed\n"},
			map[string]string{"dir": `{"id":"mine","name":"dir"}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := ReadImport(files(c.files), "dir")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name, value := range in.Instances {
				got[name] = string(value)
			}
			if in.Project != nil {
				got["project"] = string(in.Project)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// A mistake in an import must be one line that says where it is, and nothing may be taken.
func TestImportRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a/instance.yaml", "zone: [\n", "a: instance.yaml is wrong YAML"},
		{"a/instance.yaml", "zoen: z\n", `a: instance.yaml: there is no field "zoen"`},
		{"a/instance.yaml", "zone: 7\n", "a: instance.yaml: zone: there is a number where a string belongs"},
		{"a/instance.yaml", "attributes: {on: true}\n", "attributes: there is a bool where a string belongs"},
		{"a/instance.yaml", "nics: [{mac: nonsense}]\n", `a: a: nics[0]: mac: "nonsense" is no hardware address`},
		{"a b/instance.yaml", "zone: z\n", "is no name for an instance"},
		{"a/instance.yaml", strings.Repeat("#", maxDocument+1), "larger than"},
		{"project.yaml", "- a\n", "project.yaml is wrong YAML"},
		{"README", "", "there is nothing to import"},
	} {
		if _, err := ReadImport(files(map[string]string{c.name: c.text}), "dir"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %.40q: %v, want %q", c.name, c.text, err, c.want)
		}
	}
}

// Whatever stands in an import: no panic, and what is taken can be told in every dialect.
func FuzzImport(f *testing.F) {
	f.Add("zone: z1\nnics: [{mac: '52:54:00:00:00:01', ips: [10.0.0.1/24, '2001:db8::1']}]\n", "instance-id: x\npublic-keys: [a, b]\n", "#cloud-config\n")
	f.Add("attributes: {ssh-keys: 'a:b'}\nssh-keys: ['u:k', 'ssh-rsa A']\nfiles: [{path: /x, content: y}]\ndisks: [{name: a, device: /dev/sda}]\n", "", "\xff")
	f.Add("&a [*a]", "a: &a {b: c}\nd: {<<: *a}\n", "")
	f.Fuzz(func(t *testing.T, instance, seed, user string) {
		in, err := ReadImport(files(map[string]string{"instance.yaml": instance, "meta-data": seed, "user-data": user}), "dir")
		if err != nil {
			return
		}
		for name, value := range in.Instances {
			object, err := decode(instancePrefix+name, value)
			if err != nil {
				t.Fatalf("what was read is refused: %v", err)
			}
			tellAll(t, View{Project: &Project{}, Instance: object.(*Instance), Written: &Written{}})
		}
	})
}

// tellAll asks in every dialect.
func tellAll(t *testing.T, v View) {
	v.Instance.Clouds = nil
	for _, path := range []string{"/computeMetadata/v1/", "/latest/meta-data/", "/2016-01-01/meta-data/all", "/openstack/latest/meta_data.json",
		"/openstack/latest/network_data.json", "/metadata/instance", "/metadata/v1.json", "/hetzner/v1/metadata", "/nocloud/meta-data"} {
		r := &request{method: "GET", path: path, query: map[string][]string{"recursive": {"true"}, "api-version": {"2021-08-01"}},
			header: map[string][]string{"Metadata-Flavor": {"Google"}, "Metadata": {"true"}}, view: v}
		name, a := dispatch(dialects(), r)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		if strings.HasSuffix(path, ".json") || name == "gce" || name == "azure" {
			if !json.Valid(a.body) && len(v.Instance.NetworkData)+len(v.Instance.VendorData) == 0 {
				t.Fatalf("%s: %s", path, a.body)
			}
		}
	}
}

// A person sets these to see what a guest does; one that does something else wastes their day.
func TestFaults(t *testing.T) {
	s := serveIn(t, t.TempDir(), 5, map[string]string{"instance/a": `{"user-data": "0123456789"}`})
	url := listenFor(t, s, "a") + "/nocloud/user-data"
	three := 3
	for _, c := range []struct {
		fault Fault
		want  string // what comes back
	}{
		{Fault{Path: "/nocloud/*", Status: 503}, "503 Service Unavailable\n"},
		{Fault{Path: "/nocloud/*", Instance: "b", Status: 503}, "200 0123456789"},
		{Fault{Path: "/latest/*", Status: 503}, "200 0123456789"},
		{Fault{Path: "*data", Latency: 1}, "200 0123456789"},
		{Fault{Path: "/nocloud/user-data", Truncate: &three}, "cut off after 012"},
		{Fault{Path: "/*/user-*", Slow: 1000}, "200 0123456789"},
		{Fault{Path: "*", Reset: true}, "broken off"},
	} {
		s.faults.clear()
		if err := c.fault.check(); err != nil {
			t.Error(err)
		}
		s.faults.add(c.fault)
		if got := met(t, url); got != c.want {
			t.Errorf("%+v: %q, want %q", c.fault, got, c.want)
		}
	}
}

// A fault for two times is met twice, and is in the list of requests.
func TestFaultIsSpent(t *testing.T) {
	s := serveIn(t, t.TempDir(), 5, map[string]string{"instance/a": `{"user-data": "x"}`})
	url := listenFor(t, s, "a") + "/nocloud/user-data"
	s.faults.add(Fault{Path: "*", Status: 500, Times: 2})
	for _, want := range []string{"500 Internal Server Error\n", "500 Internal Server Error\n", "200 x"} {
		if got := met(t, url); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	all := s.requests.list("a", 0)
	if len(all) != 3 || all[0].Fault != "status 500" || all[2].Fault != "" {
		t.Errorf("%+v", all)
	}
}

// met is what a guest sees.
func met(t *testing.T, url string) string {
	t.Helper()
	got, body, err := fetch(t, url)
	switch {
	case err != nil && got == 0:
		return "broken off"
	case err != nil:
		return "cut off after " + body
	}
	return fmt.Sprintf("%d %s", got, body)
}
