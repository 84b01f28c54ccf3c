package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"sync"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// treeTimeout is how long one name of a tree may take, once the cloud has answered: cloud-init's, whatever the
// configuration says of the first answer.
const treeTimeout = 5 * time.Second

// A told is what a cloud says that speaks as EC2 does.
type told struct {
	version string
	meta    map[string]any
	dynamic map[string]any // identity documents; empty where they were not asked for
	user    []byte
}

// id is the id of the instance; empty where none is told, or nothing that can be one.
func (t told) id() string {
	if id, _ := t.meta["instance-id"].(string); isIdentity(id) {
		return id
	}
	return ""
}

// addresses are those at which a source is asked: metadata_urls of its configuration, or else the cloud's own.
func (e *Env) addresses(source string, own ...string) []string {
	if urls := e.config(source).Get("metadata_urls").Strings(); len(urls) > 0 {
		return urls
	}
	return own
}

// withToken opens a cloud that wants to be asked with a token. header is that of the token.
func (e *Env) withToken(ctx context.Context, header string, l limits, addresses []string) (*client, error) {
	const name = "latest/api/token"
	asking := &client{e: e, method: "PUT", header: map[string]string{header + "-ttl-seconds": "21600"}, limits: l}
	first, err := asking.first(ctx, name, addresses...)
	if err != nil {
		return nil, fmt.Errorf("ask for a token: %w", err)
	}
	c := &client{e: e, base: asking.base, limits: l}
	c.renew = func(ctx context.Context) (map[string]string, error) {
		answer, err := e.Machine.Net.Fetch(ctx, asking.request(name))
		if err != nil {
			return nil, fmt.Errorf("ask for another token: %w", err)
		}
		return tokenHeader(header, answer)
	}
	c.header, err = tokenHeader(header, first)
	return c, err
}

// tokenHeader is the header of requests with a token. What cannot be a token is not shown: it may be one all the same.
func tokenHeader(header string, answer machine.Response) (map[string]string, error) {
	token := strings.TrimSpace(string(answer.Body))
	if len(token) > 4096 || token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' }) {
		return nil, fmt.Errorf("%w: get %s: the answer is no token", ErrSilent, answer.URL)
	}
	return map[string]string{header: token}, nil
}

// tell asks for what a cloud says in one version: meta-data and user-data, and where that is wanted the identity
// documents. A version that is not there is empty.
func (c *client) tell(ctx context.Context, version string, withIdentity bool) (t told, err error) {
	t = told{version: version, dynamic: map[string]any{}}
	const user = "/user-data"
	var failed error
	var asking sync.WaitGroup
	asking.Go(func() {
		if found, err := c.all(ctx, version+user); err != nil {
			failed = err
		} else {
			t.user = found[version+user]
		}
	})
	if withIdentity {
		asking.Go(func() {
			documents, err := c.tree(ctx, version+"/dynamic/instance-identity", nil)
			if err != nil {
				c.e.debug("the identity documents are left out: %v", err)
			}
			t.dynamic["instance-identity"] = documents
		})
	}
	t.meta, err = c.tree(ctx, version+"/meta-data", isCredential, c.ahead...)
	asking.Wait()
	return t, cmp.Or(err, failed)
}

// isCredential says that a name is that of secrets which only programs on the machine should ask for.
func isCredential(name string) bool { return path.Base(name) == "security-credentials" }

// newest is what the cloud says in the first of several versions that it has.
func (c *client) newest(ctx context.Context, withIdentity bool, versions ...string) (told, error) {
	c.limits.timeout = min(c.limits.timeout, treeTimeout)
	var refused error
	for _, version := range versions {
		t, err := c.tell(ctx, version, withIdentity)
		switch {
		case err == nil && t.id() != "":
			return t, nil
		case err != nil && !isRefusal(err):
			return t, err
		}
		refused = cmp.Or(err, refused)
	}
	at := machine.PublicURL(join(c.base, versions[len(versions)-1]+"/meta-data/instance-id"))
	if refused != nil {
		return told{}, fmt.Errorf("%w: get %s: it names no instance: %w", ErrSilent, at, refused)
	}
	return told{}, fmt.Errorf("%w: get %s: it names no instance", ErrSilent, at)
}

// instance is what was told, in cloud-init's terms, but for the keys: clouds differ in how they tell them.
func (t told) instance(e *Env, source string, c *client) *instance.Instance {
	where := machine.PublicURL(c.base)
	meta := maps.Clone(t.meta)
	delete(meta, "public-keys")
	in := standard(e, conf.Of(meta, conf.Origin{Part: where}))
	in.Source, in.Detail, in.Mode, in.ID = source, e.detail(source), modeNet, t.id()
	in.Cloud, in.Platform, in.Subplatform = strings.ToLower(source), strings.ToLower(source), "metadata ("+where+")"
	in.Metadata, in.UserData = t.meta, t.user
	return in
}

// seedOf is the instance that a folder of seeds describes in place of the cloud; nil where there is none.
func (e *Env) seedOf(source, folder string) (*instance.Instance, error) {
	dir := path.Join(e.Seed, folder)
	s, err := readFolder(e, e.Machine.Files, dir, dir)
	switch {
	case errors.Is(err, errNoSeed):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%w: the seed folder %s cannot be used: %w", ErrSilent, dir, err)
	}
	in := standard(e, s.meta)
	in.Source, in.Detail, in.Mode, in.ID = source, e.detail(source), modeNet, scalar(s.meta.Get("instance-id"))
	in.Cloud, in.Platform, in.Subplatform = strings.ToLower(source), strings.ToLower(source), "seed-dir ("+dir+")"
	in.UserData, in.VendorData = s.user, s.vendor
	if !isIdentity(in.ID) {
		return nil, fmt.Errorf("%w: %s/meta-data names no instance-id", ErrSilent, dir)
	}
	return in, nil
}

// networkIn is the part of meta-data that describes the network, and what a person wants of it; nil where there is none.
func (t told) networkIn(e *Env, source string) *instance.Network {
	network, ok := t.meta["network"].(map[string]any)
	if !ok {
		e.debug("meta-data of %s does not describe the network", source)
		return nil
	}
	const full = "apply_full_imds_network_config"
	if !e.config(source).Get(full).Truth(true) {
		network = maps.Clone(network)
		network[full] = false
	}
	return described(strings.ToLower(source), map[string]any{"network": network})
}
