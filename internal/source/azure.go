package source

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// azure is the source of machines on Azure.
func azure() *Source {
	return &Source{
		Name: "Azure",
		Doc: "Azure: its metadata service, the file ovf-env.xml on a disc, and the report to the platform that the machine is ready. The " +
			"instance is named by the firmware's product_uuid. A machine that was made in stock (PPS) waits for its owner. Keys that are " +
			"given as fingerprints of certificates are not supported.",
		Match: anyOf(azureChassis(), seeded("azure", ovfEnvironment)),
		Fetch: fetchAzure,
		Check: func(_ context.Context, e *Env, last *instance.Instance) bool {
			uuid := e.Machine.Facts.DMI("product_uuid")
			return uuid != "" && machine.SameUUID(last.ID, uuid)
		},
	}
}

// azureChassis is the asset tag that Azure gives every machine; OVF must not take an Azure disc for its own.
func azureChassis() sign { return dmi("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77") }

// The metadata service: https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service.
const (
	azureBase = linkLocalBase + "/metadata"
	azureURL  = azureBase + "/instance"
)

// azureResource is the disk that is empty after each move of the machine to another host.
const azureResource = "/dev/disk/cloud/azure_resource"

// fetchAzure reads the disc and asks the metadata service: each may be missing, and the service counts more. A machine that was
// made in stock waits for its owner. Then it reports.
func fetchAzure(ctx context.Context, e *Env) (*instance.Instance, error) {
	id := e.hardwareID()
	if !isIdentity(id) {
		return nil, fmt.Errorf("%w: the firmware has no product_uuid, which is the instance's id", ErrSilent)
	}
	media := e.azureDisc()
	l := e.limits("Azure", limits{timeout: 30 * time.Second, pause: time.Second, tries: 10}).ofOne()
	n, err := e.early(ctx, want{Source: "Azure"})
	if err != nil && media == nil {
		return nil, err
	}
	defer func() { n.close() }()
	var imds *conf.Value
	if err == nil {
		imds, err = e.azureMetadata(ctx, l)
	}
	switch {
	case err != nil && media == nil:
		return nil, err
	case err != nil:
		e.warn("Ignoring IMDS metadata due to: %v", err)
	case media == nil:
		media = &azureMedia{seed: "IMDS"}
	}
	if kind := e.stockKind(media, imds); kind != "" {
		if media, imds, err = e.leaveStock(ctx, kind, &n, l); err != nil {
			return nil, err
		}
	}
	in, err := e.azureInstance(id, media, imds)
	if err == nil && n != nil && !e.config("Azure").Get("experimental_skip_ready_report").Truth(false) {
		if err := e.azureReady(ctx, n.wire(), l); err != nil {
			e.warn("report to Azure that this machine is ready: %v", err)
		}
	}
	return in, err
}

// wire is the wire server's address.
func (n *Early) wire() string {
	if n.Lease != nil && n.Lease.Wire.IsValid() {
		return n.Lease.Wire.String()
	}
	return azureWire
}

