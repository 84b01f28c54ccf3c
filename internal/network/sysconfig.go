package network

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// rendererSysconfig writes the files of Red Hat's network-scripts and of SUSE's wicked, see ifcfg(5) and
// /usr/share/doc/initscripts/sysconfig.txt.
func rendererSysconfig() Manager {
	return Manager{
		Name:      "sysconfig",
		Doc:       "network-scripts, wicked, and NetworkManager where it reads ifcfg files: files in /etc/sysconfig, /etc/resolv.conf, and a rule for udev that names interfaces by their MAC.",
		Available: hasSysconfig,
		Render:    renderSysconfig,
	}
}

func hasSysconfig(t Target) (ok bool, why string) {
	known := []string{"almalinux", "centos", "cloudlinux", "eurolinux", "fedora", "miraclelinux", "openeuler", "opencloudos",
		"openmandriva", "rhel", "rocky", "suse", "tencentos", "virtuozzo"}
	switch variant := t.Facts.Variant(); {
	case !slices.Contains(known, variant):
		return false, variant + " has no /etc/sysconfig for networks"
	case t.hasNetworkScripts():
		return true, "ifup, ifdown and their files in /etc/sysconfig are there"
	case t.readsIfcfg():
		return true, "NetworkManager reads ifcfg files"
	}
	return false, "neither network-scripts nor NetworkManager's plugin for ifcfg files is installed"
}

func (t Target) hasNetworkScripts() bool {
	if t.program("ifup", "/sbin", "/usr/sbin") == "" || t.program("ifdown", "/sbin", "/usr/sbin") == "" {
		return false
	}
	files := []string{"network-scripts/network-functions", "config", "network/config"} // the last one is SUSE's
	return slices.ContainsFunc(files, func(f string) bool { return machine.Exists(t.Files, "/etc/sysconfig/"+f) })
}

// readsIfcfg says that NetworkManager has its plugin for ifcfg files, in a folder that bears its version.
func (t Target) readsIfcfg() bool {
	for _, lib := range []string{"/usr/lib64", "/usr/lib"} {
		folder := lib + "/NetworkManager"
		versions, _ := t.Files.List(folder)
		for _, version := range versions {
			if machine.Exists(t.Files, folder+"/"+version+"/libnm-settings-plugin-ifcfg-rh.so") {
				return true
			}
		}
	}
	return false
}

// Headers of what is in /etc/sysconfig, and of /etc/resolv.conf. The text is cloud-init's.
const (
	sysconfigHeader = "# Created by cloud-init automatically, do not edit.\n#\n"
	resolvHeader    = "; Created by cloud-init automatically, do not edit.\n;\n"
)

func renderSysconfig(m *Model, t Target) ([]File, []conf.Problem) {
	suse := strings.Contains(t.Variant, "suse") || strings.HasPrefix(t.Variant, "sle")
	s := &sysconfig{model: m, suse: suse, hasDefault: m.HasDefaultRoute()}
	files := s.interfaces()
	if dns := allServers(m); !dns.IsEmpty() {
		files = append(files,
			File{Path: resolvConf, Text: s.resolvers(t, dns)},
			File{Path: "/etc/NetworkManager/conf.d/99-cloud-init.conf", Text: sysconfigHeader + "[main]\ndns = none\n"})
	}
	if suse {
		return append(files, File{Path: "/etc/udev/rules.d/85-persistent-net-cloud-init.rules", Text: persistentRules(m)}), s.problems
	}
	files = append(files, File{Path: persistentNames, Text: persistentRules(m)}, s.control(t))
	return files, s.problems
}

// A sysconfig is what is in /etc/sysconfig in the making.
type sysconfig struct {
	model      *Model
	suse       bool
	hasDefault bool // some route is the default one
	problems   []conf.Problem
}

func (s *sysconfig) warn(format string, args ...any) {
	s.problems = append(s.problems, conf.Problem{Message: fmt.Sprintf(format, args...), Level: conf.Warning})
}

