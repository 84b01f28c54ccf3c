package source

import (
	"slices"
	"strings"
	"testing"

	"openguest/internal/instance"
)

// oldTree is what a cloud serves in EC2's oldest version and nothing else.
func oldTree(keys map[string]any) *treeServer {
	meta := map[string]any{"instance-id": "i-00000042", "local-hostname": "web1.lab", "placement": map[string]any{"availability-zone": "lab-1a"}}
	if keys != nil {
		meta["public-keys"] = keys
	}
	return &treeServer{root: map[string]any{oldest: map[string]any{"meta-data": meta, "user-data": "#!/bin/sh\n"}}}
}

// Row M29. On a cloud that only has EC2's oldest version, the key of the machine is found; where there is none yet, the
// instance says that it is worth asking again, and the next question finds it. An instance that was given its key, or was told
// long ago that there is none, does not ask at every boot.
func TestKeysOfTheOldestVersion(t *testing.T) {
	key := map[string]any{"desk": "ssh-ed25519 AAAA desk"}
	for name, c := range map[string]struct {
		keys   map[string]any
		last   *instance.Instance
		awaits bool
	}{
		"a key":                     {keys: key},
		"none":                      {awaits: true},
		"none, of another instance": {last: &instance.Instance{ID: "i-1"}, awaits: true},
		"none, and asked before":    {last: &instance.Instance{ID: "i-00000042"}},
		"one that nobody placed":    {keys: key, last: &instance.Instance{ID: "i-00000042", AwaitsKeys: true}, awaits: true},
	} {
		for _, s := range []*Source{ec2(), openStack()} {
			server := oldTree(c.keys)
			w := atAddress(t, "", s.Name, server.start(t), "")
			w.env.Last = c.last
			in, err := s.Fetch(t.Context(), w.env)
			if err != nil || in.Source != s.Name || in.ID != "i-00000042" || in.AwaitsKeys != c.awaits || (len(in.Keys) == 1) != (c.keys != nil) || string(in.UserData) != "#!/bin/sh\n" {
				t.Errorf("%s, %s: it is %+v, %v", s.Name, name, in, err)
			}
			keys, err := s.Keys(t.Context(), w.env)
			if found := err == nil && slices.Equal(keys, []instance.Key{{Line: "ssh-ed25519 AAAA desk"}}); found != (c.keys != nil) {
				t.Errorf("%s, %s: asked again there is %v, %v", s.Name, name, keys, err)
			}
		}
	}
}

// Where OpenStack's own tree is only gone for a moment, a machine does not become the instance that EC2's tree names.
func TestOpenStackWithoutItsTree(t *testing.T) {
	w := atAddress(t, "", "OpenStack", oldTree(nil).start(t), "")
	w.env.Last = &instance.Instance{Source: "OpenStack", ID: novaID}
	if in, err := fetchOpenStack(t.Context(), w.env); isOneOf(err) != "silent" || !strings.Contains(err.Error(), novaID) {
		t.Errorf("it became %+v, %v", in, err)
	}
}

// A page of a captive portal, or nothing at all, is no key.
func TestNoKeyInAPage(t *testing.T) {
	for _, text := range []string{"<html>Log in</html>", " \n"} {
		server := serveCloud(t, map[string]string{"/" + oldest + "/meta-data/public-keys/0/openssh-key": text})
		if keys, err := ec2().Keys(t.Context(), atAddress(t, "", "Ec2", server.address, "").env); err == nil {
			t.Errorf("%q gives %q", text, keys)
		}
	}
}

// How often and how far apart is a person's to say.
func TestKeyTries(t *testing.T) {
	tries, pause := KeyTries(newWorld(t, "", "").env, "Ec2")
	if tries != 30 || pause.Seconds() != 5 {
		t.Errorf("%d tries, %v apart", tries, pause)
	}
	tries, pause = KeyTries(newWorld(t, "", "datasource: {Ec2: {key_retries: 2, sec_between_key_retries: 0.5}}").env, "Ec2")
	if tries != 2 || pause.Seconds() != 0.5 {
		t.Errorf("%d tries, %v apart", tries, pause)
	}
}
