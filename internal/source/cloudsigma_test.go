package source

import (
	"bufio"
	"context"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"openguest/internal/machine"
)

// hostOn is a serial line with a host on it that is given what the machine wrote up to a sign, and answers. It must not end before
// the test: a reader that is nil hangs.
type hostOn struct {
	t      *testing.T
	answer func(r *bufio.Reader, w io.Writer)
}

func (h hostOn) Open(ctx context.Context, name string) (io.ReadWriteCloser, error) {
	if h.answer == nil || name != hostLine && name != zoneSocket {
		return nil, fs.ErrNotExist
	}
	asked, ask, err1 := os.Pipe()
	said, say, err2 := os.Pipe()
	if err1 != nil || err2 != nil {
		h.t.Fatal(err1, err2)
	}
	context.AfterFunc(ctx, func() { said.Close() })
	h.t.Cleanup(func() { asked.Close(); say.Close() })
	go h.answer(bufio.NewReader(asked), say)
	return pair{said, ask}, nil
}

// pair is a line of two pipes: they hold what nobody has read yet, as a serial line does.
type pair struct {
	io.ReadCloser
	io.WriteCloser
}

func (p pair) Close() error {
	p.WriteCloser.Close()
	return p.ReadCloser.Close()
}

// onCloudSigma is a machine with a host that answers with a text.
func onCloudSigma(t *testing.T, text string) *world {
	w := newWorld(t, "", "datasource: {CloudSigma: {timeout: 0.3}}")
	w.env.Machine.Serial = hostOn{t, func(r *bufio.Reader, w io.Writer) {
		if asked, err := r.ReadString('>'); err == nil && asked == "<\n\n>" {
			io.WriteString(w, text)
		}
	}}
	return w
}

// Rows D23, D26. A machine on CloudSigma learns who it is over its serial line.
func TestCloudSigma(t *testing.T) {
	const context = `{"uuid": "20a0059b-041e-4d0c-bcc6-9b2852de48b3", "name": "web 1", "meta": {"ssh_public_key": "ssh-ed25519 AAAA a", "base64_fields": "a,cloudinit-user-data",
		"cloudinit-user-data": "IyEvYmluL3NoCg==", "cloudinit-dsmode": "local"}, "vendor_data": {"cloudinit": "#cloud-config\n"}, "vnc_password": "x"}`
	w := onCloudSigma(t, strings.ReplaceAll(context, "\n\t\t", "")+"\n\x04")
	in, err := fetchCloudSigma(t.Context(), w.env)
	if err != nil || in.ID != "20a0059b-041e-4d0c-bcc6-9b2852de48b3" || in.Hostname != "web 1" || string(in.UserData) != "#!/bin/sh\n" || string(in.VendorData) != "#cloud-config\n" || len(in.Keys) != 1 || in.Mode != modeLocal {
		t.Fatalf("it is %+v, %v", in, err)
	}
	if in.Detail != "DataSourceCloudSigma" || in.CloudID() != "cloudsigma" || in.Subplatform != "cepko (/dev/ttyS1)" || in.Metadata["name"] != "web 1" {
		t.Errorf("it calls itself %q, %q, %q", in.Detail, in.CloudID(), in.Subplatform)
	}
	in, err = fetchCloudSigma(t.Context(), onCloudSigma(t, `{"uuid": "20a0059b-041e", "name": "~müller~"}`+"\n").env)
	if err != nil || in.Hostname != "20a0059b" || in.Mode != modeNet || in.Keys != nil {
		t.Errorf("with an odd name it is %+v, %v", in, err)
	}
}

// A host that says nothing, or something else, makes no machine a new one, and does not hold the boot up.
func TestCloudSigmaInTrouble(t *testing.T) {
	for text, want := range map[string]string{"": "silent", "{": "silent", "{}\n": "silent", "[]\n": "silent", `{"uuid": "a", "meta": {"cloudinit-dsmode": "disabled"}}` + "\n": "absent",
		`{"uuid": "a", "meta": {"base64_fields": "cloudinit-user-data", "cloudinit-user-data": "%"}}` + "\n": "silent"} {
		if in, err := fetchCloudSigma(t.Context(), onCloudSigma(t, text).env); isOneOf(err) != want {
			t.Errorf("%q gives %+v, %v", text, in, err)
		}
	}
	w := newWorld(t, "", "")
	w.env.Machine.Serial = hostOn{t: t}
	if _, err := fetchCloudSigma(t.Context(), w.env); isOneOf(err) != "silent" {
		t.Errorf("without a line: %v", err)
	}
}

var _ machine.Serial = hostOn{}
