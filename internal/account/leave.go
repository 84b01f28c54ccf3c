package account

import (
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/machine"
)

// Join sees to it that a user is in a group, which is made where it is missing.
func Join(ctx context.Context, m machine.Machine, group, user string) error {
	e := ensuring{ctx: ctx, m: m, tools: toolsOf(m.Files)}
	if _, err := e.group(group); err != nil {
		return err
	}
	return e.member(group, user)
}

// Leave sees to it that a user is not in a group, as far as that is not the user's primary one.
func Leave(ctx context.Context, m machine.Machine, group, user string) error {
	switch entry, err := Group(ctx, m, group); {
	case errors.Is(err, machine.ErrNone):
		return nil
	case err != nil || !slices.Contains(entry.Members, user):
		return err
	}
	return m.Commands.Do(ctx, toolsOf(m.Files).leave(group, user))
}

// Delete takes a user away, with the home and the mail. There may be no such user.
func Delete(ctx context.Context, m machine.Machine, user string) error {
	switch _, err := User(ctx, m, user); {
	case errors.Is(err, machine.ErrNone):
		return nil
	case err != nil:
		return err
	}
	return m.Commands.Do(ctx, toolsOf(m.Files).deleteUser(user))
}

// removeMember is what gpasswd does with -d.
func (t *tables) removeMember(group, user string) {
	isMember := false
	for _, file := range []string{groupFile, gshadowFile} {
		t.change(file, group, 4, func(row []string) {
			members := memberList(row[3])
			isMember = isMember || slices.Contains(members, user)
			row[3] = strings.Join(slices.DeleteFunc(members, func(name string) bool { return name == user }), ",")
		})
	}
	if !isMember {
		t.failf("gpasswd: user '%s' is not a member of '%s'", user, group)
	}
}

// deleteUser is what userdel does with -r. The group of the user's own goes where nobody else is in it.
func (t *tables) deleteUser(user string) {
	row := t.find(passwdFile, user)
	if len(row) < 6 {
		t.failf("userdel: user '%s' does not exist", user)
		return
	}
	for _, file := range []string{passwdFile, shadowFile, "/etc/subuid", "/etc/subgid"} {
		t.remove(file, user)
	}
	for _, file := range []string{groupFile, gshadowFile} {
		for _, group := range t.rows(file) {
			if len(group) > 3 && slices.Contains(memberList(group[3]), user) {
				t.change(file, group[0], 4, func(row []string) {
					row[3] = strings.Join(slices.DeleteFunc(memberList(row[3]), func(name string) bool { return name == user }), ",")
				})
			}
		}
	}
	if t.says("USERGROUPS_ENAB") && t.isAlone(user) {
		t.remove(groupFile, user)
		t.remove(gshadowFile, user)
	}
	t.deleteHome(user, row)
}

// isAlone says that the group of a user's name is nobody's else.
func (t *tables) isAlone(user string) bool {
	group := t.find(groupFile, user)
	return len(group) > 3 && group[3] == "" &&
		!slices.ContainsFunc(t.rows(passwdFile), func(row []string) bool { return len(row) > 3 && row[3] == group[2] })
}

// deleteHome removes what is the user's own of the home and the mail.
func (t *tables) deleteHome(user string, row []string) {
	uid, _ := strconv.Atoi(row[2])
	dir := setting(t.textOf("/etc/login.defs", "/usr/etc/login.defs"), "MAIL_DIR")
	for _, name := range []string{row[5], path.Join(dir, user)} {
		n, err := t.files.Look(name)
		switch {
		case err != nil || t.err != nil:
		case n.UID != uid:
			t.failf("userdel: %s not owned by %s, not removing", name, user)
		default:
			t.fail(machine.RemoveAll(t.files, name))
		}
	}
}

// remove takes the lines of a name out of a file that may be missing.
func (t *tables) remove(file, name string) {
	if t.find(file, name) == nil {
		return
	}
	t.save(file, slices.DeleteFunc(t.rows(file), func(row []string) bool { return row[0] == name }))
}
