package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Limits of one value, in bytes. Google's is 256 KiB for a value; user-data may be twice that.
const (
	maxValue    = 256 << 10
	maxUserData = 512 << 10
)

var (
	instanceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	tokenForm    = regexp.MustCompile(`^[A-Za-z0-9_-]{8,128}$`)
)

// decodeStrict reads JSON into an object, and refuses what the object does not have.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return clearer(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one document")
	}
	return nil
}

// clearer says what is wrong in the words of the one who wrote the document.
func clearer(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		hint := ""
		if kind.Type.Kind() == reflect.String && (kind.Value == "bool" || strings.HasPrefix(kind.Value, "number")) {
			hint = " (a text that looks like something else wants quotes)"
		}
		return fmt.Errorf("%s: there is a %s where a %s belongs%s", kind.Field, shown(kind.Value), shapeOf(kind.Type), hint)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no field %s; docs/metadata-server.md lists those that there are", name)
	}
	return err
}

// shown is a kind of JSON in the words of YAML.
func shown(kind string) string {
	switch kind {
	case "array":
		return "list"
	case "object":
		return "mapping"
	}
	return kind
}

// shapeOf is what a field takes, in the same words.
func shapeOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "list"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "mapping"
	case reflect.Int, reflect.Uint64:
		return "number"
	}
	return t.String()
}

// check says what is wrong with a project.
func (p *Project) check() error {
	return errors.Join(checkAttributes(p.Attributes), checkKeys(p.SSHKeys))
}

// check says what is wrong with an instance.
func (i *Instance) check() error {
	if !instanceName.MatchString(i.Name) {
		return fmt.Errorf("%q is no name for an instance: letters, digits, dot, dash and underscore, at most 63", i.Name)
	}
	errs := []error{checkAttributes(i.Attributes), checkKeys(i.SSHKeys), i.checkData(), i.checkRules()}
	for n, nic := range i.NICs {
		if err := nic.check(); err != nil {
			errs = append(errs, fmt.Errorf("nics[%d]: %w", n, err))
		}
	}
	for _, a := range i.Addresses {
		if _, ok := address(a); !ok {
			errs = append(errs, fmt.Errorf("addresses: %q is no IP address", a))
		}
	}
	return errors.Join(errs...)
}

func (i *Instance) checkData() error {
	if len(i.UserData) > maxUserData {
		return fmt.Errorf("user-data has %d bytes; at most %d are told", len(i.UserData), maxUserData)
	}
	for name, b := range map[string]Blob{"vendor-data": i.VendorData, "vendor-data2": i.VendorData2, "network-config": i.NetworkConfig} {
		if len(b) > maxUserData {
			return fmt.Errorf("%s has %d bytes; at most %d are told", name, len(b), maxUserData)
		}
	}
	return nil
}

func (i *Instance) checkRules() error {
	if i.Token != "" && !tokenForm.MatchString(i.Token) {
		return errors.New("token: 8 to 128 letters, digits, dashes and underscores are a token")
	}
	if !slices.Contains([]string{"", "optional", "required", "disabled"}, i.TokenRule) {
		return fmt.Errorf("token-rule is %q; it may be optional, required or disabled", i.TokenRule)
	}
	for _, c := range i.Clouds {
		if !slices.Contains(dialectNames(), c) {
			return fmt.Errorf("clouds: there is no dialect %q; there are %s", c, strings.Join(dialectNames(), ", "))
		}
	}
	return nil
}

func (n *NIC) check() error {
	if hw, err := net.ParseMAC(n.MAC); err != nil || len(hw) != 6 && len(hw) != 20 {
		return fmt.Errorf("mac: %q is no hardware address", n.MAC)
	}
	for _, list := range [][]string{n.IPs, n.DNS, n.Aliases, n.ForwardedIPs, {n.Gateway, n.Gateway6, n.PublicIP}} {
		for _, text := range list {
			if _, ok := address(text); !ok && text != "" {
				return fmt.Errorf("%q is no IP address", text)
			}
		}
	}
	return nil
}

func checkAttributes(all map[string]string) error {
	for k, v := range all {
		if k == "" || strings.ContainsAny(k, "/?#\n\x00") {
			return fmt.Errorf("attributes: %q is no name", k)
		}
		if len(v) > maxUserData {
			return fmt.Errorf("attributes.%s has %d bytes; at most %d are told", k, len(v), maxUserData)
		}
	}
	return nil
}

func checkKeys(keys []string) error {
	for _, k := range keys {
		if strings.ContainsAny(k, "\n\r") {
			return fmt.Errorf("ssh-keys: one line is one key; %.30q has more", k)
		}
	}
	return nil
}
