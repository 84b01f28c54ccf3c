package source

import (
	"fmt"
	"strings"
)

// dmiFile is the name in /sys/class/dmi/id of what dmidecode(8) calls by another, which may stand in an address; empty
// where there is none.
func dmiFile(name string) string {
	return map[string]string{
		"baseboard-asset-tag":     "board_asset_tag",
		"baseboard-manufacturer":  "board_vendor",
		"baseboard-product-name":  "board_name",
		"baseboard-serial-number": "board_serial",
		"baseboard-version":       "board_version",
		"bios-release-date":       "bios_date",
		"bios-vendor":             "bios_vendor",
		"bios-version":            "bios_version",
		"chassis-asset-tag":       "chassis_asset_tag",
		"chassis-manufacturer":    "chassis_vendor",
		"chassis-serial-number":   "chassis_serial",
		"chassis-version":         "chassis_version",
		"system-manufacturer":     "sys_vendor",
		"system-product-name":     "product_name",
		"system-serial-number":    "product_serial",
		"system-uuid":             "product_uuid",
		"system-version":          "product_version",
	}[name]
}

// expandDMI puts what the firmware says in place of each __dmi.NAME__ of an address.
func (e *Env) expandDMI(address string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(address, "__dmi.")
		name, after, ended := strings.Cut(rest, "__")
		if out.WriteString(before); !found {
			return out.String()
		}
		file := dmiFile(name)
		if !ended || file == "" {
			e.warn("Ignoring invalid __dmi.%s__ in the address of a seed. It should be a name that dmidecode --string knows.", name)
			out.WriteString("__dmi.")
			address = rest
			continue
		}
		value := e.Machine.Facts.DMI(file)
		if !isFile(out.String()) {
			value = escapeIllegal(value)
		}
		out.WriteString(value)
		address = after
	}
}

// escapeIllegal writes as %XX what no address may hold, such as the spaces in the name of a product.
func escapeIllegal(text string) string {
	var out strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(text[i])
	}
	return out.String()
}
