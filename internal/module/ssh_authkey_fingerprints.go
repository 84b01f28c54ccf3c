package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"openguest/internal/account"
	"openguest/internal/machine"
)

type fingerprintKeys struct {
	Off  bool   `key:"no_ssh_fingerprints" doc:"Do not show the fingerprints of the users' keys."`
	Hash string `key:"authkey_hash" default:"sha256" enum:"md5,sha1,sha256,sha512" doc:"How the fingerprints are made."`
}

var authkeyFingerprints = define(Module{
	Name: "ssh_authkey_fingerprints", Stage: Final, Every: PerInstance,
	Doc:      "Shows on the console who may log in: the fingerprints of the public keys of each user. A user with a home and without keys gets an empty file for them.",
	Examples: []string{"no_ssh_fingerprints: true\n", "authkey_hash: sha512\n"},
}, func(ctx context.Context, e *Env, k *fingerprintKeys) (err error) {
	if k.Off {
		return Skip("no_ssh_fingerprints is set")
	}
	for _, p := range e.people() {
		if p.config.Get("no_create_home").Truth(false) || p.config.Get("system").Truth(false) {
			e.Debug("Skipping printing of ssh fingerprints for user '%s' because no home directory is created", p.name)
			continue
		}
		err = errors.Join(err, showFingerprints(ctx, e, p.name, strings.ToLower(k.Hash)))
	}
	return err
})

// showFingerprints prints the keys of one user.
func showFingerprints(ctx context.Context, e *Env, user, hash string) error {
	file, keys, err := account.Authorized(ctx, e.Machine, user)
	if err != nil {
		return err
	}
	if !machine.Exists(e.Machine.Files, file) {
		if _, err := account.Authorize(ctx, e.Machine, user, nil, ""); err != nil {
			return err
		}
	}
	e.Report.Console(fingerprintTable(user, file, keys, hash))
	return nil
}

// fingerprintTable is the text about one user, in the form that tools cut out of a console's log.
func fingerprintTable(user, file string, keys []account.Key, hash string) string {
	if len(keys) == 0 {
		return fmt.Sprintf("ci-info: no authorized SSH keys fingerprints found for user %s.\n", user)
	}
	var rows [][]string
	for _, key := range keys {
		fingerprint, err := key.Fingerprint(hash)
		if err != nil {
			fingerprint = "?"
		}
		rows = append(rows, []string{key.Type, fingerprint, cmp.Or(key.Options, "-"), cmp.Or(key.Comment, "-")})
	}
	title := fmt.Sprintf("Authorized keys from %s for user %s", file, user)
	return InfoTable(title, []string{"Keytype", "Fingerprint (" + hash + ")", "Options", "Comment"}, rows)
}
