package engine

import (
	"encoding/base64"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"openguest/internal/conf"
)

// describe writes instance-data.json, its sensitive twin and cloud-id: what templates and queries see.
func (e *Engine) describe() error {
	sensitive := sensitivePaths(e.now.Sensitive)
	c := catalogue{sensitive: sensitive, hidden: []any{}, packed: []any{}}
	data := c.take(e.instanceData(), "")
	data["sensitive_keys"], data["base64_encoded_keys"] = c.hidden, c.packed
	shown := redact(data, sensitive)
	data["features"], data["system_info"] = features(), e.base.Get("system_info").Data()
	id := e.now.CloudID()
	return errors.Join(
		e.put(e.runFile("instance-data-sensitive.json"), 0o600, conf.JSON(data)+"\n"),
		e.put(e.runFile("instance-data.json"), 0o644, conf.JSON(shown)+"\n"),
		e.put(e.runFile("cloud-id-"+id), 0o644, id+"\n"),
		e.dropCloudIDs("cloud-id-"+id),
		e.link(e.runFile("cloud-id"), e.runFile("cloud-id-"+id)))
}

// A catalogue lists what is special in plain data, as paths with slashes, sorted.
type catalogue struct {
	sensitive []string
	hidden    []any // what only root may see
	packed    []any // what stands there as base64, because it is no text
}

// take copies a mapping, and packs what JSON has no form for.
func (c *catalogue) take(m map[string]any, at string) map[string]any {
	out := make(map[string]any, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		name := strings.TrimPrefix(at+"/"+key, "/")
		if isSensitive(name, key, c.sensitive) {
			c.hidden = append(c.hidden, name)
		}
		switch value := m[key].(type) {
		case map[string]any:
			out[key] = c.take(value, name)
		case []byte:
			out[key] = base64.StdEncoding.EncodeToString(value)
			c.packed = append(c.packed, name)
		default:
			out[key] = value
		}
	}
	return out
}

func (e *Engine) runFile(name string) string { return path.Join(e.paths.Run, name) }

// dropCloudIDs removes what an earlier stage or source left.
func (e *Engine) dropCloudIDs(keep string) error {
	names, _ := e.state.Files.List(e.paths.Run)
	for _, name := range names {
		if strings.HasPrefix(name, "cloud-id-") && name != keep {
			e.state.Files.Remove(e.runFile(name))
		}
	}
	return nil
}

// describeConfig adds the merged configuration to what is written down.
func (e *Engine) describeConfig() error {
	combined, _ := e.config.Data().(map[string]any)
	combined["_doc"] = "Aggregated cloud-config created by merging merged_system_cfg (/etc/cloud/cloud.cfg and /etc/cloud/cloud.cfg.d), metadata, vendordata and userdata. The combined_cloud_config represents the aggregated desired configuration acted upon by cloud-init."
	combined["system_info"] = e.base.Get("system_info").Data()
	combined["features"] = features()
	return e.put(e.runFile("combined-cloud-config.json"), 0o600, conf.JSON(combined)+"\n")
}

// features are the switches that cloud-init's packagers know, as they are set here.
func features() map[string]any {
	return map[string]any{"ERROR_ON_USER_DATA_FAILURE": true, "ALLOW_EC2_MIRRORS_ON_NON_AWS_INSTANCE_TYPES": false, "EXPIRE_APPLIES_TO_HASHED_USERS": true,
		"NETPLAN_CONFIG_ROOT_READ_ONLY": true, "NOCLOUD_SEED_URL_APPEND_FORWARD_SLASH": true, "APT_DEB822_SOURCE_LIST_FILE": true,
		"MANUAL_NETWORK_WAIT": true, "STRIP_INVALID_MTU": false, "DEPRECATION_INFO_BOUNDARY": "devel"}
}

// instanceData is what is known of the instance, secrets too.
func (e *Engine) instanceData() map[string]any {
	return map[string]any{
		"merged_cfg":        e.configData("DEPRECATED: Use merged_system_cfg. Will be dropped from 24.1"),
		"merged_system_cfg": e.configData("Merged cloud-init system config from /etc/cloud/cloud.cfg and /etc/cloud/cloud.cfg.d/"),
		"sys_info":          e.systemInfo(),
		"v1":                e.standard(),
		"ds":                e.sourceData(),
	}
}

