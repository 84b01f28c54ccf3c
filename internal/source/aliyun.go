package source

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// aliYun is the source of machines on AliYun.
func aliYun() *Source {
	return &Source{
		Name:  "AliYun",
		Doc:   "The metadata service of Alibaba Cloud at 100.100.100.200.",
		Match: anyOf(seeded("AliYun", "meta-data", "user-data"), dmi("product_name", "Alibaba Cloud ECS")),
		Fetch: fetchAliYun,
	}
}

// fetchAliYun asks with a token, and never without. See
// https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata.
func fetchAliYun(ctx context.Context, e *Env) (*instance.Instance, error) {
	if in, err := e.seedOf("AliYun", "AliYun"); in != nil || err != nil {
		return in, err
	}
	l := e.limits("AliYun", limits{wait: 240 * time.Second, timeout: 50 * time.Second, pause: time.Second, tries: 6})
	ctx, cancel := context.WithTimeout(ctx, l.all())
	defer cancel()
	var c *client
	n, err := e.reach(ctx, want{Source: "AliYun", Limits: l}, func(ctx context.Context, _ *Early) (err error) {
		c, err = e.withToken(ctx, "X-aliyun-ecs-metadata-token", l, e.addresses("AliYun", "http://100.100.100.200"))
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	return crawlAliYun(ctx, e, c)
}

// crawlAliYun asks for all of meta-data in one document. Where there is no such thing it is a tree as EC2's.
func crawlAliYun(ctx context.Context, e *Env, c *client) (*instance.Instance, error) {
	const version, all, user, vendor = "2016-01-01", "2016-01-01/meta-data/all", "2016-01-01/user-data", "2016-01-01/vendor-data"
	c.limits.timeout = min(c.limits.timeout, treeTimeout)
	found, err := c.all(ctx, all, user, vendor)
	if err != nil {
		return nil, err
	}
	t := told{version: version, user: found[user]}
	where := machine.PublicURL(join(c.base, all))
	if found[all] == nil {
		t.meta, err = c.tree(ctx, version+"/meta-data", isCredential)
	} else if t.meta, err = object(where, found[all]); err == nil {
		t.meta, _ = leaves(t.meta).(map[string]any)
	}
	switch {
	case err != nil:
		return nil, err
	case t.id() == "":
		return nil, fmt.Errorf("%w: get %s: it names no instance", ErrSilent, where)
	}
	in := t.instance(e, "AliYun", c)
	in.VendorData, in.Network = found[vendor], t.networkIn(e, "AliYun")
	in.Hostname, in.Keys = textAt(t.meta, "hostname"), aliYunKeys(e, t.meta["public-keys"])
	in.Tree, in.IsWhole, in.IsWholeName = map[string]any{"meta-data": t.meta}, true, true
	return in, nil
}

// leaves are data whose texts are read as the leaves of a tree are: lines become a list.
func leaves(data any) any {
	switch data := data.(type) {
	case map[string]any:
		for key, value := range data {
			data[key] = leaves(value)
		}
	case []any:
		for i, value := range data {
			data[i] = leaves(value)
		}
	case string:
		return leaf([]byte(data))
	}
	return data
}

// aliYunKeys are public keys by name: a folder has each in openssh-key.
func aliYunKeys(e *Env, data any) (keys []instance.Key) {
	named, _ := data.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		key := named[name]
		if folder, ok := key.(map[string]any); ok {
			key = folder["openssh-key"]
		}
		for _, k := range keysOf(e, conf.Of(key, conf.Origin{Part: "public-keys"})) {
			if k.Line = strings.TrimSpace(k.Line); k.Line != "" {
				keys = append(keys, k)
			}
		}
	}
	return keys
}
