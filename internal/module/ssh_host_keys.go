package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/machine"
)

// sshFolder is where the ssh server looks for its keys.
const sshFolder = "/etc/ssh"

// privateKeyFile is the file of the private host key of a kind. Its public half has ".pub" behind that, its certificate
// "-cert.pub".
func privateKeyFile(kind string) string { return path.Join(sshFolder, "ssh_host_"+kind+"_key") }

// hostKeys are the ssh server's keys on their way into place.
type hostKeys struct {
	*Env
	keys   *sshKeys
	given  []givenKey
	kinds  []string // those that are being made
	late   string   // the kind that a unit of its own makes, beside the rest of the boot; mostly empty
	made   <-chan madeKey
	stay   map[string]bool // the names of the files that are put in place
	usable bool            // one is in place that the server can use
}

// A madeKey is a new key, or why there is none.
type madeKey struct {
	kind string
	key  account.HostKey
	err  error
}

// prepareHostKeys reads what is given and, where keys are to be made, begins to make them. Nothing is written yet.
func prepareHostKeys(e *Env, k *sshKeys) *hostKeys {
	h := &hostKeys{Env: e, keys: k, stay: map[string]bool{}}
	h.readGiven()
	var kinds []string
	if len(k.Given) == 0 || !h.hasGiven() && (k.Delete || !h.hasOld()) {
		kinds = h.setAside(h.kindsToMake())
	}
	h.begin(kinds)
	return h
}

// begin begins to make keys.
func (h *hostKeys) begin(kinds []string) {
	h.kinds, h.made = kinds, makeHostKeys(kinds, "root@"+cmp.Or(h.systemName(), "localhost"))
}

// makeHostKeys makes keys, all at the same time.
func makeHostKeys(kinds []string, comment string) <-chan madeKey {
	made := make(chan madeKey, len(kinds))
	for _, kind := range kinds {
		go func() {
			key, err := account.NewHostKey(kind, comment)
			made <- madeKey{kind, key, err}
		}()
	}
	return made
}

// hasOld says whether there is a host key of any kind.
func (h *hostKeys) hasOld() bool {
	return slices.ContainsFunc(account.HostKeyKinds(), func(kind string) bool { return machine.Exists(h.Machine.Files, privateKeyFile(kind)) })
}

