package vm

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"openguest/internal/metadata"
)

// A Seed is what a person gives a machine, as bytes of documents; nil where there is none.
type Seed struct {
	UserData      []byte
	MetaData      []byte // NoCloud only: the others make theirs
	VendorData    []byte
	NetworkConfig []byte
}

// productID is the machine's UUID in the firmware, and its id where a cloud's ids are UUIDs.
const productID = "ec2a1f6e-6b0c-4f3e-9d51-0c7a53c1b001"

// clouds are the firmware's strings by which each cloud is known. They are those that the cloud's own documentation names, or that
// its images' tools look for.
var clouds = map[string][]string{
	"nocloud":      {},
	"nocloud-http": {"type=1,serial=ds=nocloud;s=http://" + metadataAddress + "/nocloud/"},
	"configdrive":  {},
	"none":         {},
	"gce":          {"type=1,manufacturer=Google,product=Google Compute Engine,serial=GoogleCloud-4F1D2C3B4A5968778695A4B3C2D1E0F0"},
	"ec2":          {"type=0,vendor=Amazon EC2,version=1.0", "type=1,manufacturer=Amazon EC2,product=t3.micro,serial=" + productID + ",uuid=" + productID},
	"openstack":    {"type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,uuid=" + productID, "type=3,manufacturer=OpenStack,asset=OpenStack Nova"},
	"aliyun":       {"type=1,manufacturer=Alibaba Cloud,product=Alibaba Cloud ECS"},
	"azure":        {"type=1,manufacturer=Microsoft Corporation,product=Virtual Machine,uuid=" + productID, "type=3,asset=7783-7084-3265-9085-8269-3286-77"},
	"digitalocean": {"type=1,manufacturer=DigitalOcean,product=Droplet,serial=4711"},
	"hetzner":      {"type=0,vendor=Hetzner", "type=1,manufacturer=Hetzner,product=vServer,serial=4711"},
}

// Clouds are the names that InCloud knows.
func Clouds() []string { return slices.Sorted(maps.Keys(clouds)) }

// InCloud makes the machine one of a cloud: its firmware says so, and its seed lies where that cloud has it. The name nocloud puts it
// on a medium labelled cidata, configdrive on one labelled config-2, none nowhere; nocloud-http and the others have it in the metadata
// server.
func (c *Config) InCloud(name string, s Seed) error {
	firmware, known := clouds[name]
	if !known {
		return fmt.Errorf("there is no cloud %q; the clouds are %s", name, strings.Join(Clouds(), ", "))
	}
	if s.MetaData != nil && name != "nocloud" {
		return fmt.Errorf("meta-data was given, but %s makes its own; only nocloud takes it", name)
	}
	c.SMBIOS = append(c.SMBIOS, firmware...)
	switch name {
	case "none":
	case "nocloud":
		c.Media = append(c.Media, s.NoCloud())
	case "configdrive":
		medium, err := s.configDrive()
		if err != nil {
			return err
		}
		c.Media = append(c.Media, medium)
	default:
		c.Instance = &metadata.Instance{Name: "vm", Clouds: []string{strings.TrimSuffix(name, "-http")}, UserData: s.UserData, VendorData: s.VendorData, NetworkConfig: s.NetworkConfig}
		if name == "openstack" || name == "azure" {
			c.Instance.ID = productID
		}
	}
	return nil
}

// NoCloud is the seed as a medium labelled cidata. Other user-data is another instance where no meta-data says which it is.
func (s Seed) NoCloud() Medium {
	meta := s.MetaData
	if meta == nil {
		meta = fmt.Appendf(nil, "instance-id: vm-%.4x\n", sha256.Sum256(s.UserData))
	}
	m := Medium{Label: "cidata", Files: []File{{Name: "/meta-data", Data: meta}, {Name: "/user-data", Data: s.UserData}}}
	if s.VendorData != nil {
		m.Files = append(m.Files, File{Name: "/vendor-data", Data: s.VendorData})
	}
	if s.NetworkConfig != nil {
		m.Files = append(m.Files, File{Name: "/network-config", Data: s.NetworkConfig})
	}
	return m
}

// configDrive is the seed as OpenStack's medium. See https://docs.openstack.org/nova/latest/user/metadata.html.
func (s Seed) configDrive() (Medium, error) {
	meta, err := json.Marshal(map[string]any{"uuid": productID, "name": "vm", "hostname": "vm", "availability_zone": "nova"})
	if err != nil {
		return Medium{}, err
	}
	m := Medium{Label: "config-2"}
	add := func(name string, data []byte) {
		if data != nil {
			m.Files = append(m.Files, File{Name: "/openstack/latest/" + name, Data: data})
		}
	}
	add("meta_data.json", meta)
	add("user_data", s.UserData)
	add("network_data.json", s.NetworkConfig)
	if s.VendorData != nil {
		vendor, err := json.Marshal(map[string]string{"cloud-init": string(s.VendorData)})
		if err != nil {
			return Medium{}, err
		}
		add("vendor_data.json", vendor)
	}
	return m, nil
}
