package source

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// gce is the source of machines on GCE.
func gce() *Source {
	return &Source{
		Name: "GCE",
		Doc: "The metadata service of Google Compute Engine, all of it in one request. User-data is the attribute user-data, perhaps " +
			"with user-data-encoding: base64. Of the keys in ssh-keys, those of the default user and of the user cloudinit count, until " +
			"they expire; the project's count too where the instance does not set block-project-ssh-keys.",
		Match:   anyOf(dmi("product_name", "Google Compute Engine"), dmi("product_serial", "GoogleCloud-*")),
		Fetch:   fetchGCE,
		Watch:   watchGCE,
		Publish: publishToGCE,
	}
}

// Where the metadata is: by name as cloud-init shows it, and by the address that this name has, for the time before there
// is DNS. See https://cloud.google.com/compute/docs/metadata/querying-metadata.
const (
	gceURL     = "http://metadata.google.internal/computeMetadata/v1/"
	gceAddress = "http://169.254.169.254/computeMetadata/v1/"
)

// gceFlavor is the header that Google asks for and answers with.
const gceFlavor = "Metadata-Flavor"

// fetchGCE asks for everything at once.
func fetchGCE(ctx context.Context, e *Env) (*instance.Instance, error) {
	c, url := e.onGCE()
	ctx, cancel := context.WithTimeout(ctx, c.limits.all())
	defer cancel()
	var answer machine.Response
	n, err := e.reach(ctx, want{Source: "GCE", Prefer: ens4First}, func(ctx context.Context, _ *Early) (err error) {
		answer, err = e.askGCE(ctx, c.request(gceAll))
		return err
	})
	if err != nil {
		return nil, err
	}
	defer n.close()
	return readGCE(e, url, answer)
}

// gceAll asks for everything at once.
const gceAll = "?alt=json&recursive=true"

// askGCE asks, and sees to it that it is Google who answers.
func (e *Env) askGCE(ctx context.Context, r machine.Request) (machine.Response, error) {
	answer, err := e.Machine.Net.Fetch(ctx, r)
	switch {
	case err != nil:
		return answer, fmt.Errorf("%w: %w", ErrSilent, err)
	case answer.Header[gceFlavor] != "Google":
		return answer, fmt.Errorf("%w: get %s: the answer is not Google's: it has no header %s: Google", ErrSilent, answer.URL, gceFlavor)
	}
	return answer, nil
}

// gceHold is how long Google holds a question back; all that knows Google's metadata asks for that.
const gceHold = 60 * time.Second

// watchGCE asks for everything, once that has another ETag than the last answer. See
// https://cloud.google.com/compute/docs/metadata/querying-metadata#waitforchange.
func watchGCE(ctx context.Context, e *Env, mark string) (in *instance.Instance, next string, err error) {
	c, address := e.onGCE()
	r := c.request(gceAll)
	if mark != "" {
		r = c.request(fmt.Sprintf("%s&wait_for_change=true&timeout_sec=%.0f&last_etag=%s", gceAll, gceHold.Seconds(), url.QueryEscape(mark)))
		r.Timeout = gceHold + 10*time.Second
	}
	r.Tries = 1
	answer, err := e.askGCE(ctx, r)
	if err == nil {
		err = isWhole(answer)
	}
	if err != nil {
		return nil, "", err
	}
	in, err = readGCE(e, address, answer)
	return in, answer.Header["Etag"], err
}

// isWhole refuses an answer without attributes of the instance or of the project, where Google has at least an empty mapping: what
// follows the cloud would take it for one in which nobody has keys any more.
func isWhole(answer machine.Response) error {
	data, err := object(answer.URL, answer.Body)
	if err != nil {
		return err
	}
	for _, of := range []string{"instance", "project"} {
		if v := conf.Of(data, conf.Origin{}).At(of, "attributes"); v == nil || v.Kind != conf.Map {
			return fmt.Errorf("%w: get %s: the answer has no attributes of the %s", ErrSilent, answer.URL, of)
		}
	}
	return nil
}

// onGCE asks Google; url is the address to show.
func (e *Env) onGCE() (c *client, url string) {
	url = cmp.Or(scalar(e.config("GCE").Get("metadata_url")), gceURL)
	c = &client{e: e, base: url, header: map[string]string{gceFlavor: "Google"}, limits: e.limits("GCE", defaultLimits())}
	if url == gceURL {
		c.base = gceAddress
	}
	return c, url
}

// publishToGCE writes the keys into the instance's guest attributes. Google refuses that where these are not switched on. See
// https://cloud.google.com/compute/docs/metadata/manage-guest-attributes.
func publishToGCE(ctx context.Context, e *Env, keys []string) error {
	c, _ := e.onGCE()
	for _, line := range keys {
		kind, key, _ := strings.Cut(line, " ")
		r := c.request("instance/guest-attributes/hostkeys/" + kind)
		r.Method, r.Body, r.Tries, r.Tells = "PUT", []byte(key), 1, "the host key "+kind
		switch _, err := e.Machine.Net.Fetch(ctx, r); {
		case isRefusal(err):
			e.debug("Unable to write %s host key to guest attributes: %v", kind, err)
		case err != nil:
			return err
		default:
			e.debug("Wrote %s host key to guest attributes.", kind)
		}
	}
	return nil
}

