package module

import "openguest/internal/conf"

// Families of distributions that several modules are for.
var (
	debians = []string{"debian", "ubuntu", "raspberry-pi-os"}
	suses   = []string{"opensuse", "opensuse-microos", "opensuse-tumbleweed", "opensuse-leap", "sle_hpc", "sle-micro", "sles"}
)

// The modules of cloud-init that are known and not there yet, with the keys that ask for them. One that is built leaves
// this list.
var unbuiltModules = []*Module{
	gated(unbuilt("resolv_conf", Init, PerInstance, "manage_resolv_conf", "resolv_conf")),
	gated(unbuilt("ca_certs", Init, PerInstance, "ca_certs", "ca-certs")),
	gated(unbuilt("rsyslog", Init, PerInstance, "rsyslog")),
	only(gated(unbuilt("wireguard", Config, PerInstance, "wireguard")), "ubuntu"),
	only(gated(unbuilt("snap", Config, PerInstance, "snap")), "ubuntu"),
	only(gated(unbuilt("ubuntu_autoinstall", Config, Once, "autoinstall")), "ubuntu"),
	only(ofUsers(unbuilt("ssh_import_id", Config, PerInstance, "ssh_import_id")), "alpine", "cos", "debian", "raspberry-pi-os", "ubuntu"),
	gated(unbuilt("keyboard", Config, PerInstance, "keyboard")),
	only(gated(unbuilt("apk_configure", Config, PerInstance, "apk_repos")), "alpine"),
	only(gated(unbuilt("grub_dpkg", Config, PerInstance, "grub_dpkg", "grub-dpkg")), "debian", "ubuntu"),
	only(gated(unbuilt("apt_pipelining", Config, PerInstance, "apt_pipelining")), debians...),
	only(unbuilt("apt_configure", Config, PerInstance, "apt"), debians...),
	only(gated(unbuilt("ubuntu_pro", Config, PerInstance, "ubuntu_pro", "ubuntu_advantage")), "ubuntu"),
	gated(unbuilt("ntp", Config, PerInstance, "ntp")),
	only(gated(unbuilt("raspberry_pi", Config, PerInstance, "rpi")), "raspberry-pi-os"),
	gated(unbuilt("disable_ec2_metadata", Config, Always, "disable_ec2_metadata")),
	only(unbuilt("byobu", Config, PerInstance, "byobu_by_default"), debians...),
	only(gated(unbuilt("rh_subscription", Config, PerInstance, "rh_subscription")), "fedora", "rhel"),
	only(gated(unbuilt("spacewalk", Config, PerInstance, "spacewalk")), "rhel", "fedora", "openeuler"),
	only(gated(unbuilt("yum_add_repo", Config, PerInstance, "yum_repos", "yum_repo_dir")), "almalinux", "amazon", "azurelinux", "centos", "cloudlinux", "eurolinux", "fedora", "mariner", "openeuler", "OpenCloudOS", "openmandriva", "photon", "rhel", "rocky", "TencentOS", "virtuozzo"),
	only(gated(unbuilt("zypper_add_repo", Config, Always, "zypper")), suses...),
	only(gated(unbuilt("fan", Final, PerInstance, "fan")), "ubuntu"),
	only(gated(unbuilt("landscape", Final, PerInstance, "landscape")), "ubuntu"),
	only(gated(unbuilt("lxd", Final, PerInstance, "lxd")), "ubuntu"),
	only(gated(unbuilt("ubuntu_drivers", Final, PerInstance, "drivers")), "ubuntu"),
	gated(unbuilt("puppet", Final, PerInstance, "puppet")),
	gated(unbuilt("chef", Final, Always, "chef")),
	gated(unbuilt("ansible", Final, PerInstance, "ansible")),
	gated(unbuilt("mcollective", Final, PerInstance, "mcollective")),
	gated(unbuilt("salt_minion", Final, PerInstance, "salt_minion")),
	unbuilt("reset_rmc", Final, PerInstance),
	gated(unbuilt("phone_home", Final, PerInstance, "phone_home")),
}

// unbuilt declares a module that is not there yet, and the keys that ask for it.
func unbuilt(name string, stage Stage, every Frequency, asks ...string) *Module {
	return &Module{Name: name, Stage: stage, Every: every, Unbuilt: true, keys: struct{}{}, asks: asks,
		Doc: "Not built yet: where its keys are given, that is said, and nothing is done about them."}
}

// gated is the same module where it runs only if one of its keys is there.
func gated(m *Module) *Module {
	m.Gate = m.asks
	return m
}

// only is the same module where it is for some distributions.
func only(m *Module, distros ...string) *Module {
	m.Distros = distros
	return m
}

// ofUsers is the same module where each of users may have its keys as well.
func ofUsers(m *Module) *Module {
	m.users = true
	return m
}

// An Ask is a place in a configuration that asks for something.
type Ask struct {
	Key   string // the key at the top
	Path  string // "users[1].ssh_import_id"
	Value *conf.Value
}

// Asked are the places that ask for a module that is not built yet.
func (m *Module) Asked(config *conf.Value) (all []Ask) {
	for _, key := range m.asks {
		if v := config.Get(key); v != nil {
			all = append(all, Ask{key, key, v})
		}
		if m.users {
			all = append(all, askedByUsers(config.Get("users"), key)...)
		}
	}
	return all
}

// askedByUsers are the users, in a list or by their names, who have a key.
func askedByUsers(users *conf.Value, key string) (all []Ask) {
	add := func(path string, user *conf.Value) {
		if user.Kind != conf.Map {
			return
		}
		if v := underscored(user).Get(key); !v.IsNull() {
			all = append(all, Ask{"users", path + "." + key, v})
		}
	}
	switch {
	case users.IsNull():
	case users.Kind == conf.List:
		for i, user := range users.Items {
			add(itemPath("users", i), user)
		}
	case users.Kind == conf.Map:
		for _, pair := range users.Pairs {
			add("users."+pair.Key.Text, pair.Value)
		}
	}
	return all
}
