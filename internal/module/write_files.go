package module

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/machine"
)

type writeFilesKeys struct {
	Files []conf.Placed[fileKeys] `key:"write_files" doc:"Files to write."`
}

type fileKeys struct {
	Path    string  `key:"path" need:"yes" doc:"Where the file goes. Missing folders are made, with mode 0755."`
	Content *string `key:"content" doc:"What is in it; a !!binary value is written as it is."`
	Source  *struct {
		URI     string             `key:"uri" need:"yes" doc:"The address: http, https or file."`
		Headers conf.Named[string] `key:"headers" doc:"HTTP headers to send."`
	} `key:"source" doc:"Where the content is fetched from; where that fails, content is used."`
	Owner       string     `key:"owner" default:"root:root" doc:"User and group of the file."`
	Permissions conf.Octal `key:"permissions" doc:"The file's mode as a string of octal digits; 0644 where it is not given."`
	Encoding    string     `key:"encoding" default:"text/plain" doc:"How content is packed: text/plain, b64, gz or gz+b64."`
	Append      bool       `key:"append" doc:"Add the content to the end of the file instead of replacing it."`
	Defer       bool       `key:"defer" doc:"Write the file in the final stage, when users and packages are there."`
}

var writeFiles = define(Module{
	Name: "write_files", Stage: Init, Every: PerInstance, Gate: []string{"write_files"},
	Doc: "Writes files. It runs before users are made and packages installed; a file that needs those wants `defer: true`.",
	Examples: []string{`write_files:
  - path: /etc/motd
    permissions: '0644'
    content: |
      Welcome.
  - path: /usr/local/bin/hello
    permissions: '0755'
    encoding: b64
    content: IyEvYmluL3NoCmVjaG8gaGVsbG8K
`},
}, func(ctx context.Context, e *Env, k *writeFilesKeys) error { return writeAll(ctx, e, k.Files, false) })

var writeFilesDeferred = define(Module{
	Name: "write_files_deferred", Stage: Final, Every: PerInstance, Gate: []string{"write_files"},
	Doc: "Writes the files of write_files that have `defer: true`.",
	Examples: []string{`write_files:
  - path: /home/ada/.profile.d/late.sh
    owner: ada:ada
    defer: true
    content: export LATE=1
`},
}, func(ctx context.Context, e *Env, k *writeFilesKeys) error { return writeAll(ctx, e, k.Files, true) })

// writeAll writes the files that are deferred, or those that are not.
func writeAll(ctx context.Context, e *Env, files []conf.Placed[fileKeys], deferred bool) (err error) {
	for _, f := range files {
		if f.Value.Defer == deferred {
			err = errors.Join(err, e.Item(f.Origin, f.Value.Path, func() error { return writeFile(ctx, e, f.Value) }))
		}
	}
	return err
}

func writeFile(ctx context.Context, e *Env, f fileKeys) error {
	uid, gid, err := account.Owner(ctx, e.Machine, f.Owner)
	if err != nil {
		if !f.Defer && errors.Is(err, machine.ErrNone) {
			err = fmt.Errorf("%w; if the user is made in the same document, the file wants `defer: true`", err)
		}
		return err
	}
	content, err := f.content(ctx, e)
	if err != nil {
		return err
	}
	name := path.Clean("/" + f.Path)
	if err := machine.MakeFolders(e.Machine.Files, path.Dir(name), machine.Folder(0o755).Owned(uid, gid)); err != nil {
		return err
	}
	if f.Append {
		old, err := e.Machine.Files.Read(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		content = strings.TrimSuffix(old, content) + content // a second run finds it there already
	}
	_, err = e.Machine.Files.Put(name, machine.File(f.Permissions.Or(0o644), content).Owned(uid, gid))
	return err
}

// content is what goes into the file: from the source, or else as it was given.
func (f fileKeys) content(ctx context.Context, e *Env) (string, error) {
	if f.Source != nil {
		text, err := f.fetch(ctx, e)
		if err == nil || f.Content == nil {
			return text, err
		}
		e.Warn("write_files: %s: %v; its content key is used instead", f.Path, err)
	}
	if f.Content == nil {
		return "", nil
	}
	return f.unpack(e, *f.Content)
}

func (f fileKeys) fetch(ctx context.Context, e *Env) (string, error) {
	header := map[string]string{}
	for _, h := range f.Source.Headers {
		header[h.Name] = h.Value
	}
	got, err := e.Machine.Net.Fetch(ctx, machine.Request{URL: f.Source.URI, Header: header, Tries: 4, Wait: 3 * time.Second})
	return string(got.Body), err
}

// contentLimit is what packed content may unpack to, in bytes.
const contentLimit = 64 << 20

// unpack undoes the encodings of content. An unknown one is said, and the content taken as it is.
func (f fileKeys) unpack(e *Env, content string) (string, error) {
	zipped, coded := false, false
	switch encoding := strings.ToLower(strings.TrimSpace(f.Encoding)); encoding {
	case "gz", "gzip":
		zipped = true
	case "gz+base64", "gzip+base64", "gz+b64", "gzip+b64":
		zipped, coded = true, true
	case "b64", "base64":
		coded = true
	case "", "text/plain":
	default:
		e.Warn("Unknown encoding type %s, assuming text/plain", encoding)
	}
	if coded {
		data, err := decodeBase64(content)
		if err != nil {
			return "", fmt.Errorf("the content is not base64, as its encoding says: %w", err)
		}
		content = string(data)
	}
	if !zipped {
		return content, nil
	}
	return conf.Gunzip(content, contentLimit)
}

// decodeBase64 decodes as Python does: what is no letter of the alphabet is passed over.
func decodeBase64(text string) ([]byte, error) {
	text = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '=' {
			return r
		}
		return -1
	}, text)
	return base64.StdEncoding.DecodeString(text)
}