// control is what counts for all interfaces. What else is in the file stays.
func (s *sysconfig) control(t Target) File {
	const name = "/etc/sysconfig/network"
	text := sysconfigHeader + "NETWORKING=yes\n"
	if s.model.IPv6 {
		text += "NETWORKING_IPV6=yes\nIPV6_AUTOCONF=no\n"
	}
	before, _ := t.Files.Read(name) // where there is none, nothing has to stay
	for line := range strings.Lines(before) {
		line = strings.TrimRight(line, "\r\n")
		isOurs := line != "" && strings.Contains(sysconfigHeader, line+"\n")
		if !isOurs && !strings.Contains(line, "NETWORKING") && !strings.Contains(line, "IPV6_AUTOCONF") {
			text += line + "\n"
		}
	}
	return File{Path: name, Text: text}
}

// interfaces are the files of all interfaces.
func (s *sysconfig) interfaces() (files []File) {
	folder, routes4, routes6 := "/etc/sysconfig/network-scripts/", "route-", "route6-"
	if s.suse {
		folder = "/etc/sysconfig/network/"
	}
	for _, l := range s.model.Links {
		if l.Kind == Loopback {
			continue
		}
		c, routes := s.link(l)
		files = append(files, File{Path: folder + "ifcfg-" + l.Name, Text: c.text()})
		if text := ifroute(l); s.suse && text != "" {
			files = append(files, File{Path: folder + "ifroute-" + l.Name, Text: sysconfigHeader + text})
		}
		if len(routes) > 0 {
			v4, v6 := routesIfcfg(l.Name, routes)
			files = append(files, File{Path: folder + routes4 + l.Name, Text: v4}, File{Path: folder + routes6 + l.Name, Text: v6})
		}
	}
	if len(s.model.Routes) > 0 {
		s.warn("routes that belong to no interface are left out: files in /etc/sysconfig have none")
	}
	return files
}

// ifroute are the gateways and routes of an interface as SUSE has them, a line each: see ifroute(5). cloud-init leaves them out.
func ifroute(l *Link) (text string) {
	line := func(to, via string, metric *int) {
		text += fmt.Sprintf("%s %s - %s", to, cmp.Or(via, "-"), l.Name)
		if metric != nil {
			text += fmt.Sprintf(" metric %d", *metric)
		}
		text += "\n"
	}
	for i := range l.Subnets {
		if gateway := l.Subnets[i].Gateway; gateway != "" && strings.HasPrefix(l.Subnets[i].Type, "static") {
			line("default", gateway, nil)
		}
		for _, r := range l.Subnets[i].Routes {
			to := fmt.Sprintf("%s/%d", r.Network, r.Prefix)
			if r.IsDefault() && r.Gateway != "" {
				to = "default"
			}
			line(to, r.Gateway, r.Metric)
		}
	}
	return text
}

// routesIfcfg are the texts of the files for routes of IPv4 and IPv6. They come in the order of their numbers as texts: 10
// is before 2.
func routesIfcfg(link string, routes []Route) (v4, v6 string) {
	var numbers []string
	for i := range routes {
		numbers = append(numbers, strconv.Itoa(i+1))
	}
	slices.Sort(numbers)
	v4, v6 = sysconfigHeader, sysconfigHeader
	n := 0
	for _, number := range numbers {
		i, _ := strconv.Atoi(number)
		r := routes[i-1]
		if r.Is6() {
			v6 += route6Ifcfg(link, r)
			continue
		}
		v4 += fmt.Sprintf("ADDRESS%d=%s\n", n, r.Network)
		if r.Gateway != "" {
			v4 += fmt.Sprintf("GATEWAY%d=%s\n", n, r.Gateway)
		}
		v4 += fmt.Sprintf("NETMASK%d=%s\n", n, r.Netmask)
		if r.Metric != nil {
			v4 += fmt.Sprintf("METRIC%d=%d\n", n, *r.Metric)
		}
		n++
	}
	return v4, v6
}

func route6Ifcfg(link string, r Route) string {
	via, metric := "", ""
	if r.Gateway != "" {
		via = " via " + r.Gateway
	}
	if r.Metric != nil {
		metric = fmt.Sprintf("metric %d", *r.Metric)
	}
	return fmt.Sprintf("%s/%d%s %s dev %s\n", r.Network, r.Prefix, via, metric, link)
}
