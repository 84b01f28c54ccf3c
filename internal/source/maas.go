package source

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// maas is the source of machines that MAAS deploys. They have no sign of their own: MAAS writes a list of one source into
// the system that it installs, or names itself on the kernel command line.
func maas() *Source {
	return &Source{
		Name: "MAAS",
		Doc: "The metadata service of MAAS: at the address metadata_url, with the keys consumer_key, token_key and token_secret, and perhaps " +
			"consumer_secret, all of datasource.MAAS in the configuration; or the seed folder maas.",
		Fetch: fetchMAAS,
		Check: func(_ context.Context, e *Env, last *instance.Instance) bool {
			keys := e.maasKeys()
			return keys.token != "" && last.Tree[maasHash] == keys.hash()
		},
	}
}

const (
	maasVersion = "2012-03-01" // of its tree
	maasHash    = "id_hash"    // what is remembered to know the machine again, with cloud-init's name
)

// maasNames are the documents: those of meta-data, of which the first two must be there, and the others.
func maasNames() []string {
	return []string{"meta-data/instance-id", "meta-data/local-hostname", "meta-data/public-keys", "meta-data/vendor-data", "user-data"}
}

// fetchMAAS reads the seed folder, or asks the service. Before the machine's network is configured it is asked only where the
// initramfs has a network: MAAS writes a deployed machine's network into its configuration.
func fetchMAAS(ctx context.Context, e *Env) (*instance.Instance, error) {
	folder := path.Join(e.Seed, "maas")
	if found := e.maasSeed(folder); len(found) > 0 {
		return e.maasInstance(folder, found)
	}
	address := scalar(e.config("MAAS").Get("metadata_url"))
	keys := e.maasKeys()
	switch {
	case address == "":
		return nil, fmt.Errorf("%w: there is no seed folder %s, and datasource.MAAS.metadata_url is not set", ErrAbsent, folder)
	case !keys.areWhole():
		return nil, fmt.Errorf("%w: of consumer_key, token_key and token_secret in datasource.MAAS all or none must be set", ErrSilent)
	case e.Stage == Local && !e.hasKlibc():
		return nil, fmt.Errorf("%w: the initramfs has set none up", ErrNotYet)
	}
	c := &client{e: e, limits: e.limits("MAAS", limits{wait: 2 * time.Minute, timeout: 50 * time.Second, pause: time.Second, tries: 2})}
	ctx, cancel := context.WithTimeout(ctx, c.limits.all())
	defer cancel()
	found, err := c.maas(ctx, join(address, maasVersion), keys)
	if err != nil {
		return nil, err
	}
	return e.maasInstance(address, found)
}

// maasSeed are the documents in the seed folder.
func (e *Env) maasSeed(folder string) map[string][]byte {
	found := map[string][]byte{}
	for _, name := range maasNames() {
		if text, err := e.Machine.Files.Read(path.Join(folder, name)); err == nil {
			found[name] = []byte(text)
		}
	}
	return found
}

// maas asks for all documents. The first answer may be that our clock is wrong; then the time is the service's.
func (c *client) maas(ctx context.Context, base string, keys maasKeys) (map[string][]byte, error) {
	skew := time.Duration(0)
	now := c.e.Machine.Clock.Now
	if keys.token != "" {
		c.sign = func() map[string]string { return keys.header(now().Add(skew)) }
	}
	names := maasNames()
	first, err := c.first(ctx, names[0], base)
	var refused *machine.StatusError
	if errors.As(err, &refused) && (refused.Status == 401 || refused.Status == 403) && !refused.Date.IsZero() {
		skew = refused.Date.Sub(now())
		c.e.warn("Setting oauth clockskew for %s to %.0f", machine.PublicURL(base), skew.Seconds())
		first, err = c.first(ctx, names[0], base)
	}
	if err != nil {
		return nil, err
	}
	found, err := c.all(ctx, names[1:]...)
	if err == nil {
		found[names[0]] = first.Body
	}
	return found, err
}

// maasInstance is what the documents say.
func (e *Env) maasInstance(place string, found map[string][]byte) (*instance.Instance, error) {
	shown := machine.PublicURL(place)
	if path.IsAbs(place) {
		shown = place
	}
	names := maasNames()
	meta := map[string]any{}
	for _, name := range names[:3] {
		if text, there := found[name]; there {
			meta[path.Base(name)] = string(text)
		}
	}
	id, _ := meta["instance-id"].(string)
	if id = strings.TrimSpace(id); !isIdentity(id) || found[names[1]] == nil {
		return nil, fmt.Errorf("%w: %s has no good instance-id, or no local-hostname", ErrSilent, shown)
	}
	vendor, _, err := conf.Parse(names[3], found[names[3]])
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrSilent, join(shown, names[3]), err)
	}
	in := standard(e, conf.Of(meta, conf.Origin{Part: shown}))
	in.Source, in.Detail, in.Mode, in.ID = "MAAS", e.detail("MAAS")+" ["+shown+"]", modeNet, id
	in.Cloud, in.Platform, in.Subplatform = "maas", "maas", "seed-dir ("+shown+")"
	in.Hostname = strings.TrimSpace(in.Hostname)
	in.UserData, in.VendorData = found[names[4]], vendorData(e, join(shown, names[3]), vendor.Data())
	in.Tree, in.Sensitive = map[string]any{maasHash: e.maasKeys().hash()}, []string{"ds/" + maasHash}
	return in, nil
}

// maasKeys are what MAAS knows a machine by.
type maasKeys struct{ consumer, consumerSecret, token, tokenSecret string }

func (e *Env) maasKeys() maasKeys {
	c := e.config("MAAS")
	return maasKeys{scalar(c.Get("consumer_key")), scalar(c.Get("consumer_secret")), scalar(c.Get("token_key")), scalar(c.Get("token_secret"))}
}

// areWhole says that all of them are there, or none.
func (k maasKeys) areWhole() bool {
	return (k.consumer == "") == (k.token == "") && (k.token == "") == (k.tokenSecret == "")
}

// hash is what cloud-init knows the machine again by. It gives no key away.
func (k maasKeys) hash() string {
	sum := sha256.Sum256([]byte(k.consumer + "\x00" + k.token + "\x00" + k.tokenSecret))
	return "v1:" + hex.EncodeToString(sum[:])
}

// header signs a request: RFC 5849 with the method PLAINTEXT. MAAS takes each nonce once.
func (k maasKeys) header(now time.Time) map[string]string { return k.signed(now, rand.Text()) }

func (k maasKeys) signed(now time.Time, nonce string) map[string]string {
	words := []string{"nonce", nonce, "timestamp", strconv.FormatInt(now.Unix(), 10), "version", "1.0", "signature_method", "PLAINTEXT",
		"consumer_key", k.consumer, "token", k.token, "signature", percent(k.consumerSecret) + "&" + percent(k.tokenSecret)}
	var all []string
	for i := 0; i < len(words); i += 2 {
		all = append(all, "oauth_"+words[i]+`="`+percent(words[i+1])+`"`)
	}
	return map[string]string{"Authorization": "OAuth " + strings.Join(all, ", ")}
}

// percent encodes a text as RFC 5849, 3.6, wants it.
func percent(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
