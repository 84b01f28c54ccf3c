package source

import (
	"fmt"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// ec2 is the source of machines on AWS, and on the clouds that speak as it does.
func ec2() *Source {
	return &Source{
		Name: "Ec2",
		Doc: "The metadata service of AWS at 169.254.169.254 and fd00:ec2::254, and of Brightbox, E24Cloud, Outscale, Tilaa and ZStack. " +
			"Where the machine's facts name none of them, datasource.Ec2.strict_id decides: true (so by default) asks nobody, false and warn " +
			"let detection say that it may be one.",
		Match: matchEC2,
	}
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
