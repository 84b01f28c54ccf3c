package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// DisabledOptions are the options of a key that lets nobody in, and tells whoever uses it whom to log in as. $USER and
// $DISABLE_USER stand for names.
const DisabledOptions = `no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo 'Please login as the user \"$USER\" rather than ` +
	`the user \"$DISABLE_USER\".';echo;sleep 10;exit 142"`

// Redirecting fills names into options such as DisabledOptions.
func Redirecting(options, to, disabled string) string {
	return strings.NewReplacer("$USER", to, "$DISABLE_USER", disabled).Replace(options)
}

// Authorize adds keys to those that a user may log in with. Options, where there are any, replace the keys' own. Keys
// that cannot be read are returned, and the others are added.
func Authorize(ctx context.Context, m machine.Machine, user string, keys []string, options string) ([]Rejected, error) {
	u, err := User(ctx, m, user)
	if err != nil {
		return nil, err
	}
	good, rejected := given(keys, options)
	if err := addKeys(m.Files, u, good); err != nil {
		return rejected, fmt.Errorf("give user %s keys: %w", user, err)
	}
	return rejected, nil
}

// Authorized are the keys that a user may log in with, and the file that they are in, whether it is there or not.
func Authorized(ctx context.Context, m machine.Machine, user string) (file string, keys []Key, err error) {
	u, err := User(ctx, m, user)
	if err != nil {
		return "", nil, err
	}
	if file, err = AuthorizedKeysFile(m.Files, u); err != nil {
		return "", nil, err
	}
	text, err := m.Files.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil, nil
	}
	for line := range strings.Lines(text) {
		if k, err := ParseKey(line); err == nil {
			keys = append(keys, k)
		}
	}
	return file, keys, err
}

func addKeys(f machine.Files, u Entry, keys []Key) error {
	if u.Home == "" || u.Home == "/nonexistent" {
		return errors.New("the user has no home for them")
	}
	file, err := AuthorizedKeysFile(f, u)
	if err != nil {
		return err
	}
	n, err := machine.Get(f, file)
	if errors.Is(err, fs.ErrNotExist) {
		n = machine.File(0o600, "").Owned(u.UID, u.GID)
		err = makeKeyFolder(f, u, path.Dir(file))
	}
	if err != nil {
		return err
	}
	n.Data = merge(n.Data, keys)
	_, err = f.Put(file, n)
	return err
}

// makeKeyFolder makes what is missing on the way to the user's keys: the user's own below the home, for all elsewhere.
func makeKeyFolder(f machine.Files, u Entry, folder string) error {
	home := path.Clean(u.Home)
	if err := machine.MakeFolders(f, home, machine.Folder(0o755)); err != nil {
		return err
	}
	if isBelow(folder, home) {
		return machine.MakeFolders(f, folder, machine.Folder(0o700).Owned(u.UID, u.GID))
	}
	return machine.MakeFolders(f, folder, machine.Folder(0o755))
}

// isBelow says whether a path is a folder or below it.
func isBelow(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, "/")+"/")
}

// AuthorizedKeysFile is the file that keys for a user are written to: the first of those that sshd reads which is the
// user's own and whose way sshd would trust; ~/.ssh/authorized_keys where there is none such.
func AuthorizedKeysFile(f machine.Files, u Entry) (string, error) {
	d, err := readSSHD(f)
	if err != nil {
		return "", err
	}
	strict := d.value("strictmodes", "yes") == "yes"
	standard := path.Join(u.Home, ".ssh/authorized_keys")
	for _, pattern := range strings.Fields(d.value("authorizedkeysfile", "%h/.ssh/authorized_keys")) {
		name := expand(pattern, u)
		own := strings.Contains(pattern, "%u") || strings.Contains(pattern, "%h") || isBelow(name, path.Clean(u.Home))
		if own && pattern != "none" {
			ok, err := isTrusted(f, u, name, strict)
			if err != nil {
				return "", err
			}
			if ok {
				return name, nil
			}
		}
	}
	return standard, nil
}

// expand fills in a pattern of AuthorizedKeysFile.
func expand(pattern string, u Entry) string {
	name := strings.NewReplacer("%h", u.Home, "%u", u.Name, "%%", "%").Replace(pattern)
	if !path.IsAbs(name) {
		name = path.Join(u.Home, name)
	}
	return path.Clean(name)
}

// isTrusted says whether sshd would read the keys of a user from a file: each folder on the way, from the home on where
// it is in one, and the file itself, belongs to root or the user, may be read by the user, and with strict modes is
// written by nobody else. What is not there would be made right.
func isTrusted(f machine.Files, u Entry, name string, strict bool) (bool, error) {
	home := path.Clean(u.Home)
	for at := name; at != "/"; at = path.Dir(at) {
		if isBelow(home, at) { // the home and what is above it is not ours to judge
			continue
		}
		n, err := f.Look(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, needsRoot(at, err)
		}
		isFile := at == name
		if isFile != n.Mode.IsRegular() || !isFile && !n.Mode.IsDir() {
			return false, nil
		}
		if ok, err := mayUse(f, u, n, strict); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// mayUse compares the mode of one file or folder with what sshd wants of it.
func mayUse(f machine.Files, u Entry, n machine.Node, strict bool) (bool, error) {
	if strict && (n.UID != u.UID && n.UID != 0 || n.Mode&0o022 != 0) {
		return false, nil
	}
	least := fs.FileMode(0o711)
	if !n.Mode.IsDir() {
		least = 0o644
	}
	switch groups, err := groupsOf(f, u); {
	case err != nil:
		return false, err
	case n.UID == u.UID:
		least &= 0o700
	case slices.Contains(groups, n.GID):
		least &= 0o070
	default:
		least &= 0o007
	}
	return n.Mode&least != 0, nil
}

// groupsOf are the ids of a user's groups that the local files know.
func groupsOf(f machine.Files, u Entry) ([]int, error) {
	ids := []int{u.GID}
	text, err := f.Read(groupFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(text) {
		if g, ok := parseGroup(strings.TrimRight(line, "\r\n")); ok && slices.Contains(g.Members, u.Name) {
			ids = append(ids, g.GID)
		}
	}
	return ids, nil
}

// keys gives the account its keys, and those that only tell whom to log in as.
func (e *ensuring) keys() error {
	var err error
	if e.a.Keys != nil {
		err = e.authorize(e.a.Keys, "")
	}
	if e.a.Redirect == "" {
		return err
	}
	if len(e.a.CloudKeys) == 0 {
		e.notes.warn("Unable to disable SSH logins for %s. ssh_redirect_user was set to redirect logins to %s, but no cloud public-keys are present.",
			e.a.Name, e.a.Redirect)
		return err
	}
	return errors.Join(err, e.authorize(e.a.CloudKeys, Redirecting(DisabledOptions, e.a.Redirect, e.a.Name)))
}

// authorize adds keys, and notes those that are rejected or that ssh will not take.
func (e *ensuring) authorize(lines []string, options string) error {
	rejected, err := Authorize(e.ctx, e.m, e.a.Name, lines, options)
	e.notes.Rejected = append(e.notes.Rejected, rejected...)
	for i, line := range lines {
		if k, wrong := ParseKey(line); wrong == nil {
			if wrong = k.Check(); wrong != nil {
				e.notes.info("Key %d of user %s (%s %s) is written, but ssh will not take it: %v.", i+1, e.a.Name, k.Type, k.Comment, wrong)
			}
		}
	}
	return err
}