func anys(list []string) []any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return all
}

// configData is the configuration of the image, but for what it says of the system.
func (e *Engine) configData(doc string) any {
	data, _ := e.base.Data().(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	delete(data, "system_info")
	data["_doc"] = doc
	return data
}

func (e *Engine) sourceData() map[string]any {
	ds := map[string]any{"_doc": "EXPERIMENTAL: The structure and format of content scoped under the 'ds' key may change in subsequent releases of cloud-init."}
	for key, value := range e.now.Tree {
		ds[key] = value
	}
	if e.now.Metadata != nil && !e.now.IsWhole {
		ds["meta_data"] = map[string]any(e.now.Metadata)
	}
	return ds
}

// systemInfo is what cloud-init's util.system_info says.
func (e *Engine) systemInfo() map[string]any {
	f := e.machine.Facts
	id, version, codename := f.Distro()
	name, _ := e.machine.Kernel.Hostname()
	build, _ := e.state.Files.Read("/proc/sys/kernel/version")
	return map[string]any{
		"dist":     []any{id, version, codename},
		"platform": "Linux-" + f.KernelRelease() + "-" + f.Architecture(),
		"python":   "",
		"release":  f.KernelRelease(),
		"system":   "Linux",
		"uname":    []any{"Linux", name, f.KernelRelease(), strings.TrimSpace(build), f.Architecture(), ""},
		"variant":  f.Variant(),
	}
}

// standard are the v1 keys, the same on every cloud.
func (e *Engine) standard() map[string]any {
	in, f := e.now, e.machine.Facts
	id, version, codename := f.Distro()
	cloud := in.Cloud
	if cloud == "" {
		cloud = "unknown"
	}
	v1 := map[string]any{
		"_beta_keys": []any{"subplatform"}, "cloud_id": in.CloudID(), "distro": id, "distro_version": version, "distro_release": codename,
		"kernel_release": f.KernelRelease(), "machine": f.Architecture(), "platform": in.Platform, "subplatform": in.Subplatform,
		"public_ssh_keys": anys(in.PublicKeys()), "python_version": "", "region": orNil(in.Region), "system_platform": "Linux-" + f.KernelRelease() + "-" + f.Architecture(),
		"variant": f.Variant(),
	}
	both := map[string]any{"availability_zone": orNil(in.Zone), "cloud_name": cloud, "instance_id": in.ID, "local_hostname": orNil(in.ShortName())}
	for key, value := range both {
		v1[key] = value
		v1[strings.ReplaceAll(key, "_", "-")] = value
	}
	return v1
}

// sensitivePaths are what only root may see: cloud-init's list, and what the source adds.
func sensitivePaths(more []string) []string {
	all := []string{"combined_cloud_config", "merged_cfg", "merged_system_cfg", "security-credentials", "userdata", "user-data", "user_data",
		"vendordata", "vendor-data", "ds/vendor_data"}
	for _, path := range more {
		if !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	return all
}

// Redacted stands in place of what only root may see.
const Redacted = "redacted for non-root user"

// redact is a copy without what is sensitive: a path from the top, or a name anywhere.
func redact(data map[string]any, sensitive []string) map[string]any {
	return redacted(data, "", sensitive).(map[string]any)
}

func redacted(data any, at string, sensitive []string) any {
	m, ok := data.(map[string]any)
	if !ok {
		return data
	}
	out := make(map[string]any, len(m))
	for key, value := range m {
		name := strings.TrimPrefix(at+"/"+key, "/")
		if isSensitive(name, key, sensitive) {
			out[key] = Redacted
			continue
		}
		out[key] = redacted(value, name, sensitive)
	}
	return out
}

// isSecretName says whether a key names a password, a token or a private key. Clouds put such into their metadata without
// marking them.
func isSecretName(key string) bool {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	for _, word := range []string{"password", "passwd", "admin_pass", "adminpass", "token", "secret", "private_key"} {
		if key == word || strings.HasSuffix(key, "_"+word) {
			return true
		}
	}
	return false
}

func isSensitive(name, key string, sensitive []string) bool {
	if isSecretName(key) {
		return true
	}
	for _, s := range sensitive {
		if strings.EqualFold(s, name) || strings.EqualFold(s, key) {
			return true
		}
	}
	return false
}
