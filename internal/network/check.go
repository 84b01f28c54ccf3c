package network

import (
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
)

// Check says what is wrong with a description of version 1 or 2 by cloud-init's schemas for them, which are stricter than what
// readers make of it: `schema -t network-config` ends as cloud-init's does.
func Check(document *conf.Value) []conf.Problem {
	r := newReading(0, document, Host{})
	root := r.root(document)
	if inner := document.Get("network"); inner != nil {
		for _, e := range root.entries() {
			if e.key != "network" {
				e.unknown("key", e.key, []string{"network"})
			}
		}
		root = root.at("network")
	}
	shape := "version2"
	if v := root.Get("version"); v != nil && v.Kind == conf.Int && v.Text == "1" {
		shape = "version1"
	}
	root.shaped(shape)
	return r.problems
}

// shapes are what mappings consist of, as in schema-network-config-v1.json and -v2.json: NAME:TYPE for each key, NAME!:TYPE where it
// must be there; a star before them lets there be others. Types are s, i, b and n for a string, a whole number, a boolean and null,
// S for a list of strings, =WORD,WORD for one of some words, with | between several that are fine; sMAX and iMIN-MAX have bounds.
// {SHAPE} is a mapping, [SHAPE] a list of such, <SHAPE> a mapping of names to such.
func shapes(name string) string {
	const subnets = " subnets:[subnet]"
	const mapping = "*renderer:=networkd,NetworkManager dhcp4:b|=yes,no dhcp6:b|=yes,no dhcp4-overrides:{overrides} dhcp6-overrides:{overrides} " +
		"addresses:S gateway4:s gateway6:s optional:b mtu:i nameservers:{nameservers} routes:[route2] "
	switch name {
	case "version1":
		return "version!:i1-1 config!:[item]"
	case "physical":
		return "type!:s name!:s15 mac_address:s mtu:i|n accept-ra:b keep_configuration:b" + subnets
	case "bond":
		return "type!:s name!:s mac_address:s bond_interfaces:S mtu:i accept-ra:b params:{bondparams}" + subnets
	case "bridge":
		return "type!:s name!:s bridge_interfaces!:S accept-ra:b params!:{bridgeparams}" + subnets
	case "vlan":
		return "type!:s name!:s vlan_link!:s vlan_id!:i mtu:i mac_address:s accept-ra:b" + subnets
	case "nameserver":
		return "type!:s address!:s|S search:S interface:s"
	case "route":
		return "type:=route network:s destination:s netmask:s gateway!:s metric:i"
	case "subnet":
		return "type:=dhcp4,dhcp,dhcp6,static,static6,ipv6_dhcpv6-stateful,ipv6_dhcpv6-stateless,ipv6_slaac,manual control:=manual,auto,hotplug " +
			"address:s netmask:s broadcast:s gateway:s dns_nameservers:S dns_search:S routes:[route] ipv4:b ipv6:b metric:i"
	case "bondparams":
		return "bond-active_slave:s bond-ad_actor_key:s bond-ad_actor_sys_prio:i bond-ad_actor_system:s bond-ad_aggregator:s bond-ad_num_ports:i " +
			"bond-ad_partner_key:s bond-ad_partner_mac:s bond-ad_select:s bond-ad_user_port_key:s bond-all_slaves_active:s bond-arp_all_targets:s " +
			"bond-arp_interval:i bond-arp_ip_target:s bond-arp_validate:b bond-downdelay:i bond-fail_over_mac:s bond-lacp_rate:s bond-lp_interval:i " +
			"bond-miimon:i bond-mii_status:s bond-min_links:i " +
			"bond-mode:=balance-rr,active-backup,balance-alb,balance-tcp,balance-tlb,balance-slb,balance-xor,broadcast,802.3ad " +
			"bond-num_grat_arp:i0-255 bond-num_unsol_na:i0-255 bond-packets_per_slave:i0-65535 bond-peer_notif_delay:i bond-primary:s " +
			"bond-primary_reselect:=always,better,failure bond-queue_id:s bond-resend_igmp:s bond-slaves:s bond-tlb_dynamic_lb:s bond-updelay:s " +
			"bond-use_carrier:s bond-xmit_hash_policy:s"
	case "bridgeparams":
		return "bridge_ageing:i bridge_bridgeprio:i bridge_fd:i bridge_hello:i bridge_hw:s bridge_maxage:i bridge_maxwait:i bridge_pathcost:S " +
			"bridge_portprio:S bridge_ports:S bridge_stp:=on,off bridge_waitport:S"
	case "version2":
		return "version!:i2-2 renderer:=networkd,NetworkManager ethernets:<ethernet> bonds:<bond2> bridges:<bridge2> vlans:<vlan2>"
	case "ethernet":
		return mapping + "match:{match} set-name:s wakeonlan:b"
	case "bond2":
		return mapping + "interfaces:S parameters:{bond2params}"
	case "bridge2":
		return mapping + "interfaces:S parameters:{bridge2params}"
	case "vlan2":
		return mapping + "id:i link:s"
	case "match":
		return "name:s macaddress:s driver:s"
	case "nameservers":
		return "search:S addresses:S"
	case "route2":
		return "to!:s via:s metric:i"
	case "overrides":
		return "hostname:s route-metric:i send-hostname:b use-dns:b use-domains:s use-hostname:b use-mtu:b use-ntp:b use-routes:b"
	case "bond2params":
		return "*mode:=balance-rr,active-backup,balance-xor,broadcast,802.3ad,balance-tlb,balance-alb lacp-rate:=fast,slow mii-monitor-interval:s " +
			"min-links:i transmit-hash-policy:=layer2,layer3+4,layer2+3,encap2+3,encap3+4 ad-select:=stable,bandwidth,count all-slaves-active:b " +
			"arp-interval:i arp-ip-targets:S arp-validate:=none,active,backup,all arp-all-targets:=any,all up-delay:i down-delay:i " +
			"fail-over-mac-policy:=none,active,follow gratuitous-arp:i packets-per-slave:i primary-reselect-policy:=always,better,failure learn-packet-interval:s"
	}
	return "*ageing-time:i priority:i forward-delay:i hello-time:i max-age:i path-cost:i stp:b" // bridge2params
}

