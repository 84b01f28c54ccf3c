package source

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// ec2 is the source of machines on AWS, and on the clouds that speak as it does.
func ec2() *Source {
	return &Source{
		Name: "Ec2",
		Doc: "The metadata service of AWS at 169.254.169.254 and fd00:ec2::254, and of Brightbox, E24Cloud, Outscale, Tilaa and ZStack. " +
			"Where the machine's facts name none of them, datasource.Ec2.strict_id decides: true (so by default) asks nobody, false and warn " +
			"let detection say that it may be one. Where only the version 2009-04-04 is served, a key that is not there yet is asked for again " +
			"while the machine runs: key_retries times (30), sec_between_key_retries apart (5).",
		Match: matchEC2,
		Fetch: fetchEC2,
		Keys:  askForKeys("Ec2", linkLocalBase, "http://[fd00:ec2::254]"),
	}
}

// ec2Versions are cloud-init's, the one with most to say first: tags of the instance, then nothing of weight, then IPv6.
func ec2Versions() []string { return []string{"2021-03-23", "2018-09-24", "2016-09-02", oldest} }

// fetchEC2 asks for the tree of meta-data: on AWS with a token and never without, elsewhere without one.
func fetchEC2(ctx context.Context, e *Env) (*instance.Instance, error) {
	cloud := ec2Cloud(e)
	if in, err := e.seedOf("Ec2", "ec2"); in != nil || err != nil {
		if in != nil {
			in.Cloud = cloud
		}
		return in, err
	}
	switch {
	case cloud == "unknown" && ec2Wants(e) == "true":
		return nil, fmt.Errorf("%w: the machine's facts name no cloud that speaks as EC2 does, and strict_id is true", ErrAbsent)
	case e.Stage == Local && cloud != "aws" && cloud != "outscale":
		return nil, fmt.Errorf("%w: before that only AWS and Outscale are asked", ErrNotYet)
	}
	l := e.limits("Ec2", limits{wait: 240 * time.Second, timeout: 50 * time.Second, pause: time.Second, tries: 6})
	ctx, cancel := context.WithTimeout(ctx, l.all())
	defer cancel()
	var c *client
	n, err := e.reach(ctx, want{Source: "Ec2", Limits: l, IPv6: true, Prefer: elasticFirst}, func(ctx context.Context, _ *Early) (err error) {
		c, err = openEC2(ctx, e, cloud, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	c.ahead = deepFolders(e)
	t, err := c.newest(ctx, cloud == "aws", ec2Versions()...)
	if err != nil {
		return nil, err
	}
	return ec2Instance(e, c, cloud, t), nil
}

// ec2Cloud is which cloud it is, as cloud-init spells it. What the firmware says is not a container's.
func ec2Cloud(e *Env) string {
	if platform, _ := ec2Platform(e.Machine.Facts, e); platform != "" && !e.Machine.Facts.IsContainer() {
		return strings.ToLower(platform)
	}
	return "unknown"
}

// ec2Wants is what a person says of strict_id: "true", "false", or "warn", which it is where nobody says anything. That is
// not detection's default: who gets here was chosen.
func ec2Wants(e *Env) string {
	word, _, _ := strings.Cut(truthWord(e.config("Ec2").Get("strict_id")), ",")
	return cmp.Or(word, "warn")
}

// elasticFirst is the order of interfaces on AWS: the cloud answers through one of its own adapters.
func elasticFirst(a, b machine.NIC) int {
	rank := func(n machine.NIC) int {
		if n.Driver == "ena" || n.Driver == "efa" {
			return 0
		}
		return 1
	}
	return rank(a) - rank(b)
}

// openEC2 settles on an address. See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html.
func openEC2(ctx context.Context, e *Env, cloud string, l limits) (*client, error) {
	addresses := e.addresses("Ec2", linkLocalBase, "http://[fd00:ec2::254]")
	if cloud == "aws" {
		return e.withToken(ctx, "X-aws-ec2-metadata-token", l, addresses)
	}
	c := &client{e: e, limits: l}
	_, err := c.first(ctx, oldest+"/meta-data/instance-id", addresses...)
	return c, err
}

// deepFolders are where the tree has tags and the machine's interfaces. Each level of it would be an answer more to wait for.
func deepFolders(e *Env) []string {
	folders := []string{"tags", "tags/instance", "network", "network/interfaces", "network/interfaces/macs"}
	for _, nic := range e.Machine.Facts.NICs() {
		if nic.MAC != "" && len(folders) < treeRequests/2 {
			folders = append(folders, "network/interfaces/macs/"+nic.MAC)
		}
	}
	return folders
}

// ec2Instance is what was told. On AWS the identity document is believed first.
func ec2Instance(e *Env, c *client, cloud string, t told) *instance.Instance {
	in := t.instance(e, "Ec2", c)
	in.Cloud, in.UserData, in.Network = cloud, unbase64(t.user), t.networkIn(e, "Ec2")
	in.Keys = keyLines(e, in.Subplatform, t.meta["public-keys"])
	in.AwaitsKeys = t.version == oldest && e.awaitsKeys(in)
	in.LaunchIndex = indexOf(conf.Of(t.meta["ami-launch-index"], conf.Origin{}))
	in.Tree, in.IsWhole = map[string]any{"meta-data": t.meta, "_metadata_api_version": t.version}, true
	in.Zone = textAt(t.meta, "placement", "availability-zone")
	if cloud == "aws" {
		in.Tree["dynamic"] = t.dynamic
		document := t.dynamic["instance-identity"]
		in.Zone = cmp.Or(textAt(document, "document", "availabilityZone"), in.Zone)
		in.Region = textAt(document, "document", "region")
		if id := textAt(document, "document", "instanceId"); isIdentity(id) {
			in.ID = id
		}
	}
	if in.Region == "" && in.Zone != "" {
		in.Region = in.Zone[:len(in.Zone)-1]
	}
	if cloud == "unknown" && ec2Wants(e) == "warn" && (e.Last == nil || e.Last.ID != in.ID) {
		e.warn("this machine speaks with %s as with EC2, but its facts name no cloud that does so; datasource: {Ec2: {strict_id: false}} says that this is right", in.Subplatform)
	}
	return in
}

// matchEC2 looks for a seed and for the signs of each cloud.
func matchEC2(f *machine.Facts, e *Env) Match {
	if m := anyOf(seeded("ec2", "meta-data", "user-data"))(f, e); m.Found {
		return m
	}
	if f.IsContainer() {
		return Match{Why: "no seed folder ec2; what the firmware says is not the container's"}
	}
	if platform, why := ec2Platform(f, e); platform != "" {
		return Match{Found: true, Why: platform + ": " + why}
	}
	strict := strictID(f, e)
	return Match{
		Maybe: strict != "true",
		Why:   "no sign of AWS, Brightbox, E24cloud, Outscale, Tilaa or ZStack; strict_id is " + strict,
		Extra: fmt.Sprintf("datasource: {Ec2: {strict_id: %q}}", strict),
	}
}

// ec2Signs are the clouds that speak as EC2 does, in the order in which they are told apart.
func ec2Signs() []struct {
	platform string
	sign     sign
} {
	return []struct {
		platform string
		sign     sign
	}{
		{"Brightbox", dmi("product_serial", "*.brightbox.com")},
		{"ZStack", dmi("chassis_asset_tag", "*.zstack.io")},
		{"E24cloud", dmi("sys_vendor", "e24cloud")},
		{"Tilaa", dmi("sys_vendor", "Tilaa")},
		{"Outscale", outscale()},
		{"AWS", hypervisorUUID()},
		{"AWS", awsUUID()},
	}
}

// ec2Platform is which of them the facts name, and why; empty where they name none.
func ec2Platform(f *machine.Facts, e *Env) (platform, why string) {
	for _, s := range ec2Signs() {
		if at := s.sign.seen(f, e); at != "" {
			return s.platform, at
		}
	}
	return "", ""
}

// outscale has two names, and needs both.
func outscale() sign {
	product := dmi("product_name", "3DS Outscale VM")
	return sign{product.what, func(f *machine.Facts, e *Env) string {
		if f.DMI("sys_vendor") != "3DS Outscale" {
			return ""
		}
		return product.seen(f, e)
	}}
}

// hypervisorUUID is what Xen says on AWS' older machines.
func hypervisorUUID() sign {
	const name = "/sys/hypervisor/uuid"
	return sign{name + " ec2…", func(_ *machine.Facts, e *Env) string {
		if text, err := e.Machine.Files.Read(name); err != nil || !strings.HasPrefix(strings.TrimSpace(text), "ec2") {
			return ""
		}
		return name + " begins with ec2"
	}}
}

// awsUUID is the machine's number, which begins with ec2. Some firmware writes the bytes of its first field the other way
// round: 45E12AEC is EC2AE145.
func awsUUID() sign {
	return sign{"DMI product_uuid ec2…", func(f *machine.Facts, _ *Env) string {
		first, _, _ := strings.Cut(strings.ToLower(f.DMI("product_uuid")), "-")
		n := len(first)
		turned := n >= 4 && first[n-4] == '2' && strings.Contains("0123456789abcdef", first[n-3:n-2]) && first[n-2:] == "ec"
		if !turned && !strings.HasPrefix(first, "ec2") {
			return ""
		}
		return "DMI product_uuid is one of EC2's"
	}}
}

// strictID is whether EC2 needs proof: "true", "false", or "warn" perhaps with a number of seconds. The kernel command line
// has the word over the configuration, and that over detection's own file.
func strictID(f *machine.Facts, e *Env) string {
	const key = "ci.datasource.ec2.strict_id"
	value, said := f.KernelArgument(key)
	if !said {
		value = truthWord(e.config("Ec2").Get("strict_id"))
	}
	if value == "" && !said {
		value = detectSetting(e, key)
	}
	switch before, seconds, _ := strings.Cut(value, ","); {
	case value == "":
		return "true"
	case value == "true", value == "false", value == "warn", before == "warn" && seconds != "" && seconds[0] >= '0' && seconds[0] <= '9':
		return value
	}
	e.warn("strict_id of Ec2 should be true, false or warn, but is %q; it is taken for true", value)
	return "true"
}

// truthWord is a value as a word; yes and True are true.
func truthWord(v *conf.Value) string {
	if v != nil && v.Kind == conf.Bool {
		return fmt.Sprint(v.Truth(false))
	}
	return scalar(v)
}
