package source

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// cloudSigma is the source of machines on CloudSigma.
func cloudSigma() *Source {
	return &Source{
		Name:  "CloudSigma",
		Doc:   "The server context of CloudSigma, which is read from a serial line.",
		Match: anyOf(dmi("product_name", "CloudSigma")),
		Fetch: fetchCloudSigma,
	}
}

// hostLine is the serial line on which the hosts of CloudSigma and SmartOS answer.
const hostLine = "/dev/ttyS1"

// fetchCloudSigma asks for the whole server context; see https://docs.cloudsigma.com/en/latest/server_context.html.
func fetchCloudSigma(ctx context.Context, e *Env) (*instance.Instance, error) {
	ctx, cancel := within(ctx, seconds(e.config("CloudSigma").Get("timeout"), time.Minute))
	defer cancel()
	line, err := e.Machine.Serial.Open(ctx, hostLine)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	defer line.Close()
	if _, err := io.WriteString(line, "<\n\n>"); err != nil {
		return nil, fmt.Errorf("%w: ask on %s: %w", ErrSilent, hostLine, err)
	}
	text, err := readAnswer(bufio.NewReader(line))
	if err != nil {
		return nil, fmt.Errorf("%w: read from %s: %w", ErrSilent, hostLine, err)
	}
	doc, err := object(hostLine, []byte(text))
	if err != nil {
		return nil, err
	}
	return e.cloudSigma(doc)
}

// maxAnswer is how long an answer on a serial line may be.
const maxAnswer = 4 << 20

var errLongAnswer = errors.New("the answer has more than 4 MiB")

// readAnswer reads a line, without what ends it: a line break, or the sign for the end of a transmission.
func readAnswer(r *bufio.Reader) (string, error) {
	var answer []byte
	for len(answer) < maxAnswer {
		switch c, err := r.ReadByte(); {
		case err != nil:
			return "", err
		case c == '\n' || c == 4 && len(answer) > 0:
			return string(answer), nil
		case c != 4:
			answer = append(answer, c)
		}
	}
	return "", errLongAnswer
}

// cloudSigma is the instance that a server context describes.
func (e *Env) cloudSigma(doc map[string]any) (*instance.Instance, error) {
	meta := conf.Of(doc["meta"], conf.Origin{Part: hostLine})
	id, name := textAt(doc, "uuid"), textAt(doc, "name")
	if !isIdentity(id) {
		return nil, fmt.Errorf("%w: the server context on %s has no uuid", ErrSilent, hostLine)
	}
	mode := dsmode(e, meta.Get("cloudinit-dsmode"))
	if mode == modeDisabled {
		return nil, fmt.Errorf("%w: its dsmode is disabled", ErrAbsent)
	}
	user := []byte(scalar(meta.Get("cloudinit-user-data")))
	if slices.Contains(strings.Split(scalar(meta.Get("base64_fields")), ","), "cloudinit-user-data") {
		plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(user)), ""))
		if err != nil {
			return nil, fmt.Errorf("%w: read cloudinit-user-data: %w", ErrSilent, err)
		}
		user = plain
	}
	isOdd := func(r rune) bool { return (r < ' ' || r > '_') && (r < 'a' || r > 'z') }
	if name = name[:min(len(name), 61)]; name == "" || strings.ContainsFunc(name, isOdd) {
		name, _, _ = strings.Cut(id, "-")
	}
	in := &instance.Instance{Source: "CloudSigma", Detail: "DataSourceCloudSigma", Cloud: "cloudsigma", Platform: "cloudsigma", Subplatform: "cepko (" + hostLine + ")",
		Mode: mode, ID: id, Hostname: name, UserData: user, VendorData: bytesAt(doc, "vendor_data", "cloudinit"), Metadata: doc}
	if key := scalar(meta.Get("ssh_public_key")); key != "" {
		in.Keys = []instance.Key{{Line: key}}
	}
	return in, nil
}
