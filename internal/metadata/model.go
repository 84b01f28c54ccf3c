// Package metadata is a metadata server: one store of projects and instances, told to guests in the dialects of many clouds.
// It shares no code with the guest, so that neither can hide the other's mistakes.
package metadata

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"unicode/utf8"
)

// A Project is what all instances have in common.
type Project struct {
	ID             string            `json:"id,omitempty"`              // GCE's project id; OpenStack's project_id
	Number         uint64            `json:"number,omitempty"`          // GCE's numeric project id
	Account        string            `json:"account,omitempty"`         // the owner in EC2's, AliYun's and Azure's terms
	UniverseDomain string            `json:"universe-domain,omitempty"` // GCE; googleapis.com where it is not given
	Attributes     map[string]string `json:"attributes,omitempty"`      // GCE's project attributes
	SSHKeys        []string          `json:"ssh-keys,omitempty"`        // for every instance, as Instance.SSHKeys
}

// An Instance is one machine, as an operator describes it.
type Instance struct {
	Name           string            `json:"name,omitempty"`
	ID             string            `json:"id,omitempty"`     // what the clouds call it; the name where it is not given
	IDs            map[string]string `json:"ids,omitempty"`    // an id for one dialect, where it differs
	Clouds         []string          `json:"clouds,omitempty"` // the dialects it is told; empty for all
	Hostname       string            `json:"hostname,omitempty"`
	Description    string            `json:"description,omitempty"`
	Zone           string            `json:"zone,omitempty"`
	Region         string            `json:"region,omitempty"` // the zone without its last part where it is not given
	MachineType    string            `json:"machine-type,omitempty"`
	Image          string            `json:"image,omitempty"`
	Architecture   string            `json:"architecture,omitempty"`
	Tags           []string          `json:"tags,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"` // EC2's instance tags, OpenStack's meta
	LaunchIndex    int               `json:"launch-index,omitempty"`
	Attributes     map[string]string `json:"attributes,omitempty"`  // GCE's instance attributes
	SSHKeys        []string          `json:"ssh-keys,omitempty"`    // "KEY" or, for a user, "USER:KEY"
	UserData       Blob              `json:"user-data,omitempty"`   // as it is, not encoded
	VendorData     Blob              `json:"vendor-data,omitempty"` //
	VendorData2    Blob              `json:"vendor-data2,omitempty"`
	NetworkConfig  Blob              `json:"network-config,omitempty"` // NoCloud's document
	NetworkData    json.RawMessage   `json:"network-data,omitempty"`   // OpenStack's; made from NICs where it is not given
	NICs           []NIC             `json:"nics,omitempty"`
	Disks          []Disk            `json:"disks,omitempty"`
	Files          []File            `json:"files,omitempty"` // OpenStack's personality
	ServiceAccount *ServiceAccount   `json:"service-account,omitempty"`
	Token          string            `json:"token,omitempty"`        // names the instance in NoCloud's URLs: /nocloud/TOKEN/
	Addresses      []string          `json:"addresses,omitempty"`    // more source addresses that are this instance's
	TokenRule      string            `json:"token-rule,omitempty"`   // EC2 and AliYun: optional, required or disabled
	RandomSeed     Blob              `json:"random-seed,omitempty"`  // OpenStack
	DriftToken     string            `json:"drift-token,omitempty"`  // GCE's virtual clock; 0 where it is not given
	CPUPlatform    string            `json:"cpu-platform,omitempty"` // GCE
}

// A NIC is one network interface. The first is the primary one.
type NIC struct {
	MAC          string   `json:"mac"`
	IPs          []string `json:"ips,omitempty"` // with prefix: 10.0.0.5/24, 2001:db8::5/64
	Gateway      string   `json:"gateway,omitempty"`
	Gateway6     string   `json:"gateway6,omitempty"`
	MTU          int      `json:"mtu,omitempty"`
	DNS          []string `json:"dns,omitempty"`
	Network      string   `json:"network,omitempty"`
	PublicIP     string   `json:"public-ip,omitempty"`
	Aliases      []string `json:"aliases,omitempty"`       // GCE's alias ranges
	ForwardedIPs []string `json:"forwarded-ips,omitempty"` // GCE's, of load balancers
	DHCP         bool     `json:"dhcp,omitempty"`          // OpenStack: say dhcp instead of the address
}

// A Disk is one block device.
type Disk struct {
	Name   string `json:"name"`
	Device string `json:"device,omitempty"` // EC2: /dev/sda1
	Kind   string `json:"kind,omitempty"`   // EC2's mapping: ami, root, ephemeral0; GCE: PERSISTENT or LOCAL-SSD
	Mode   string `json:"mode,omitempty"`   // GCE: READ_WRITE where it is not given
}

// A File is one that OpenStack puts into the machine.
type File struct {
	Path    string `json:"path"`
	Content Blob   `json:"content"`
}

// A ServiceAccount is GCE's default account of the instance.
type ServiceAccount struct {
	Email  string   `json:"email"`
	Scopes []string `json:"scopes,omitempty"`
	Token  string   `json:"token,omitempty"` // the access token to hand out; none: 404
}

// Written is what the guest said back. It is an object of its own, so that a guest's write never collides with an operator's.
type Written struct {
	GuestAttributes map[string]map[string]string `json:"guest-attributes,omitempty"` // namespace, key
	Password        string                       `json:"password,omitempty"`         // OpenStack: encrypted by the guest
}

// A Blob is bytes. In JSON it is a string, or {"base64": "…"} where it is no UTF-8.
type Blob []byte

// MarshalJSON writes text as text.
func (b Blob) MarshalJSON() ([]byte, error) {
	if utf8.Valid(b) {
		return json.Marshal(string(b))
	}
	return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString(b)})
}

// UnmarshalJSON reads both forms.
func (b *Blob) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*b = Blob(text)
		return nil
	}
	var coded struct {
		Base64 *string `json:"base64"`
	}
	if err := json.Unmarshal(data, &coded); err != nil || coded.Base64 == nil {
		return fmt.Errorf("%.40s is neither a text nor {\"base64\": …}", data)
	}
	decoded, err := base64.StdEncoding.DecodeString(*coded.Base64)
	if err != nil {
		return fmt.Errorf("the base64 of a value is wrong: %w", err)
	}
	*b = decoded
	return nil
}

// addresses are all from which the instance may ask.
func (i *Instance) addresses() (all []netip.Addr) {
	texts := append([]string(nil), i.Addresses...)
	for _, n := range i.NICs {
		texts = append(append(texts, n.IPs...), n.PublicIP)
	}
	for _, text := range texts {
		if a, ok := address(text); ok {
			all = append(all, a)
		}
	}
	return all
}

// address reads an address with or without a prefix.
func address(text string) (netip.Addr, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Addr().Unmap(), true
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil
}

// prefixes are the addresses of one family, with their networks.
func (n *NIC) prefixes(v6 bool) (all []netip.Prefix) {
	for _, text := range n.IPs {
		if p, ok := prefix(text); ok && p.Addr().Is6() == v6 {
			all = append(all, p)
		}
	}
	return all
}

// prefix reads an address with or without a prefix; without, it is the address alone.
func prefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// firstIP is the first address of a family, without its prefix; empty where there is none.
func (n *NIC) firstIP(v6 bool) string {
	if all := n.prefixes(v6); len(all) > 0 {
		return all[0].Addr().String()
	}
	return ""
}
