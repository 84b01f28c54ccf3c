// Package instance holds what a cloud says about a machine: plain data, without input or output.
package instance

import "strings"

// An Instance is what a cloud says about this machine.
type Instance struct {
	Source      string `json:"source"`       // the data source's class as cloud-init names it, without "DataSource": "NoCloud"
	Detail      string `json:"detail"`       // how the source describes itself: "DataSourceNoCloud [seed=/dev/sr0]"
	Cloud       string `json:"cloud"`        // v1.cloud_name: "unknown", "aws", "openstack"
	Platform    string `json:"platform"`     // v1.platform: "nocloud", "ec2"
	Subplatform string `json:"subplatform"`  // v1.subplatform: "config-disk (/dev/sr0)"
	Mode        string `json:"mode"`         // "local", "net", "pass" or "disabled": in which stage its data is used
	ID          string `json:"id"`           // the instance-id
	Hostname    string `json:"hostname"`     // local-hostname as the cloud gave it, perhaps with a domain
	Region      string `json:"region"`       // empty where the cloud has none
	Zone        string `json:"zone"`         // availability zone
	LaunchIndex *int   `json:"launch_index"` // which of several instances started together this is
	Keys        []Key  `json:"keys"`         // public keys for the default user
	// IsWholeName says that Hostname is the system's name with its domain: a few clouds want it so.
	IsWholeName bool `json:"whole_name,omitempty"`
	// AwaitsKeys says that the cloud had no key when it was asked, and is worth asking again.
	AwaitsKeys bool `json:"awaits_keys,omitempty"`
	// Accounts are people whom the cloud gives accounts, which are kept in line with it while the machine runs.
	Accounts []Account `json:"accounts,omitempty"`

	UserData    []byte `json:"user_data"` // as the cloud gave them
	VendorData  []byte `json:"vendor_data"`
	VendorData2 []byte `json:"vendor_data2"`

	// Guest is Google's instance_configs.cfg, as far as the cloud says it.
	Guest string `json:"guest,omitempty"`

	Files  []File `json:"files,omitempty"`  // to write when the machine becomes this instance
	Config []byte `json:"config,omitempty"` // cloud-config that the cloud's facts mean: over the image's, under vendor-data

	RandomSeed []byte         `json:"random_seed"`
	Network    *Network       `json:"network"`            // nil: the cloud does not say
	Metadata   map[string]any `json:"metadata"`           // what the cloud said, for templates and queries: ds.meta_data
	Tree       map[string]any `json:"tree"`               // the rest of "ds": other documents of the cloud by name
	IsWhole    bool           `json:"is_whole,omitempty"` // Tree is all of "ds", without ds.meta_data
	Sensitive  []string       `json:"sensitive"`          // paths in Metadata and Tree that only root may see, with slashes
}

// A Key is one line of a cloud's public keys.
type Key struct {
	Line string `json:"line"`
}

// An Account is a person, and what is said of each key: nobody has checked either.
type Account struct {
	Name string   `json:"name"`
	Keys []string `json:"keys"`
}

// A File is one that the cloud puts into the machine.
type File struct {
	Path    string `json:"path"`
	Content []byte `json:"content"`
}

// Network is the cloud's own description of the network.
type Network struct {
	Kind     string `json:"kind"`     // "v1", "v2", "network_data", "ec2", …
	Document []byte `json:"document"` // as the cloud gave it
}

// ShortName is what the system is called by itself.
func (i *Instance) ShortName() string {
	if i.IsWholeName {
		return i.Hostname
	}
	short, _, _ := strings.Cut(i.Hostname, ".")
	return short
}

// Folder is the name of the instance's folder below instances/: a slash in an id becomes an underscore. An id that would
// lead out of the folder is kept in.
func (i *Instance) Folder() string {
	name := strings.ReplaceAll(i.ID, "/", "_")
	if name == "." || name == ".." || name == "" {
		name = "_" + name
	}
	return name
}

// CloudID is the name of the cloud with the part of the world that it runs in, as cloud-id prints it: aws-china, aws-gov,
// azure-china, or the cloud's name.
func (i *Instance) CloudID() string {
	name := i.Cloud
	if name == "" || name == "unknown" || name == "none" {
		name = i.Platform
	}
	prefixes := []struct{ cloud, region, id string }{
		{"aws", "cn-", "aws-china"}, {"aws", "us-gov-", "aws-gov"}, {"azure", "china", "azure-china"},
	}
	for _, p := range prefixes {
		if name == p.cloud && strings.HasPrefix(i.Region, p.region) {
			return p.id
		}
	}
	return name
}

// PublicKeys are the lines of Keys.
func (i *Instance) PublicKeys() []string {
	lines := make([]string, 0, len(i.Keys))
	for _, key := range i.Keys {
		lines = append(lines, key.Line)
	}
	return lines
}
