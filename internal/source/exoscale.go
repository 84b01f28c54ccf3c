package source

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"openguest/internal/instance"
)

// exoscale is the source of machines on Exoscale.
func exoscale() *Source {
	return &Source{
		Name:  "Exoscale",
		Doc:   "The metadata service of Exoscale at 169.254.169.254, and its password server.",
		Match: anyOf(dmi("product_name", "Exoscale*")),
		Fetch: fetchExoscale,
	}
}

// fetchExoscale asks when the network is up, as cloud-init does: for a tree as EC2's, and for a password.
func fetchExoscale(ctx context.Context, e *Env) (*instance.Instance, error) {
	if e.Stage == Local {
		return nil, ErrNotYet
	}
	config := e.config("Exoscale")
	version := cmp.Or(scalar(config.Get("api_version")), "1.0")
	base := cmp.Or(scalar(config.Get("metadata_url")), linkLocalBase)
	c := &client{e: e, limits: e.limits("Exoscale", limits{wait: 2 * time.Minute, timeout: 10 * time.Second, pause: time.Second, tries: 7})}
	ctx, cancel := context.WithTimeout(ctx, c.limits.all())
	defer cancel()
	if _, err := c.first(ctx, version+"/meta-data/instance-id", base); err != nil {
		return nil, err
	}
	t, err := c.newest(ctx, false, version)
	if err != nil {
		return nil, err
	}
	in := t.instance(e, "Exoscale", c)
	in.Subplatform, in.Keys = "unknown", keyLines(e, "public-keys", t.meta["public-keys"])
	port := cmp.Or(scalar(config.Get("password_server_port")), "8080")
	in.VendorData = c.passwordConfig(ctx, fmt.Sprintf("%s:%s/%s/", base, port, version))
	return in, nil
}
