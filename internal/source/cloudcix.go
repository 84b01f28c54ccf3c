package source

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// cloudCIX is the source of machines on CloudCIX.
func cloudCIX() *Source {
	return &Source{
		Name:  "CloudCIX",
		Doc:   "The metadata service of CloudCIX at 169.254.169.254: /v1/metadata in JSON, and /v1/userdata.",
		Match: anyOf(dmi("product_name", "CloudCIX")),
		Fetch: fetchCloudCIX,
	}
}

// fetchCloudCIX asks for both documents when the machine's own network is up.
func fetchCloudCIX(ctx context.Context, e *Env) (*instance.Instance, error) {
	if e.Stage == Local {
		return nil, ErrNotYet
	}
	c := &client{e: e, limits: e.limits("CloudCIX", limits{timeout: 5 * time.Second, pause: 5 * time.Second, tries: 4}).ofOne()}
	const name = "v1/metadata"
	first, err := c.first(ctx, name, e.addresses("CloudCIX", linkLocalBase)...)
	if err != nil {
		return nil, err
	}
	where := machine.PublicURL(join(c.base, name))
	meta, err := object(where, first.Body)
	if err != nil {
		return nil, err
	}
	more, err := c.all(ctx, "v1/userdata")
	if err != nil {
		return nil, err
	}
	in := standard(e, conf.Of(meta, conf.Origin{Part: where}))
	in.ID = cmp.Or(textAt(meta, "instance-id"), textAt(meta, "instance_id"))
	if !isIdentity(in.ID) {
		return nil, fmt.Errorf("%w: read %s: it names no instance", ErrSilent, where)
	}
	in.Source, in.Detail, in.Mode, in.Cloud, in.Platform, in.Subplatform = "CloudCIX", "DataSourceCloudCIX", modeNet, "cloudcix", "cloudcix", "unknown"
	in.UserData, in.Network = unbase64(more["v1/userdata"]), described("v"+cmp.Or(textAt(meta, "network", "version"), "2"), meta["network"])
	return in, nil
}
