package source

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"

	"openguest/internal/instance"
)

// cloudStack is the source of machines on CloudStack.
func cloudStack() *Source {
	return &Source{
		Name:  "CloudStack",
		Doc:   "The virtual router of an Apache CloudStack network: its metadata and password servers.",
		Match: anyOf(dmi("product_name", "CloudStack*")),
		Fetch: fetchCloudStack,
	}
}

// fetchCloudStack asks the network's router: for a tree as EC2's, and for a password.
func fetchCloudStack(ctx context.Context, e *Env) (*instance.Instance, error) {
	if in, err := e.seedOf("CloudStack", "cs"); in != nil || err != nil {
		return in, err
	}
	l := e.limits("CloudStack", limits{wait: 2 * time.Minute, timeout: 50 * time.Second, pause: time.Second, tries: 6})
	ctx, cancel := context.WithTimeout(ctx, l.all())
	defer cancel()
	var c *client
	n, err := e.reach(ctx, want{Source: "CloudStack", Limits: l}, func(ctx context.Context, n *Early) error {
		asking := &client{e: e, limits: l}
		_, err := asking.first(ctx, "latest/meta-data/instance-id", routers(e, n)...)
		if err == nil {
			c = asking
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	return crawlCloudStack(ctx, e, c, n)
}

func crawlCloudStack(ctx context.Context, e *Env, c *client, n *Early) (*instance.Instance, error) {
	t, err := c.newest(ctx, false, "latest")
	if err != nil {
		return nil, err
	}
	in := t.instance(e, "CloudStack", c)
	in.Keys = keyLines(e, in.Subplatform, t.meta["public-keys"])
	if domain := domainOf(e, n); domain != "" && in.Hostname != "" && !strings.Contains(in.Hostname, ".") {
		in.Hostname += "." + domain
	}
	in.VendorData = c.passwordConfig(ctx, strings.TrimSuffix(c.base, "/")+":8080")
	return in, nil
}

// routers are where the router may be: by the name that it gives itself, and by its address as the server of DHCP or, where
// nobody knows that any more, as the way out.
func routers(e *Env, n *Early) []string {
	addresses := []string{"http://data-server/"}
	server, _ := netip.ParseAddr(leased(e, "SERVER_ADDRESS"))
	if n.Lease != nil {
		server = n.Lease.Server
	}
	state, err := e.Machine.Links.State()
	if err != nil {
		e.debug("look for the way out: %v", err)
	}
	for _, r := range state.Routes {
		if !server.IsValid() && r.IsDefault() && r.Via.Is4() {
			server = r.Via
		}
	}
	if server.Is4() {
		addresses = append(addresses, fmt.Sprintf("http://%s/", server))
	}
	return addresses
}

// domainOf is the domain of the network, as the server of DHCP says.
func domainOf(e *Env, n *Early) string {
	all := leased(e, "DOMAINNAME")
	if n.Lease != nil {
		all = n.Lease.Domain
	}
	domain, _, _ := strings.Cut(strings.TrimSpace(all), " ") // some servers put several there
	return domain
}

// leased is what a lease of systemd-networkd says under a key; empty where there is none.
func leased(e *Env, key string) string {
	const folder = "/run/systemd/netif/leases"
	names, _ := e.Machine.Files.List(folder)
	for _, name := range names {
		text, _ := e.Machine.Files.Read(path.Join(folder, name))
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
				return value
			}
		}
	}
	return ""
}