// kindsToMake are the kinds of which there shall be new keys.
func (h *hostKeys) kindsToMake() (kinds []string) {
	if !machine.Exists(h.Machine.Files, sshFolder) && !machine.Exists(h.Machine.Files, sshServer) {
		h.Info("no host keys are made: there is no ssh server, and no folder %s", sshFolder)
		return nil
	}
	for _, kind := range h.wantedKinds() {
		switch {
		case slices.Contains(kinds, kind):
		case kind == "ed25519" && h.isFIPS():
			h.Debug("skipping keys that are not supported in fips mode: %s", kind)
		case h.keys.Delete || !machine.Exists(h.Machine.Files, privateKeyFile(kind)):
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// wantedKinds are the kinds that ssh_genkeytypes names. Where it names only such as we do not make, all are wanted: a
// server without keys lets nobody in.
func (h *hostKeys) wantedKinds() (kinds []string) {
	all := account.HostKeyKinds()
	if h.keys.Kinds == nil {
		return all
	}
	for _, asked := range h.keys.Kinds {
		switch kind := asked.Value; {
		case slices.Contains(all, kind):
			kinds = append(kinds, kind)
		case kind == "dsa":
			h.Item(asked.Origin, asked.Path, func() error { return Skip("ssh takes dsa keys no longer") })
		default:
			h.Problem(conf.Problem{Origin: asked.Origin, Path: asked.Path, Level: conf.Rejected,
				Message: "there is no kind of host keys " + strconv.Quote(kind), Hint: "use " + strings.Join(all, ", ")})
		}
	}
	if kinds == nil && len(h.keys.Kinds) > 0 {
		return all
	}
	return kinds
}

// isFIPS says whether the kernel allows only what FIPS 140 approves.
func (h *hostKeys) isFIPS() bool {
	text, err := h.Machine.Files.Read("/proc/sys/crypto/fips_enabled")
	return err == nil && strings.TrimSpace(text) == "1"
}

// place writes the keys that were given and those that were made. Old ones go only when one is in place that the server
// can use. Whenever it looks, and wherever this is cut off, the server finds valid keys.
func (h *hostKeys) place(ctx context.Context) error {
	h.noteLate()
	made, err := h.collect(ctx)
	err = errors.Join(err, h.placeGiven(), h.placeAll(ctx, made))
	if h.late != "" && !h.usable {
		err = errors.Join(err, h.makeHere(ctx))
	}
	switch {
	case h.keys.Delete && h.usable:
		err = errors.Join(err, h.clear())
	case h.keys.Delete:
		h.Info("the ssh host keys that were there stay: there are no new ones in place")
	}
	return errors.Join(err, h.startLate(ctx))
}

// placeAll writes new keys.
func (h *hostKeys) placeAll(ctx context.Context, made []madeKey) (err error) {
	for _, m := range made {
		err = errors.Join(err, h.placeMade(ctx, m))
	}
	return err
}

// collect waits for the keys that are being made.
func (h *hostKeys) collect(ctx context.Context) (made []madeKey, err error) {
	for range h.kinds {
		select {
		case m := <-h.made:
			made = append(made, m)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	rank := func(i int) int { return slices.Index(h.kinds, made[i].kind) }
	sort.SliceStable(made, func(i, j int) bool { return rank(i) < rank(j) })
	return made, nil
}

// placeMade writes a new key, and says what ssh-keygen would say.
func (h *hostKeys) placeMade(ctx context.Context, m madeKey) error {
	if m.err != nil {
		return m.err
	}
	node, err := h.madeNode(ctx)
	if err != nil {
		return err
	}
	node.Data = m.key.Private.Reveal()
	if err := machine.MakeFolders(h.Machine.Files, sshFolder, machine.Folder(0o755)); err != nil {
		return err
	}
	name := privateKeyFile(m.kind)
	err = h.Machine.Ledger.AtRandom(func() error {
		if err := h.putPrivate(m.kind, node); err != nil {
			return err
		}
		return h.put(name+".pub", machine.File(0o644, m.key.Public.String()+"\n"))
	})
	if err != nil {
		return err
	}
	if h.keys.Quiet {
		return nil
	}
	return h.Machine.Commands.Say(h.Output, fmt.Sprintf("Generating public/private %s key pair.\nYour identification has been saved in %s\n"+
		"Your public key has been saved in %s.pub\nThe key fingerprint is:\n%s %s\n", m.kind, name, name, m.key.Public.SHA256(), m.key.Public.Comment))
}

// madeNode is whose a new private key is. In Red Hat's family, where the group ssh_keys is there, it is that group's, and
// a server before version 9 wants it to be readable for the group; see its sshd-keygen.
func (h *hostKeys) madeNode(ctx context.Context) (machine.Node, error) {
	node := machine.File(0o600, "")
	if h.Distro.Family != "redhat" {
		return node, nil
	}
	group, err := account.Group(ctx, h.Machine, "ssh_keys")
	if errors.Is(err, machine.ErrNone) {
		return node, nil
	}
	if major := sshVersion(h.Machine.Files); major > 0 && major < 9 {
		node.Mode = 0o640
	}
	return node.Owned(0, group.GID), err
}

// sshServer is the program of the ssh server.
const sshServer = "/usr/sbin/sshd"

// sshVersion is the first number of the ssh server's version, 0 where it does not say. It is read from the program, which
// also holds patterns of other versions, but none of newer ones.
func sshVersion(f machine.Files) (major int) {
	program, err := f.Read(sshServer)
	if err != nil {
		return 0
	}
	for part := range strings.SplitSeq(program, "OpenSSH_") {
		var one, two, portable int
		if _, err := fmt.Sscanf(part[:min(16, len(part))], "%d.%dp%d", &one, &two, &portable); err == nil {
			major = max(major, one)
		}
	}
	return major
}

// putPrivate puts a private key in place. The public half of another key that was there goes first: beside the new one it
// would mislead the server, while without it the server derives it.
func (h *hostKeys) putPrivate(kind string, node machine.Node) error {
	name := privateKeyFile(kind)
	files := h.Machine.Files
	public, publicErr := machine.Get(files, name+".pub")
	if text, err := files.Read(name); err == nil && text != node.Data {
		if _, err := files.Remove(name + ".pub"); err != nil {
			return err
		}
	}
	if err := h.put(name, node); err != nil {
		if publicErr == nil {
			files.Put(name+".pub", public)
		}
		return err
	}
	h.usable = true
	return nil
}

// put writes a file that is to stay.
func (h *hostKeys) put(name string, node machine.Node) error {
	_, err := h.Machine.Files.Put(name, node)
	if err == nil {
		h.stay[path.Base(name)] = true
	}
	return err
}

// clear takes away the host keys that are not ours.
func (h *hostKeys) clear() error {
	names, err := h.Machine.Files.List(sshFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if ok, _ := path.Match("ssh_host_*key*", name); ok && !h.stay[name] {
			_, failure := h.Machine.Files.Remove(path.Join(sshFolder, name))
			err = errors.Join(err, failure)
		}
	}
	return err
}
