// Package account makes users, groups, passwords, rights to become root, and keys so: it reads what is there, compares it
// with what is wanted, and runs the system's own programs for the difference. What each program does to files is known
// here too, so that a system that is not running can be given accounts, and a plan can show them.
package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// An Account is a user as a configuration wants it. What is empty was not given, and is left to the system's defaults.
// Everything up to Passwd is used only for a user who is not there yet.
type Account struct {
	Name         string
	Gecos        string
	Home         string // an absolute path
	PrimaryGroup string // a name or a number; made where it is missing
	Groups       []string
	UID          string
	Shell        string
	ExpireDate   string // 2030-12-31, or days since 1970
	Inactive     string // days after a password expired until the account is closed
	SELinuxUser  string
	System       bool // an id from the system's range, and no home
	NoCreateHome bool
	NoUserGroup  bool
	NoLogInit    bool
	KeepGroups   bool             // groups that are missing are not made
	NoPassword   bool             // no password fits, and sshd does not take the account for closed, as it may one whose password is locked
	Passwd       *instance.Secret // a hash

	HashedPasswd *instance.Secret // a hash, for users who are there too; empty for a blank password
	PlainPasswd  *instance.Secret // the same in plain text
	Unlocked     bool             // a password may be used; otherwise it is locked
	Later        *Login           // another password, which somebody will set afterwards: where it is there already, it stays as it is
	Sudo         []string         // rules without the user's name
	Doas         []string         // rules with the user's name
	Keys         []string         // lines of authorized_keys; a list that is empty and not nil makes an empty file

	Redirect  string   // whoever logs in with one of CloudKeys is told to log in as this user
	CloudKeys []string // the cloud's keys

	SnapUser string // an address known to the snap store, whose account is made by snap; nothing else counts then
	Version  string // of the program, for the first line of files of ours
}

// Notes are what a person would want to know of a change that did not fail.
type Notes struct {
	Warnings []string // in cloud-init's words, where it has any
	Infos    []string
	Rejected []Rejected // keys that were not taken
}

func (n *Notes) warn(format string, args ...any) {
	n.Warnings = append(n.Warnings, fmt.Sprintf(format, args...))
}

func (n *Notes) info(format string, args ...any) {
	n.Infos = append(n.Infos, fmt.Sprintf(format, args...))
}

// Ensure makes an account so. A user who is there keeps everything but the password, its lock, the rules and the keys. One
// part that fails does not stop the others; only a user who could not be made does.
func Ensure(ctx context.Context, m machine.Machine, a Account) (Notes, error) {
	e := ensuring{ctx: ctx, m: m, tools: toolsOf(m.Files), a: a}
	if a.SnapUser != "" {
		return e.notes, m.Commands.Do(ctx, e.tools.addSnapUser(a.SnapUser))
	}
	existed, err := e.user()
	if err != nil {
		return e.notes, err
	}
	err = errors.Join(e.password(existed), e.doas(), e.sudo(), e.keys())
	return e.notes, err
}

// ensuring is one account on its way.
type ensuring struct {
	ctx   context.Context
	m     machine.Machine
	tools Tools
	a     Account
	notes Notes
}

// user makes the user, and says whether it was there before.
func (e *ensuring) user() (existed bool, err error) {
	if err := checkName("user", e.a.Name); err != nil {
		return false, err
	}
	switch _, err := User(e.ctx, e.m, e.a.Name); {
	case err == nil:
		e.notes.info("User %s already exists, skipping.", e.a.Name)
		return true, nil
	case !errors.Is(err, machine.ErrNone):
		return false, err
	}
	e.a.Groups = trimmed(e.a.Groups)
	if !e.a.KeepGroups {
		if err := e.groups(); err != nil {
			return false, fmt.Errorf("create user %s: %w", e.a.Name, err)
		}
	}
	if err := e.m.Commands.Do(e.ctx, e.tools.addUser(e.a)); err != nil {
		return false, fmt.Errorf("create user %s: %w", e.a.Name, err)
	}
	return false, nil
}

// groups makes the groups of the user that are missing. cloud-init makes a missing primary group only beside other groups,
// and fails otherwise.
func (e *ensuring) groups() error {
	names := e.a.Groups
	if e.a.PrimaryGroup != "" && !isNumber(e.a.PrimaryGroup) {
		names = append(slices.Clone(names), e.a.PrimaryGroup)
	}
	for _, name := range names {
		if _, err := e.group(name); err != nil {
			return err
		}
	}
	return nil
}

// group makes a group, and says whether it was there before.
func (e *ensuring) group(name string) (existed bool, err error) {
	if err := checkName("group", name); err != nil {
		return false, err
	}
	_, err = Group(e.ctx, e.m, name)
	if !errors.Is(err, machine.ErrNone) {
		return err == nil, err
	}
	return false, e.m.Commands.Do(e.ctx, e.tools.addGroup(name, false))
}

// EnsureGroup makes a group, and adds members to it. A member who does not exist is warned of.
func EnsureGroup(ctx context.Context, m machine.Machine, name string, members []string) (Notes, error) {
	e := ensuring{ctx: ctx, m: m, tools: toolsOf(m.Files)}
	name = strings.TrimSpace(name)
	existed, err := e.group(name)
	if err != nil {
		return e.notes, err
	}
	if existed {
		e.notes.warn("Skipping creation of existing group '%s'", name)
	}
	for _, member := range members {
		err = errors.Join(err, e.member(name, member))
	}
	return e.notes, err
}

// member adds a user to a group, where it is not in it.
func (e *ensuring) member(group, user string) error {
	if _, err := User(e.ctx, e.m, user); errors.Is(err, machine.ErrNone) {
		e.notes.warn("Unable to add group member '%s' to group '%s'; user does not exist.", user, group)
		return nil
	} else if err != nil {
		return err
	}
	entry, err := Group(e.ctx, e.m, group)
	if err != nil || slices.Contains(entry.Members, user) {
		return err
	}
	return e.m.Commands.Do(e.ctx, e.tools.join(group, user))
}

// checkName refuses names that the programs would take for an option, or that would lead out of a line or a folder.
func checkName(kind, name string) error {
	bad := strings.ContainsAny(name, ":,/ ") || strings.ContainsFunc(name, unicode.IsControl) || strings.HasPrefix(name, "-") || strings.HasPrefix(name, "+") || strings.HasPrefix(name, "~")
	if bad || name == "" || name == "." || name == ".." || len(name) > 32 {
		return fmt.Errorf("%q cannot be the name of a %s", name, kind)
	}
	return nil
}

// trimmed are the words without the space around them, and without empty ones.
func trimmed(words []string) (clean []string) {
	for _, word := range words {
		if word = strings.TrimSpace(word); word != "" {
			clean = append(clean, word)
		}
	}
	return clean
}
