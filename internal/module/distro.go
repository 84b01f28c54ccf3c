package module

import "openguest/internal/conf"

// A Distro is how one family of distributions differs from the others. A new family is one more value in families.
type Distro struct {
	ID     string // as system_info.distro says: "debian"
	Family string // "debian", "redhat", …: which templates it has

	HostsAddress string // which address /etc/hosts gives the host's own name
	HostnameFile string // where the host name is kept
	FQDN         bool   // the fully qualified name is the host name, where nobody says otherwise
	Hostnamectl  bool   // the host name is set by hostnamectl
	SSHService   string // the unit of the ssh server
	Locale       localeStyle
	Locale0      string           // the locale where nobody says
	ZoneFile     bool             // /etc/timezone holds the zone's name beside the link /etc/localtime
	Packages     []packageManager // the first of them that is installed counts
	Snap         bool             // there are snaps as well
}

// localeStyle is how a family keeps its locale.
type localeStyle int

const (
	localeGen     localeStyle = iota // /etc/locale.gen and /etc/default/locale
	localeConf                       // /etc/locale.conf
	localeProfile                    // a script in /etc/profile.d
)

var families = []Distro{
	{Family: "debian", HostsAddress: "127.0.1.1", HostnameFile: "/etc/hostname", SSHService: "ssh", Locale: localeGen, Locale0: "C.UTF-8", ZoneFile: true,
		Packages: []packageManager{apt}},
	{Family: "redhat", HostsAddress: "127.0.0.1", HostnameFile: "/etc/hostname", FQDN: true, Hostnamectl: true, SSHService: "sshd", Locale: localeConf, Locale0: "en_US.UTF-8",
		Packages: []packageManager{dnf, yum, tdnf}},
	{Family: "alpine", HostsAddress: "127.0.1.1", HostnameFile: "/etc/hostname", SSHService: "sshd", Locale: localeProfile, Locale0: "C.UTF-8", ZoneFile: true,
		Packages: []packageManager{apk}},
	{Family: "suse", HostsAddress: "127.0.1.1", HostnameFile: "/etc/hostname", Hostnamectl: true, SSHService: "sshd", Locale: localeConf, Locale0: "en_US.UTF-8",
		Packages: []packageManager{zypper}},
	{Family: "arch", HostsAddress: "127.0.0.1", HostnameFile: "/etc/hostname", SSHService: "sshd", Locale: localeConf, Locale0: "en_US.UTF-8", ZoneFile: true,
		Packages: []packageManager{pacman}},
}

// members says which family a distribution belongs to.
var members = map[string]string{
	"debian": "debian", "ubuntu": "debian", "raspberry-pi-os": "debian",
	"almalinux": "redhat", "amazon": "redhat", "azurelinux": "redhat", "centos": "redhat", "cloudlinux": "redhat", "eurolinux": "redhat",
	"fedora": "redhat", "mariner": "redhat", "miraclelinux": "redhat", "openmandriva": "redhat", "photon": "redhat", "rhel": "redhat",
	"rocky": "redhat", "virtuozzo": "redhat",
	"alpine": "alpine", "arch": "arch",
	"opensuse": "suse", "opensuse-leap": "suse", "opensuse-microos": "suse", "opensuse-tumbleweed": "suse", "sle_hpc": "suse", "sle-micro": "suse", "sles": "suse", "suse": "suse",
}

// FindDistro is the distribution that system_info.distro, or else os-release, names. One that nobody knows is taken for a
// Debian; known says so.
func FindDistro(id string, config *conf.Value) (d *Distro, known bool) {
	family, known := members[id]
	if !known {
		family = "debian"
	}
	for _, one := range families {
		if one.Family == family {
			one.ID, one.Snap = id, id == "ubuntu"
			one.SSHService = config.At("system_info", "ssh_svcname").Str(one.SSHService)
			return &one, known
		}
	}
	return nil, false
}
