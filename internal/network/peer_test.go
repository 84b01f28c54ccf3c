package network

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// A question is a document that cloud-init is asked about.
type question struct {
	Document string            `json:"document"`
	Renderer string            `json:"renderer"`
	NICs     map[string]string `json:"nics"` // MAC by name
	IP       bool              `json:"ip"`   // there is an ip command
	Sys      map[string]string `json:"sys"`  // see testdata/peer.py
	Kind     string            `json:"kind"`
}

// An answer is what cloud-init makes of it.
type answer struct {
	Files map[string]string `json:"files"`
	State map[string]any    `json:"state"`
	Read  map[string]any    `json:"read"`
	Error string            `json:"error"`
}

// askPeer asks cloud-init of a source tree, which CLOUD_INIT names.
func askPeer(t *testing.T, questions []question) []answer {
	t.Helper()
	tree := os.Getenv("CLOUD_INIT")
	if tree == "" {
		tree = filepath.Join(os.TempDir(), "ci-main")
	}
	if _, err := os.Stat(filepath.Join(tree, "cloudinit/net")); err != nil {
		t.Skip("there is no source tree of cloud-init: set CLOUD_INIT to one")
	}
	in, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-B", "testdata/peer.py")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+tree+string(os.PathListSeparator)+os.Getenv("PYTHONPATH"))
	cmd.Stdin = bytes.NewReader(in)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if strings.Contains(errors.String(), "ModuleNotFoundError") || cmd.Err != nil {
		t.Skip("cloud-init needs python3 with its modules: yaml, jinja2, jsonschema, configobj, requests, oauthlib")
	}
	if err != nil {
		t.Fatalf("ask cloud-init: %v\n%s", err, errors.String())
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("ask cloud-init: %v\n%s", err, errors.String())
	}
	return answers
}

// parse reads a document of version 1 or 2, and says which.
func parse(t testing.TB, text string) (kind string, v *conf.Value) {
	t.Helper()
	v, _, err := conf.Parse("network-config", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	version := unwrapped(v).Get("version")
	if version == nil {
		t.Fatalf("the document has no version:\n%s", text)
	}
	return "v" + version.Text, v
}

// A sample is an input of the conformance cases.
type sample struct{ name, text string }

// conformance is where the cases are.
const conformance = "../../../shared/conformance/network"

// samples are all inputs of the conformance cases.
func samples(t testing.TB) (all []sample) {
	t.Helper()
	paths, err := filepath.Glob(conformance + "/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("the conformance cases are not here: shared/conformance/network beside the repository")
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sample{strings.TrimPrefix(path, conformance+"/"), string(text)})
	}
	return all
}

// nics are interfaces with a name and a MAC.
func nics(macs map[string]string) (all []machine.NIC) {
	for _, name := range slices.Sorted(maps.Keys(macs)) {
		all = append(all, machine.NIC{Name: name, MAC: macs[name]})
	}
	return all
}
