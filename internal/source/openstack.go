package source

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// openStack is the source of machines that ask OpenStack's metadata service.
func openStack() *Source {
	return &Source{
		Name: "OpenStack",
		Doc: "The metadata service of OpenStack at 169.254.169.254 and fe80::a9fe:a9fe: the tree /openstack. The one that EC2 has is read " +
			"where user-data speaks of what only that says: ec2_metadata, or ephemeral disks; and where it is the only one. Then a key " +
			"that is not there yet is asked for again, as on Ec2.",
		Match: matchOpenStack,
		Fetch: fetchOpenStack,
		Check: checkUUID,
		Keys:  askForKeys("OpenStack", linkLocalBase),
	}
}

// fetchOpenStack asks for the versions of the tree at all addresses, and where one answers, for all documents at once.
func fetchOpenStack(ctx context.Context, e *Env) (*instance.Instance, error) {
	c := &client{e: e, limits: e.limits("OpenStack", defaultLimits())}
	var versions machine.Response
	isOld := false
	n, err := e.reach(ctx, want{Source: "OpenStack", Limits: c.limits, IPv6: true}, func(ctx context.Context, n *Early) (err error) {
		addresses := e.addresses("OpenStack", e.nearAddresses(n)...)
		if versions, err = c.first(ctx, "openstack", addresses...); isMissing(err) && c.speaksEC2(ctx, addresses) {
			isOld, err = true, nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	ctx, cancel := context.WithTimeoutCause(ctx, c.limits.all(), fmt.Errorf("OpenStack's metadata took longer than %v", c.limits.all()))
	defer cancel()
	if isOld {
		return c.openStackOfEC2(ctx)
	}
	t := openStackTree{e, c.base, func(names ...string) ([][]byte, []error) { return c.each(ctx, names...) }}
	in, err := t.instance(strings.Fields(string(versions.Body)))
	if err != nil {
		return nil, err
	}
	return c.openStack(ctx, in)
}

// openStack completes an instance that the service described.
func (c *client) openStack(ctx context.Context, in *instance.Instance) (*instance.Instance, error) {
	in.Source, in.Detail, in.Platform, in.Subplatform = "OpenStack", "DataSourceOpenStack", "openstack", "metadata ("+c.base+")"
	if in.Cloud == "" {
		in.Cloud = "openstack"
	}
	if c.e.Stage == Local {
		in.Detail += "Local"
	}
	if in.Mode = dsmode(c.e, metaMode(in)); in.Mode == modeDisabled {
		return nil, fmt.Errorf("%w: its dsmode is disabled", ErrAbsent)
	}
	in.Detail += " [" + in.Mode + ",ver=2]"
	if !c.e.config("OpenStack").Get("apply_network_config").Truth(true) {
		in.Network = nil
	}
	if needsEC2(in.UserData) || needsEC2(in.VendorData) || needsEC2(in.VendorData2) {
		tree, err := c.tree(ctx, "latest/meta-data", func(name string) bool { return strings.Contains(name, "security-credentials") })
		if err != nil {
			c.e.warn("the metadata that OpenStack has in EC2's form is left out: %v", err)
		} else {
			in.Tree["ec2_metadata"] = tree
		}
	}
	return in, nil
}

// needsEC2 says that a document speaks of what only EC2's tree says. To read that takes many requests.
func needsEC2(document []byte) bool {
	return bytes.Contains(document, []byte("ec2_metadata")) || bytes.Contains(document, []byte("ephemeral"))
}

// matchOpenStack looks for Nova's names and those of the clouds that are built on it. A config drive says the same without a
// network, if it is listed too.
func matchOpenStack(f *machine.Facts, e *Env) Match {
	if e.looksFor("ConfigDrive") {
		if m := matchConfigDrive(f, e); m.Found {
			return Match{Why: "there is a config drive: " + m.Why}
		}
	}
	m := anyOf(
		dmi("product_name", "OpenStack Nova", "OpenStack Compute"), // the second is RDO's
		novaContainer(),
		dmi("chassis_asset_tag", "OpenTelekomCloud", "SAP CCloud VM", "HUAWEICLOUD", "Samsung Cloud Platform",
			"OpenStack Nova", "OpenStack Compute"), // the last two where VMware's firmware has no other place
	)(f, e)
	if arch := f.Architecture(); !m.Found && arch != "" && !isIntel(arch) {
		return Match{Maybe: true, Why: "Nova names itself on Intel's processors alone, and this is " + arch}
	}
	return m
}

// novaContainer is what Nova tells the first process of a container.
func novaContainer() sign {
	return sign{"product_name in the first process' environment", func(f *machine.Facts, _ *Env) string {
		if f.InitEnvironment("product_name") != "OpenStack Nova" {
			return ""
		}
		return "the first process was told that the product is OpenStack Nova"
	}}
}

// isIntel says whether an architecture is x86_64 or one of i386 to i686.
func isIntel(arch string) bool {
	return arch == "x86_64" || len(arch) == 4 && strings.HasPrefix(arch, "i") && strings.HasSuffix(arch, "86")
}
