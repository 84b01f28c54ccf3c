package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/instance"
)

type sshKeys struct {
	Delete  bool                                `key:"ssh_deletekeys" default:"true" doc:"Take away the host keys that are there, once new ones are in place: those of an image are no secret."`
	Given   conf.Named[instance.Secret]         `key:"ssh_keys" doc:"The host keys to use in place of new ones: KIND_private, KIND_public and KIND_certificate, where KIND is rsa, ecdsa or ed25519. A public key that is not given is derived."`
	Kinds   conf.OneOrMany[conf.Placed[string]] `key:"ssh_genkeytypes" doc:"The kinds of host keys to make: rsa, ecdsa and ed25519 where it is not given."`
	Quiet   bool                                `key:"ssh_quiet_keygen" doc:"Do not print the fingerprints of the keys that are made."`
	Publish conf.Placed[publishKeys]            `key:"ssh_publish_hostkeys" doc:"Whether the cloud is told the host keys, where it takes them."`
	Keys    conf.OneOrMany[conf.Placed[string]] `key:"ssh_authorized_keys" doc:"Public keys for the default user, beside those of the cloud."`

	DisableRoot     bool    `key:"disable_root" default:"true" doc:"Whoever logs in as root with one of the keys is only told to log in as the default user."`
	DisableRootOpts *string `key:"disable_root_opts" doc:"The options of root's keys where disable_root is true. $USER stands for the default user, $DISABLE_USER for root."`
	CloudKeys       bool    `key:"allow_public_ssh_keys" default:"true" doc:"Take the cloud's public keys too."`
}

type publishKeys struct {
	Enabled   bool                   `key:"enabled" default:"true" doc:"Tell the cloud."`
	Blacklist conf.OneOrMany[string] `key:"blacklist" doc:"Kinds of keys not to tell."`
}

var ssh = define(Module{
	Name: "ssh", Stage: Init, Every: PerInstance, Marked: true,
	Doc: "Gives the default user and root the public keys of the cloud and of ssh_authorized_keys, and the ssh server its host keys. " +
		"Host keys that are there go only when one is in place that the server can use.",
	Examples: []string{`ssh_authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGfC3kz2Zr1x0m0Kf0w8nq0m0cQ2nJ3m0cQ2nJ3m0cQ ada@laptop
disable_root: true
`, `ssh_deletekeys: true
ssh_genkeytypes: [ed25519]
ssh_quiet_keygen: true
`, `ssh_keys:
  ed25519_private: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
    ...
    -----END OPENSSH PRIVATE KEY-----
`},
}, setUpSSH)

// setUpSSH lets people in before it sees to the host keys: making one takes a while, and a machine that is switched off
// meanwhile must know its keys at the next boot.
func setUpSSH(ctx context.Context, e *Env, k *sshKeys) error {
	h := prepareHostKeys(e, k)
	err := errors.Join(authorize(ctx, e, k), h.place(ctx))
	if h.late != "" && k.publishes(e) {
		return err // the cloud is told all of them at once, when the last is there
	}
	return errors.Join(err, k.publish(ctx, e))
}

// AuthorizeLate gives the default user and root the keys that the cloud had not yet when the module ran.
func AuthorizeLate(ctx context.Context, e *Env) error {
	var k sshKeys
	conf.Decode(e.Config, &k) // what is wrong in it has been said
	return authorize(ctx, e, &k)
}

// authorize gives the default user and root the keys of the cloud and of the configuration.
func authorize(ctx context.Context, e *Env, k *sshKeys) error {
	var lines []givenLine
	if k.CloudKeys {
		for i, line := range e.Instance.PublicKeys() {
			lines = append(lines, givenLine{line, conf.Origin{Part: e.Instance.Detail}, fmt.Sprintf("public-keys[%d]", i)})
		}
	} else {
		e.Debug("Skipping import of publish SSH keys per config setting: allow_public_ssh_keys=False")
	}
	for _, key := range k.Keys {
		lines = append(lines, givenLine{key.Value, key.Origin, key.Path})
	}
	do := func() error { return authorizeBoth(ctx, e, k, lines) }
	if given := e.Config.Get("ssh_authorized_keys"); !given.IsNull() {
		return e.Item(given.Origin, "ssh_authorized_keys", do)
	}
	return do()
}

// A givenLine is a public key with the place where it was given.
type givenLine struct {
	text   string
	origin conf.Origin
	path   string
}

// authorizeBoth adds keys to the default user's and to root's. One that cannot be read is said once.
func authorizeBoth(ctx context.Context, e *Env, k *sshKeys, lines []givenLine) error {
	var texts []string
	var placed []givenLine
	for _, line := range lines {
		if text := strings.TrimSpace(line.text); text != "" && text[0] != '#' {
			texts, placed = append(texts, line.text), append(placed, line)
		}
	}
	user, err := e.defaultUser(), error(nil)
	if user != "" {
		_, err = account.Authorize(ctx, e.Machine, user, texts, "")
	}
	rejected, rootErr := account.Authorize(ctx, e.Machine, "root", texts, k.rootOptions(user))
	for _, r := range rejected {
		at := placed[r.Position-1]
		e.Problem(conf.Problem{Origin: at.origin, Path: at.path, Message: r.String(), Level: conf.Rejected})
	}
	return errors.Join(err, rootErr)
}

// rootOptions are the options that root's keys get; none leaves each its own.
func (k *sshKeys) rootOptions(user string) string {
	if !k.DisableRoot {
		return ""
	}
	options := account.DisabledOptions
	if k.DisableRootOpts != nil {
		options = *k.DisableRootOpts
	}
	return account.Redirecting(options, cmp.Or(user, "NONE"), "root")
}