// shaped says what of a mapping is not as its shape wants it.
func (n node) shaped(shape string) {
	if n.Value == nil || n.Kind != conf.Map {
		n.reject("should be a mapping")
		return
	}
	if shape == "item" {
		if shape = n.at("type").text(); !slices.Contains(itemTypes(), shape) {
			n.at("type").unknown("type", shape, itemTypes())
			return
		}
	}
	text, isOpen := strings.CutPrefix(shapes(shape), "*")
	types, names := map[string]string{}, []string{}
	for _, field := range strings.Fields(text) {
		name, kind, _ := strings.Cut(field, ":")
		if name, isNeeded := strings.CutSuffix(name, "!"); isNeeded && n.Get(name) == nil {
			n.at(name).reject("is missing")
		}
		name = strings.TrimSuffix(name, "!")
		types[name], names = kind, append(names, name)
	}
	if shape == "route" && (n.Get("network") == nil) == (n.Get("destination") == nil) {
		n.reject("should have either a network or a destination")
	}
	for _, e := range n.entries() {
		kind, ok := types[e.key]
		switch {
		case ok:
			e.typed(kind)
		case !isOpen:
			e.unknown("key", e.key, names)
		}
	}
}

// itemTypes are the types of what is in the list of version 1.
func itemTypes() []string {
	return []string{"physical", "bond", "bridge", "vlan", "nameserver", "route"}
}

// typed says what of a value is not as its type wants it.
func (n node) typed(kind string) {
	inner := strings.Trim(kind, "{}[]<>")
	switch kind[0] {
	case '{':
		n.shaped(inner)
	case '[':
		if n.Kind != conf.List {
			n.reject("should be a list")
			return
		}
		for _, item := range n.items() {
			item.shaped(inner)
		}
	case '<':
		if n.Kind != conf.Map {
			n.reject("should be a mapping")
			return
		}
		for _, e := range n.entries() {
			e.shaped(inner)
		}
	default:
		if !slices.ContainsFunc(strings.Split(kind, "|"), n.is) {
			n.reject("should be %s", kindWords(kind))
		}
	}
}

// is says whether a value is of a simple type.
func (n node) is(kind string) bool {
	switch kind[0] {
	case 's':
		most, err := strconv.Atoi(kind[1:])
		return n.Kind == conf.String && (err != nil || len([]rune(n.Text)) <= most)
	case 'i':
		return n.Kind == conf.Int && isWithin(n.Text, kind[1:])
	case 'b':
		return n.Kind == conf.Bool
	case 'n':
		return n.Kind == conf.Null
	case 'S':
		return n.Kind == conf.List && !slices.ContainsFunc(n.items(), func(item node) bool { return item.Value == nil || item.Kind != conf.String })
	}
	return n.Kind == conf.String && slices.Contains(strings.Split(kind[1:], ","), n.Text)
}

// isWithin says whether a number is in a range, "MIN-MAX"; in an empty one all are.
func isWithin(number, bounds string) bool {
	least, most, ok := strings.Cut(bounds, "-")
	if !ok {
		return true
	}
	n, err := strconv.Atoi(number)
	low, _ := strconv.Atoi(least)
	high, _ := strconv.Atoi(most)
	return err == nil && n >= low && n <= high
}

// kindWords is a simple type for people.
func kindWords(kind string) string {
	var words []string
	for _, k := range strings.Split(kind, "|") {
		switch k[0] {
		case 's':
			words = append(words, "a string"+said(" no longer than ", k[1:]))
		case 'i':
			words = append(words, "a whole number"+said(" of ", k[1:]))
		case 'b':
			words = append(words, "true or false")
		case 'n':
			words = append(words, "null")
		case 'S':
			words = append(words, "a list of strings")
		default:
			words = append(words, "one of "+strings.ReplaceAll(k[1:], ",", ", "))
		}
	}
	return strings.Join(words, ", or ")
}
