package source

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// parseContext reads the assignments of a shell's file, without a shell: whoever made the disc would have its commands run.
func parseContext(text string) (map[string]string, error) {
	vars := map[string]string{}
	for rest := text; rest != ""; {
		rest = strings.TrimLeft(rest, " \t\r\n;")
		line, after, _ := strings.Cut(rest, "\n")
		name, value := cutAssignment(line)
		switch {
		case rest == "" || rest[0] == '#':
			rest = after
		case name == "":
			return nil, fmt.Errorf("the line %.60q sets no variable", line)
		default:
			word, left, err := shellWord(rest[len(line)-len(value):])
			if err != nil {
				return nil, fmt.Errorf("the value of %s %w", name, err)
			}
			vars[name], rest = word, left
		}
	}
	return vars, nil
}

// cutAssignment takes a line that sets a variable apart, and what follows the value with it. The name is empty where it sets none.
func cutAssignment(line string) (name, value string) {
	if behind, ok := strings.CutPrefix(line, "export"); ok && strings.TrimLeft(behind, " \t") != behind {
		line = strings.TrimLeft(behind, " \t")
	}
	name, value, ok := strings.Cut(line, "=")
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	if !ok || name == "" || strings.IndexByte(letters, name[0]) < 0 || strings.Trim(name, letters+"0123456789") != "" {
		return "", ""
	}
	return name, value
}

// shellWord is a word as a POSIX shell reads it, up to the white space behind it. What a shell would compute is refused.
func shellWord(text string) (word, rest string, err error) {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && strings.IndexByte(" \t\r\n;", c) >= 0:
			return out.String(), text[i:], nil
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'':
			if i++; i < len(text) && quote == '"' && strings.IndexByte("$`\"\\\n", text[i]) < 0 {
				out.WriteByte('\\')
			}
			if i < len(text) && text[i] != '\n' {
				out.WriteByte(text[i])
			}
		case quote != '\'' && (c == '$' || c == '`') || quote == 0 && strings.IndexByte("&|<>()", c) >= 0:
			return "", "", fmt.Errorf("has %q in it, which only a shell can read", c)
		default:
			out.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", fmt.Errorf("has no end: a %c is missing", quote)
	}
	return out.String(), "", nil
}

// isAddress says whether a variable with this name gives an address: ETH0_IP, ETH0_IP6.
func isAddress(name string) bool {
	card, ok := strings.CutPrefix(name, "ETH")
	rest := strings.TrimLeft(card, "0123456789")
	return ok && rest != card && strings.HasPrefix(rest, "_IP")
}

// contextNetwork is the network of the variables ETHx_…, as version 2; nil where no address is set. A card is found by its MAC.
func contextNetwork(e *Env, vars map[string]string) *instance.Network {
	if !slices.ContainsFunc(slices.Collect(maps.Keys(vars)), isAddress) {
		return nil
	}
	byMAC := map[string]string{}
	for name, value := range vars {
		if device, ok := strings.CutSuffix(name, "_MAC"); ok {
			byMAC[strings.ToLower(value)] = device
		}
	}
	links := map[string]any{}
	for _, n := range e.Machine.Facts.NICs() {
		if isCard(n) {
			device, there := byMAC[n.MAC]
			if !there {
				device = strings.ToUpper(n.Name)
			}
			links[n.Name] = contextLink(e, vars, device, n.MAC)
		}
	}
	return &instance.Network{Kind: "v2", Document: []byte(conf.JSON(map[string]any{"version": 2, "ethernets": links}))}
}

// isCard says that an interface is a piece of hardware.
func isCard(n machine.NIC) bool {
	return !n.Loopback && !n.Bridge && !n.Bond && n.MAC != "" && n.Master == ""
}

// contextLink is one card. Where no address is set, OpenNebula's MACs hold it in their last four bytes.
func contextLink(e *Env, vars map[string]string, device, mac string) map[string]any {
	get := func(names ...string) string {
		for _, name := range names {
			if value := vars[device+"_"+name]; value != "" {
				return value
			}
		}
		return ""
	}
	ip := get("IP")
	if ip == "" {
		ip = addressInMAC(mac)
	}
	addresses := []any{ip + "/" + strconv.Itoa(maskBits(get("MASK")))}
	for _, ip6 := range []string{get("IP6"), get("IP6_ULA")} {
		if bits := get("IP6_PREFIX_LENGTH"); ip6 != "" && bits != "" {
			addresses = append(addresses, ip6+"/"+bits)
		} else if ip6 != "" {
			addresses = append(addresses, ip6+"/64")
		}
	}
	link := map[string]any{"match": map[string]any{"macaddress": mac}, "addresses": addresses}
	for key, value := range map[string]string{"gateway4": get("GATEWAY"), "gateway6": get("IP6_GATEWAY", "GATEWAY6")} {
		if value != "" {
			link[key] = value
		}
	}
	if mtu, err := strconv.Atoi(get("MTU")); err == nil {
		link["mtu"] = mtu
	}
	if servers := nameServers(get("DNS")+" "+vars["DNS"], get("SEARCH_DOMAIN")+" "+vars["SEARCH_DOMAIN"]); len(servers) > 0 {
		link["nameservers"] = servers
	}
	if routes := contextRoutes(e, device, get("ROUTES")); len(routes) > 0 {
		link["routes"] = routes
	}
	return link
}

// nameServers are addresses and domains, each once.
func nameServers(addresses, domains string) map[string]any {
	all := map[string]any{}
	for key, text := range map[string]string{"addresses": addresses, "search": domains} {
		var once []string
		for word := range strings.FieldsSeq(text) {
			if !slices.Contains(once, word) {
				once = append(once, word)
			}
		}
		if len(once) > 0 {
			all[key] = plainList(once)
		}
	}
	return all
}

// contextRoutes reads "10.0.0.0/8 via 192.0.2.1, …".
func contextRoutes(e *Env, device, text string) (routes []any) {
	for entry := range strings.SplitSeq(text, ",") {
		words := strings.Fields(entry)
		switch {
		case len(words) == 0:
		case len(words) == 3 && words[1] == "via":
			routes = append(routes, map[string]any{"to": words[0], "via": words[2]})
		default:
			e.warn("Unparseable ETHx_ROUTES entry for %s: %q", device, strings.TrimSpace(entry))
		}
	}
	return routes
}

// addressInMAC is the address that the last four bytes of a MAC are.
func addressInMAC(mac string) string {
	var parts []string
	for part := range strings.SplitSeq(mac, ":") {
		n, _ := strconv.ParseUint(part, 16, 8)
		parts = append(parts, strconv.FormatUint(n, 10))
	}
	return strings.Join(parts[min(2, len(parts)):], ".")
}

// maskBits counts the bits of a mask such as 255.255.255.0, which is also what counts where there is none.
func maskBits(mask string) int {
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is4() {
		return 24
	}
	bits := 0
	for _, b := range a.As4() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	return bits
}