// azureMetadata asks for all; an old service knows no more than the second version.
func (e *Env) azureMetadata(ctx context.Context, l limits) (*conf.Value, error) {
	ctx, cancel := within(ctx, l.opening())
	defer cancel()
	c := &client{e: e, base: azureURL, header: map[string]string{"Metadata": "true"}, limits: l}
	answer, err := e.Machine.Net.Fetch(ctx, c.request("?api-version=2021-08-01&extended=true"))
	var status *machine.StatusError
	if errors.As(err, &status) && status.Status == 400 {
		answer, err = e.Machine.Net.Fetch(ctx, c.request("?api-version=2019-06-01"))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	all, err := object(answer.URL, answer.Body)
	if err != nil {
		return nil, err
	}
	return conf.Of(all, conf.Origin{Part: answer.URL}), nil
}

// azureInstance is the instance that both describe.
func (e *Env) azureInstance(id string, m *azureMedia, imds *conf.Value) (*instance.Instance, error) {
	compute, profile := imds.Get("compute"), imds.At("compute", "osProfile")
	if strings.EqualFold(m.proxyAgent, "true") {
		e.warn("Azure's metadata is to be asked through azure-proxy-agent (ProvisionGuestProxyAgent); it was asked at once")
	}
	m.name = cmp.Or(scalar(profile.Get("computerName")), m.name)
	m.user = cmp.Or(scalar(profile.Get("adminUsername")), m.user)
	m.noPasswords = cmp.Or(scalar(profile.Get("disablePasswordAuthentication")), m.noPasswords)
	e.keepAzureMedia(m)
	in := &instance.Instance{
		Source: "Azure", Detail: "DataSourceAzure [seed=" + m.seed + "]", Cloud: "azure", Platform: "azure", Subplatform: m.place(), Mode: modeNet, ID: id,
		Hostname: m.name, Region: scalar(compute.Get("location")), Zone: scalar(compute.Get("platformFaultDomain")), Keys: e.azureKeys(m, compute),
		UserData: m.data, Config: e.azureConfig(m), Network: e.azureNetwork(imds.Get("network")),
		Metadata: map[string]any{"instance-id": id, "local-hostname": m.name, "imds": orEmpty(imds)},
	}
	if len(in.UserData) == 0 {
		in.UserData = e.azureUserData(compute, imds)
	}
	if seed, err := e.Machine.Files.Read("/sys/firmware/acpi/tables/OEM0"); err == nil {
		text := base64.StdEncoding.EncodeToString([]byte(seed))
		in.RandomSeed, in.Metadata["random_seed"] = []byte(text), text
		in.Sensitive = append(in.Sensitive, "ds/meta_data/random_seed")
	}
	return in, nil
}

// place is where the data is from, as cloud-init calls it.
func (m *azureMedia) place() string {
	switch {
	case m.seed == "IMDS":
		return "imds (IMDS)"
	case strings.HasPrefix(m.seed, "/dev"):
		return "config-disk (" + m.seed + ")"
	}
	return "seed-dir (" + m.seed + ")"
}

// azureUserData is the user-data of the metadata service. What is called custom data is on the disc only.
func (e *Env) azureUserData(compute, imds *conf.Value) []byte {
	if imds.At("extended", "compute", "hasCustomData").Truth(false) {
		e.warn("Azure has custom data for this machine, but there is no disc with it")
	}
	text := strings.Join(strings.Fields(scalar(compute.Get("userData"))), "")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		e.warn("Bad userdata in IMDS: %v", err)
		return nil
	}
	return data
}

// azureKeys are the service's keys, or where one of these is none that ssh knows, those on the disc.
func (e *Env) azureKeys(m *azureMedia, compute *conf.Value) (keys []instance.Key) {
	usable := compute.Get("publicKeys") != nil
	if usable {
		for _, k := range compute.Get("publicKeys").Items {
			line := strings.NewReplacer("\r\n", "", "\n", "").Replace(strings.TrimSpace(scalar(k.Get("keyData"))))
			usable = usable && line != "" && !strings.Contains(line, "-----BEGIN")
			keys = append(keys, instance.Key{Line: line})
		}
	}
	if usable {
		return keys
	}
	if m.certificates > 0 {
		e.warn("%d keys are given as fingerprints of certificates, and that is not supported yet; give them as ssh-… lines", m.certificates)
	}
	keys = nil
	for _, line := range m.keys {
		keys = append(keys, instance.Key{Line: line})
	}
	return keys
}

// azureConfig is the configuration that Azure's facts mean: whom the machine is for, whether passwords do, and what becomes
// of the resource disk.
func (e *Env) azureConfig(m *azureMedia) []byte {
	config, user := map[string]any{}, map[string]any{}
	if m.user != "" {
		user["name"] = m.user
	}
	if m.password != "" {
		user["lock_passwd"] = false
		config["ssh_pwauth"] = true
		if m.password != azureHidden {
			user["plain_text_passwd"] = m.password
		}
	}
	if m.noPasswords != "" {
		config["ssh_pwauth"] = m.noPasswords != "true"
	}
	if len(user) > 0 {
		config["system_info"] = map[string]any{"default_user": user}
	}
	if machine.Exists(e.Machine.Files, azureResource) {
		config["disk_setup"] = map[string]any{"ephemeral0": map[string]any{"table_type": "gpt", "layout": []any{100}, "overwrite": true}}
		config["fs_setup"] = []any{map[string]any{"filesystem": "ext4", "device": "ephemeral0.1"}}
	}
	return []byte(conf.JSON(config))
}