// ens4First is the order of interfaces on GCE, whose first one is called so.
func ens4First(a, b machine.NIC) int {
	rank := map[bool]int{true: 0, false: 1}
	return rank[a.Name == "ens4"] - rank[b.Name == "ens4"]
}

// readGCE is the instance that Google describes. Its numbers are texts for cloud-init, which asks for each value alone.
func readGCE(e *Env, url string, answer machine.Response) (*instance.Instance, error) {
	data, err := object(answer.URL, answer.Body)
	if err != nil {
		return nil, err
	}
	all := conf.Of(data, conf.Origin{Part: answer.URL})
	own, project := all.At("instance", "attributes"), all.At("project", "attributes")
	id, host := scalar(all.At("instance", "id")), scalar(all.At("instance", "hostname"))
	if strings.Trim(id, "0123456789") != "" || strings.Trim(id, "0") == "" {
		return nil, fmt.Errorf("%w: get %s: the instance has no id", ErrSilent, url)
	}
	zone := scalar(all.At("instance", "zone"))
	zone = zone[strings.LastIndex(zone, "/")+1:]
	lines := gceKeyLines(own, project)
	in := &instance.Instance{
		Source: "GCE", Detail: e.detail("GCE"), Cloud: "gce", Platform: "gce", Subplatform: "metadata (" + url + ")",
		Mode: modeNet, ID: id, Zone: zone, Region: zone, Keys: e.gceKeys(lines), Accounts: gceAccounts(lines),
		Guest: cmp.Or(scalar(own.Get("google-instance-configs")), scalar(project.Get("google-instance-configs"))), UserData: e.gceUserData(own),
		Metadata: map[string]any{"instance-id": id, "availability-zone": zone, "local-hostname": host,
			"instance-data": orEmpty(own), "project-data": orEmpty(project), "public-keys-data": plainList(lines)},
	}
	in.Hostname, _, _ = strings.Cut(host, ".")
	if dash := strings.LastIndex(zone, "-"); dash >= 0 {
		in.Region = zone[:dash]
	}
	return in, nil
}

// orEmpty is the data of a mapping, which may be missing.
func orEmpty(v *conf.Value) any {
	if v == nil || v.Kind != conf.Map {
		return map[string]any{}
	}
	return v.Data()
}

// plainList is a list of texts as plain data.
func plainList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// gceKeys are the keys of the default user and of the user cloudinit that have not expired. What is not ASCII is no key.
func (e *Env) gceKeys(lines []string) (keys []instance.Key) {
	name := e.defaultUser()
	for _, line := range lines {
		user, key, ok := strings.Cut(line, ":")
		mine := ok && (user == "cloudinit" || name != "" && user == name)
		if !mine || strings.ContainsFunc(line, func(r rune) bool { return r > 127 }) || hasExpired(key, e.Machine.Clock.Now()) {
			continue
		}
		keys = append(keys, instance.Key{Line: key})
	}
	return keys
}

// hasExpired reads a comment `google-ssh {"expireOn": DATE}`. A key without a readable date is for ever, as in cloud-init; see
// https://cloud.google.com/compute/docs/connect/add-ssh-keys.
func hasExpired(key string, now time.Time) bool {
	fields := strings.Fields(key)
	if len(fields) < 4 || fields[2] != "google-ssh" {
		return false
	}
	_, text, _ := strings.Cut(key, "google-ssh")
	data, err := conf.ReadJSON([]byte(text))
	if err != nil {
		return false
	}
	date := scalar(conf.Of(data, conf.Origin{}).Get("expireOn"))
	for _, layout := range []string{"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07:00"} {
		if end, err := time.Parse(layout, date); err == nil {
			return now.After(end)
		}
	}
	return false
}

// defaultUser is the name of the image's default user; empty where the configuration's users are without one.
func (e *Env) defaultUser() string {
	if own := e.Config.Get("user"); !own.IsNull() {
		return cmp.Or(scalar(own), scalar(own.Get("name")), scalar(e.Config.At("system_info", "default_user", "name")))
	}
	users := e.Config.Get("users")
	there := users.Get("default") != nil || users != nil && users.Kind == conf.String && strings.Contains(users.Text, "default")
	if users != nil {
		for _, user := range users.Items {
			there = there || scalar(user) == "default" || scalar(user.Get("name")) == "default"
		}
	}
	if !there {
		return ""
	}
	return scalar(e.Config.At("system_info", "default_user", "name"))
}

// gceUserData is the attribute user-data, decoded as user-data-encoding says.
func (e *Env) gceUserData(own *conf.Value) []byte {
	text := scalar(own.Get("user-data"))
	switch encoding := scalar(own.Get("user-data-encoding")); encoding {
	case "base64":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			e.warn("read the attribute user-data: user-data-encoding says base64, but %v; it is left out", err)
		}
		return data
	case "":
	default:
		e.warn("unknown user-data-encoding: %s, ignoring", encoding)
	}
	return []byte(text)
}
