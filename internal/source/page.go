package source

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// linkLocalBase is where most clouds have their metadata.
const linkLocalBase = "http://169.254.169.254"

// A onePage is a cloud that says all it has to say in one JSON document.
type onePage struct {
	source, cloud string // the names: "UpCloud", "upcloud"
	address       string // of the document, where the configuration does not say another
	key           string // of the configuration that does: metadata_url
	limits        limits
	static        netip.Prefix // the address to ask from; where there is none, DHCP gives one

	// instance takes the document apart.
	instance func(e *Env, doc map[string]any) *instance.Instance
}

// fetch asks for the document.
func (p onePage) fetch(ctx context.Context, e *Env) (*instance.Instance, error) {
	c := &client{e: e, base: p.address, limits: e.limits(p.source, p.limits).ofOne()}
	if address := scalar(e.config(p.source).Get(p.key)); address != "" {
		c.base = address
	}
	var answer machine.Response
	n, err := e.reach(ctx, want{Source: p.source, Limits: c.limits, Static: p.static}, func(ctx context.Context, _ *Early) (err error) {
		if answer, err = e.Machine.Net.Fetch(ctx, machine.Request{URL: c.base, Tries: c.limits.tries, Timeout: c.limits.timeout, Wait: c.limits.pause}); err != nil {
			return fmt.Errorf("%w: %w", ErrSilent, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	doc, err := object(machine.PublicURL(c.base), answer.Body)
	if err != nil {
		return nil, err
	}
	in := p.instance(e, doc)
	if in.ID == "" {
		return nil, fmt.Errorf("%w: read %s: it names no instance", ErrSilent, machine.PublicURL(c.base))
	}
	in.Source, in.Detail, in.Mode = p.source, cmp.Or(in.Detail, "DataSource"+p.source), modeNet
	in.Cloud, in.Platform = p.cloud, p.cloud
	in.Subplatform = "metadata (" + machine.PublicURL(c.base) + ")"
	return in, nil
}

// textAt is the scalar at a path of plain data, as a text; empty where there is none.
func textAt(data any, keys ...string) string {
	v := conf.Of(data, conf.Origin{})
	return scalar(v.At(keys...))
}

// bytesAt is the text at a path of plain data; nil where there is none or an empty one.
func bytesAt(data any, keys ...string) []byte {
	if text := textAt(data, keys...); text != "" {
		return []byte(text)
	}
	return nil
}

// listAt is the list at a path of plain data; nil where there is none.
func listAt(data any, keys ...string) []any {
	v := conf.Of(data, conf.Origin{})
	items, _ := v.At(keys...).Data().([]any)
	return items
}

// described is the cloud's own description of the network, out of its document; nil where there is none.
func described(kind string, data any) *instance.Network {
	if data == nil {
		return nil
	}
	return &instance.Network{Kind: kind, Document: []byte(conf.JSON(data))}
}

// isSerial checks an instance against the serial number that the firmware has for it.
func isSerial(_ context.Context, e *Env, last *instance.Instance) bool {
	return last.ID != "" && last.ID == e.Machine.Facts.DMI("product_serial")
}
