package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/machine"
)

// The user databases.
const (
	passwdFile  = "/etc/passwd"
	groupFile   = "/etc/group"
	shadowFile  = "/etc/shadow"
	gshadowFile = "/etc/gshadow"
)

// An Entry is what a system knows of a user.
type Entry struct {
	Name               string
	UID, GID           int
	Gecos, Home, Shell string
}

// A GroupEntry is what a system knows of a group.
type GroupEntry struct {
	Name    string
	GID     int
	Members []string // without those whose primary group it is
}

// User finds a user by name. Where there is none the error is machine.ErrNone.
func User(ctx context.Context, m machine.Machine, name string) (Entry, error) {
	line, err := lookup(ctx, m, "passwd", name)
	if err != nil {
		return Entry{}, named("user", name, err)
	}
	e, ok := parseUser(line)
	if !ok {
		return Entry{}, fmt.Errorf("the entry of user %q cannot be read", name)
	}
	return e, nil
}

// Group finds a group by name. Where there is none the error is machine.ErrNone.
func Group(ctx context.Context, m machine.Machine, name string) (GroupEntry, error) {
	line, err := lookup(ctx, m, "group", name)
	if err != nil {
		return GroupEntry{}, named("group", name, err)
	}
	g, ok := parseGroup(line)
	if !ok {
		return GroupEntry{}, fmt.Errorf("the entry of group %q cannot be read", name)
	}
	return g, nil
}

// Owner reads "user:group" as cloud-init does: names, or numbers; "user" and ":group" alone are fine. What is empty, -1 or
// none is left as it is, which for a new file means root.
func Owner(ctx context.Context, m machine.Machine, pair string) (uid, gid int, err error) {
	user, group, _ := strings.Cut(pair, ":")
	if user = strings.TrimSpace(user); isGiven(user) {
		entry, err := User(ctx, m, user)
		if uid, err = orNumber(user, entry.UID, err); err != nil {
			return 0, 0, err
		}
	}
	if group = strings.TrimSpace(group); isGiven(group) {
		entry, err := Group(ctx, m, group)
		if gid, err = orNumber(group, entry.GID, err); err != nil {
			return 0, 0, err
		}
	}
	return uid, gid, nil
}

func isGiven(name string) bool {
	return name != "" && name != "-1" && !strings.EqualFold(name, "none")
}

// orNumber is the id that was found, or else the number that stands where a name was expected.
func orNumber(name string, id int, err error) (int, error) {
	if errors.Is(err, machine.ErrNone) && isNumber(name) {
		return strconv.Atoi(name)
	}
	return id, err
}

func isNumber(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// named says whom there is none of.
func named(kind, name string, err error) error {
	if errors.Is(err, machine.ErrNone) {
		return missing{kind, name}
	}
	return fmt.Errorf("look for the %s %q: %w", kind, name, err)
}

// missing says that there is no such user or group.
type missing struct{ kind, name string }

func (e missing) Error() string { return fmt.Sprintf("there is no %s %q", e.kind, e.name) }
func (missing) Unwrap() error   { return machine.ErrNone }

// lookup finds the line of a name in a database. The files are read first; other sources are asked, by a program, only
// where nsswitch.conf names any.
func lookup(ctx context.Context, m machine.Machine, database, name string) (string, error) {
	line, err := findLine(m.Files, "/etc/"+database, name)
	if !errors.Is(err, machine.ErrNone) || isNumber(name) || isUnaskable(name) || !asksElsewhere(m.Files, database) {
		return line, err
	}
	line, err = m.Commands.Ask(ctx, getent(database, name))
	if errors.Is(err, machine.ErrOffline) {
		return "", machine.ErrNone
	}
	return line, err
}

// isUnaskable says of what is nobody's name that it would be found in another's line, or be an option of a program.
func isUnaskable(name string) bool {
	return strings.ContainsAny(name, ":\n\x00") || strings.HasPrefix(name, "-")
}

// getent asks all sources of a database.
func getent(database, name string) machine.Question {
	file := "/etc/" + database
	return machine.Question{
		Argv: []string{"getent", database, name}, No: 2, Reads: []string{file},
		Answer: func(f machine.Files) (string, error) { return findLine(f, file, name) },
	}
}

// findLine is the first line of a file whose first field is the name.
func findLine(f machine.Files, file, name string) (string, error) {
	text, err := f.Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", needsRoot(file, err)
	}
	if isUnaskable(name) {
		return "", machine.ErrNone
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+":") && name != "" {
			return strings.TrimRight(line, "\r\n"), nil
		}
	}
	return "", machine.ErrNone
}

// needsRoot is the error of a file that only root may read.
func needsRoot(file string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("read %s: %w", file, machine.ErrRoot)
	}
	return err
}

// asksElsewhere says whether the name service switch names a source for a database that is not in files. systemd's source
// is not counted: it makes up users of running services only.
func asksElsewhere(f machine.Files, database string) bool {
	for _, name := range []string{"/etc/nsswitch.conf", "/usr/etc/nsswitch.conf"} {
		text, err := f.Read(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, "#")
			if sources, ok := strings.CutPrefix(strings.TrimSpace(line), database+":"); ok {
				return slices.ContainsFunc(strings.Fields(sources), isElsewhere)
			}
		}
		return false
	}
	return false
}

func isElsewhere(source string) bool {
	switch source {
	case "files", "compat", "systemd":
		return false
	}
	return !strings.ContainsAny(source, "[]=") // an action such as [SUCCESS=merge]
}

func parseUser(line string) (Entry, bool) {
	f := strings.Split(line, ":")
	if len(f) < 7 {
		return Entry{}, false
	}
	uid, err1 := strconv.Atoi(f[2])
	gid, err2 := strconv.Atoi(f[3])
	return Entry{Name: f[0], UID: uid, GID: gid, Gecos: f[4], Home: f[5], Shell: f[6]}, err1 == nil && err2 == nil
}

func parseGroup(line string) (GroupEntry, bool) {
	f := strings.Split(line, ":")
	if len(f) < 4 {
		return GroupEntry{}, false
	}
	gid, err := strconv.Atoi(f[2])
	return GroupEntry{Name: f[0], GID: gid, Members: memberList(f[3])}, err == nil
}

// memberList are the names in the last field of a group.
func memberList(field string) []string { return trimmed(strings.Split(field, ",")) }
