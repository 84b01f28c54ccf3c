package source

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// akamai is the source of machines on Akamai.
func akamai() *Source {
	return &Source{
		Name: "Akamai",
		Doc: "The metadata service of Akamai's cloud, which was Linode's, at 169.254.169.254 and fd00:a9fe:a9fe::1. Where it is silent once the " +
			"network is up, the machine is who its serial number says.",
		Match: anyOf(dmi("sys_vendor", "Linode", "Akamai")),
		Fetch: fetchAkamai,
		Check: isSerial,
	}
}

// An akamaiPolicy is how the service may be asked.
type akamaiPolicy struct {
	local, later, dhcp, v4, v6 bool
	prefixes                   []string // of the MACs of the interfaces to ask through
}

// akamaiPolicy is what the serial number of the board says, such as "als=1;v4=0", or else the configuration.
func (e *Env) akamaiPolicy() akamaiPolicy {
	board := map[string]string{}
	for word := range strings.SplitSeq(e.Machine.Facts.DMI("board_serial"), ";") {
		key, value, _ := strings.Cut(word, "=")
		board[key] = value
	}
	c := e.config("Akamai")
	is := func(short, long string) bool {
		if said := board[short]; said == "0" || said == "1" {
			return said == "1"
		}
		return c.Get(long).Truth(true)
	}
	p := akamaiPolicy{is("als", "allow_local_stage"), is("ais", "allow_init_stage"), is("dhcp", "allow_dhcp"), is("v4", "allow_ipv4"), is("v6", "allow_ipv6"),
		c.Get("preferred_mac_prefixes").Strings()}
	if board["pmp"] != "" {
		p.prefixes = strings.Split(board["pmp"], ",")
	}
	if p.prefixes == nil {
		p.prefixes = []string{"f2:3"}
	}
	return p
}

// mayAsk says whether the service may be asked in a stage.
func (p akamaiPolicy) mayAsk(stage Stage) bool {
	if stage == Local {
		return p.local && (p.v4 && p.dhcp || p.v6)
	}
	return p.later && (p.v4 || p.v6)
}

// prefer puts the interfaces first whose MACs are the cloud's own.
func (p akamaiPolicy) prefer(a, b machine.NIC) int {
	rank := func(n machine.NIC) int {
		if slices.ContainsFunc(p.prefixes, func(prefix string) bool { return strings.HasPrefix(n.MAC, prefix) }) {
			return 0
		}
		return 1
	}
	return cmp.Compare(rank(a), rank(b))
}

func (p akamaiPolicy) bases(e *Env) (bases []string) {
	c := e.config("Akamai").Get("base_urls")
	if p.v4 {
		bases = append(bases, cmp.Or(scalar(c.Get("ipv4")), linkLocalBase))
	}
	if p.v6 {
		bases = append(bases, cmp.Or(scalar(c.Get("ipv6")), "http://[fd00:a9fe:a9fe::1]"))
	}
	return bases
}

// fetchAkamai asks for a token, and with it for the description of the machine and its user-data.
func fetchAkamai(ctx context.Context, e *Env) (*instance.Instance, error) {
	p := e.akamaiPolicy()
	switch {
	case !p.mayAsk(e.Stage) && e.Stage == Local:
		return nil, ErrNotYet
	case !p.mayAsk(e.Stage):
		return e.akamaiAlone(nil)
	}
	c := &client{e: e, method: "PUT", header: map[string]string{"Metadata-Token-Expiry-Seconds": "300"},
		limits: e.limits("Akamai", limits{wait: 30 * time.Second, timeout: 10 * time.Second, pause: 2 * time.Second, tries: 3})}
	var token machine.Response
	way := want{Source: "Akamai", Limits: c.limits, NoIPv4: !p.v4 || !p.dhcp, IPv6: p.v6, Prefer: p.prefer}
	n, err := e.reach(ctx, way, func(ctx context.Context, _ *Early) (err error) {
		token, err = c.first(ctx, "v1/token", p.bases(e)...)
		return err
	})
	switch {
	case err != nil && e.Stage == Local:
		return nil, fmt.Errorf("%w: %v", ErrNotYet, err) // and not silent
	case err != nil:
		return e.akamaiAlone(err)
	}
	defer n.close()
	ctx, cancel := context.WithTimeout(ctx, c.limits.all())
	defer cancel()
	return c.akamai(ctx, strings.TrimSpace(string(token.Body)))
}

// akamaiAlone is the machine without the service, which some of the cloud's places do not have.
func (e *Env) akamaiAlone(err error) (*instance.Instance, error) {
	serial := e.Machine.Facts.DMI("product_serial")
	switch {
	case !isIdentity(serial) && err == nil:
		return nil, fmt.Errorf("%w: it may not be asked, and the firmware has no serial number for this machine", ErrSilent)
	case !isIdentity(serial):
		return nil, err
	case err != nil:
		e.warn("Akamai's metadata service does not answer; this machine has no more than its serial number: %v", err)
	}
	return akamaiOf(e, map[string]any{}, serial), nil
}

func (c *client) akamai(ctx context.Context, token string) (*instance.Instance, error) {
	c.method, c.header = "", map[string]string{"Metadata-Token": token, "Accept": "application/json"}
	where := machine.PublicURL(join(c.base, "v1/instance"))
	body, err := c.get(ctx, "v1/instance")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	doc, err := object(where, body)
	if err != nil {
		return nil, err
	}
	id := cmp.Or(textAt(doc, "id"), c.e.Machine.Facts.DMI("product_serial"))
	if !isIdentity(id) {
		return nil, fmt.Errorf("%w: read %s: it names no instance", ErrSilent, where)
	}
	in := akamaiOf(c.e, doc, id)
	c.header = map[string]string{"Metadata-Token": token}
	more, err := c.all(ctx, "v1/user-data")
	if err != nil {
		return nil, err
	}
	if in.UserData = more["v1/user-data"]; len(in.UserData) > 0 {
		if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(in.UserData))); err == nil {
			in.UserData = plain
		} else {
			c.e.warn("Failed to base64 decode userdata due to %v", err)
		}
	}
	return in, nil
}

// akamaiOf reads the description. It has no name for the machine.
func akamaiOf(e *Env, doc map[string]any, id string) *instance.Instance {
	doc["instance-id"] = id
	in := standard(e, conf.Of(doc, conf.Origin{}))
	in.ID, in.Source, in.Detail, in.Mode = id, "Akamai", e.detail("Akamai"), modeNet
	in.Cloud, in.Platform, in.Subplatform = "akamai", "akamai", "unknown"
	return in
}
