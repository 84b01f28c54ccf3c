package module

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

type consoleKeys struct {
	SSH struct {
		Emit conf.Truth `key:"emit_keys_to_console" doc:"Show the host keys and their fingerprints on the console; true where it is not given."`
	} `key:"ssh" doc:"How host keys are shown."`
	NoKeys         conf.OneOrMany[string] `key:"ssh_key_console_blacklist" doc:"Types of host keys, such as ssh-rsa, that are not shown."`
	NoFingerprints conf.OneOrMany[string] `key:"ssh_fp_console_blacklist" doc:"Types of host keys whose fingerprints are not shown."`
}

var keysToConsole = define(Module{
	Name: "keys_to_console", Stage: Final, Every: PerInstance, Needs: []string{"logger"},
	Doc: "Shows the ssh host keys and their fingerprints on the console, so that whoever can read it knows whom to trust, and sends the fingerprints to the system's log.",
	Examples: []string{`ssh:
  emit_keys_to_console: false
`, `ssh_key_console_blacklist: [ssh-rsa]
ssh_fp_console_blacklist: [ssh-rsa, ecdsa-sha2-nistp256]
`},
}, func(ctx context.Context, e *Env, k *consoleKeys) error {
	if !k.SSH.Emit.Or(true) {
		return Skip("emit_keys_to_console is false")
	}
	all, err := e.publicHostKeys()
	fingerprints := k.fingerprintLines(e, all)
	text := logged(e.Machine.Clock.Now(), fingerprints) + k.keyLines(all)
	if text == "" && err == nil {
		return Skip("there is no host key to show")
	}
	e.Report.Console(text)
	return errors.Join(err, e.sendToLog(ctx, fingerprints))
})

// A publicHostKey is the content of a file of a public host key, and the first word in it.
type publicHostKey struct{ name, kind, text string }

// publicHostKeys are the public halves of the ssh server's keys, by the names of their files.
func (e *Env) publicHostKeys() (all []publicHostKey, err error) {
	names, err := e.Machine.Files.List(sshFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, name := range names {
		if ok, _ := path.Match("ssh_host_*key.pub", name); !ok {
			continue
		}
		text, failure := e.Machine.Files.Read(path.Join(sshFolder, name))
		err = errors.Join(err, failure)
		if words := strings.Fields(text); len(words) > 0 {
			all = append(all, publicHostKey{name, words[0], text})
		}
	}
	return all, err
}

// fingerprintLines are the lines about fingerprints, with what tools look for around them.
func (k *consoleKeys) fingerprintLines(e *Env, all []publicHostKey) (lines []string) {
	for _, one := range all {
		if slices.Contains(k.NoFingerprints, one.kind) {
			continue
		}
		key, err := account.ParseKey(strings.SplitN(strings.TrimSpace(one.text), "\n", 2)[0])
		described := ""
		if err == nil {
			described, err = key.Describe()
		}
		if err != nil {
			e.Warn("the host key %s has no fingerprint: %v", path.Join(sshFolder, one.name), err)
			continue
		}
		lines = append(lines, described)
	}
	if lines == nil {
		return nil
	}
	const rule = "#############################################################"
	head := []string{rule, "-----BEGIN SSH HOST KEY FINGERPRINTS-----"}
	return slices.Concat(head, lines, []string{"-----END SSH HOST KEY FINGERPRINTS-----", rule})
}

// keyLines are the keys themselves.
func (k *consoleKeys) keyLines(all []publicHostKey) string {
	text := ""
	for _, one := range all {
		if !slices.Contains(k.NoKeys, one.kind) {
			text += strings.TrimSuffix(one.text, "\n") + "\n"
		}
	}
	if text == "" {
		return ""
	}
	return "-----BEGIN SSH HOST KEY KEYS-----\n" + text + "-----END SSH HOST KEY KEYS-----\n"
}

// logged are lines as logger -s shows them: priority user.info, the time, and the tag.
func logged(now time.Time, lines []string) (text string) {
	for _, line := range lines {
		text += "<14>" + now.Format(time.Stamp) + " cloud-init: " + line + "\n"
	}
	return text
}

// sendToLog sends lines to the system's log, where there is one.
func (e *Env) sendToLog(ctx context.Context, lines []string) error {
	if len(lines) == 0 || !machine.Exists(e.Machine.Files, "/dev/log") {
		return nil
	}
	send := machine.Change{Argv: []string{"logger", "-p", "user.info", "-t", "cloud-init"}, Stdin: instance.Hide(strings.Join(lines, "\n") + "\n"),
		Means: func(machine.Files, time.Time) error { return nil }}
	if err := e.Machine.Commands.Can(send); err != nil {
		e.Debug("the fingerprints of the host keys are not in the system's log: %v", err)
		return nil
	}
	return e.Machine.Commands.Do(ctx, send)
}
