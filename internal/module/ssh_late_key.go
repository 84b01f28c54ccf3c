package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// slowKind is the kind of host keys that takes long to make: half a second of a processor, and half a minute of an emulated one.
const slowKind = "rsa"

// hostKeysUnit makes such a key when the network stage has ended, and before the ssh server and the config stage begin.
const hostKeysUnit = "openguest-hostkeys.service"

// lateKeyFile says which key is still to be made. It is there until that is in its place, so that no power cut loses it.
const lateKeyFile = "/var/lib/openguest/host-keys.json"

// A lateKey is a host key that is still to be made.
type lateKey struct {
	Kind string `json:"kind"`
	Old  string `json:"old,omitempty"` // the fingerprint of the one that was there before: any other is the new one
}

// HasLateHostKey says whether a host key is still to be made.
func HasLateHostKey(f machine.Files) bool { return machine.Exists(f, lateKeyFile) }

// setAside leaves the kind that takes long to a unit of its own, where there can be one, and another key lets people in if that fails.
func (h *hostKeys) setAside(kinds []string) []string {
	at := slices.Index(kinds, slowKind)
	if at < 0 || len(kinds) == 1 || !h.InUnit || !h.usesSystemd() {
		return kinds
	}
	h.late = slowKind
	return slices.Delete(kinds, at, at+1)
}

// noteLate writes down what the unit is to make, before any key is touched: then a power cut loses nothing. What an earlier run wrote
// there counts no more. Where it cannot be written, the key is made with the others.
func (h *hostKeys) noteLate() {
	err := h.forgetLateKey()
	if h.late != "" {
		err = h.writeLate(lateKey{h.late, h.fingerprint(h.late)})
	}
	if err == nil {
		return
	}
	h.Warn("%v", err)
	if h.late != "" {
		h.begin(append(h.kinds, h.late))
		h.late = ""
	}
}

func (h *hostKeys) writeLate(late lateKey) error {
	text, err := json.Marshal(late)
	files := h.Machine.Quiet().Files
	if err == nil {
		err = machine.MakeFolders(files, path.Dir(lateKeyFile), machine.Folder(0o700))
	}
	if err == nil {
		err = errors.Join(h.Remember(lateKeyFile, string(text)+"\n", machine.File(0o600, "")), machine.Settle(files))
	}
	if err != nil {
		return fmt.Errorf("write down that the %s host key is to be made later: %w; it is made at once", late.Kind, err)
	}
	return nil
}

func (e *Env) forgetLateKey() error {
	if !HasLateHostKey(e.Machine.Files) { // who plans may not even see that
		return nil
	}
	if _, err := e.Machine.Quiet().Files.Remove(lateKeyFile); err != nil {
		return fmt.Errorf("forget that a host key was to be made: %w", err)
	}
	return nil
}

// fingerprint is that of the host key which is there; empty where there is none, or none that a server can use.
func (h *hostKeys) fingerprint(kind string) string {
	text, err := h.Machine.Files.Read(privateKeyFile(kind))
	if err != nil {
		return ""
	}
	public, err := account.PublicOf(instance.Hide(text))
	if err != nil {
		return ""
	}
	return public.SHA256()
}

// startLate has the unit make the key that was set aside. Where it cannot be started, the key is made here.
func (h *hostKeys) startLate(ctx context.Context) error {
	if h.late == "" {
		return nil
	}
	if startHostKeysUnit(ctx, h.Env) {
		return nil
	}
	return h.makeHere(ctx)
}

// makeHere makes the key that was set aside in this process.
func (h *hostKeys) makeHere(ctx context.Context) error {
	h.begin([]string{h.late})
	made, err := h.collect(ctx)
	if err = errors.Join(err, h.placeAll(ctx, made)); err != nil {
		return err
	}
	h.late = ""
	return h.forgetLateKey()
}

// startHostKeysUnit queues the unit: the ssh server is ordered behind it from then on, and we do not wait for it. It answers whether
// that could be done.
func startHostKeysUnit(ctx context.Context, e *Env) bool {
	err := e.Machine.Commands.Do(ctx, machine.Change{Argv: []string{"systemctl", "start", "--no-block", hostKeysUnit}, Touches: []string{sshFolder}})
	if err != nil {
		e.Info("the host key that takes long is made at once: %v", err)
	}
	return err == nil
}

// ResumeLateHostKey goes on with a key that an earlier boot left for later and did not come to make.
func ResumeLateHostKey(ctx context.Context, e *Env) error {
	switch {
	case !HasLateHostKey(e.Machine.Files): // the module has decided otherwise since
		return nil
	case e.InUnit && e.usesSystemd() && startHostKeysUnit(ctx, e):
		return nil
	}
	return MakeLateHostKey(ctx, e)
}

// MakeLateHostKey makes the host key that the module left for later, if there is one, and tells the cloud all of them. The error says
// what could not be done; a key that is not in its place is tried again at the next boot.
func MakeLateHostKey(ctx context.Context, e *Env) error {
	late, err := readLateKey(e)
	if err != nil {
		return errors.Join(err, e.forgetLateKey()) // it would say the same at each boot
	}
	if late.Kind == "" {
		return nil
	}
	var k sshKeys
	conf.Decode(e.Config, &k) // what is wrong in it has been said
	h := &hostKeys{Env: e, keys: &k, stay: map[string]bool{}, late: late.Kind}
	if err := h.makeLate(ctx, late); err != nil {
		return err
	}
	err = k.publish(ctx, e)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(err, e.forgetLateKey())
}

// readLateKey is what is written down; nothing where no key is to be made.
func readLateKey(e *Env) (late lateKey, err error) {
	text, err := e.Machine.Files.Read(lateKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return late, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &late)
	}
	if err == nil && !slices.Contains(account.HostKeyKinds(), late.Kind) {
		err = fmt.Errorf("there is no kind of host keys %q", late.Kind)
	}
	if err != nil {
		return lateKey{}, fmt.Errorf("read in %s which host key is to be made: %w", lateKeyFile, err)
	}
	return late, nil
}

// makeLate makes the key, unless it was made before the power went. If meanwhile somebody had the keys made anew, that one counts.
func (h *hostKeys) makeLate(ctx context.Context, late lateKey) error {
	if now := h.fingerprint(late.Kind); now != "" && now != late.Old {
		return nil
	}
	h.begin([]string{late.Kind})
	made, err := h.collect(ctx)
	if err != nil || !HasLateHostKey(h.Machine.Files) {
		return err
	}
	return errors.Join(h.placeMade(ctx, made[0]), machine.Settle(h.Machine.Files))
}
