package engine

import (
	"context"
	"strings"

	"openguest/dist"
	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// builtin are the defaults below every file.
func builtin() *conf.Value {
	v, _, err := conf.Parse("built-in defaults", []byte(builtinText))
	if err != nil {
		panic("engine: the built-in defaults do not parse: " + err.Error())
	}
	return v
}

const builtinText = `datasource_list: [NoCloud, ConfigDrive, LXD, OpenNebula, DigitalOcean, Azure, AltCloud, VMware, OVF, MAAS, GCE, OpenStack, AliYun, Vultr, Ec2, CloudSigma, CloudStack, SmartOS, Bigstep, Scaleway, Hetzner, IBMCloud, Oracle, Exoscale, RbxCloud, UpCloud, NWCS, Akamai, WSL, CloudCIX, None]
def_log_file: /var/log/cloud-init.log
syslog_fix_perms: ['syslog:adm', 'root:adm', 'root:wheel', 'root:root']
system_info:
  paths: {cloud_dir: /var/lib/cloud, docs_dir: /usr/share/doc/cloud-init/, templates_dir: /etc/cloud/templates/}
  network: {renderers: null}
vendor_data: {enabled: true, prefix: []}
vendor_data2: {enabled: true, prefix: []}
`

// ourDefault is the configuration of an image that has no cloud.cfg: the one in the program.
func (e *Engine) ourDefault() *conf.Value {
	id, _, _ := e.machine.Facts.Distro()
	const name = "built-in cloud.cfg"
	text, _, err := render(name, dist.CloudConfig, map[string]any{"variant": id})
	if err != nil {
		panic("engine: the built-in cloud.cfg cannot be rendered: " + err.Error())
	}
	return e.parseLayer(name, text)
}

// logOwner is the first owner of the log that this system has.
func (e *Engine) logOwner() (uid, gid int) {
	for _, owner := range e.config.Get("syslog_fix_perms").Strings() {
		if uid, gid, err := account.Owner(context.Background(), e.state, owner); err == nil {
			return uid, gid
		}
	}
	return 0, 0
}

// Disabled says by what configuration is switched off on a machine, in the words of boot_status_code; empty where it is not.
// commandLine is what the environment says in place of the kernel; it may be empty.
func Disabled(m machine.Machine, commandLine string) string {
	if strings.Contains(" "+m.Facts.CommandLine()+" ", " cloud-init=enabled ") {
		return ""
	}
	switch {
	case machine.Exists(m.Files, "/etc/cloud/cloud-init.disabled"):
		return "marker-file"
	case strings.Contains(" "+m.Facts.CommandLine()+" ", " cloud-init=disabled "):
		return "kernel-command-line"
	case strings.Contains(commandLine, "cloud-init=disabled"):
		return "environment-variable"
	}
	return ""
}

var _ module.Report = (*log)(nil)
