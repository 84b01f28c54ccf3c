package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// Tools are the programs that change accounts: the words of each command, as one family of distributions wants them. What
// the commands mean is the same for all of them. A new family is one more value here, and a line in toolsOf.
type Tools struct {
	userAdd   func(a Account) []string
	groupAdd  func(name string, system bool) []string
	memberAdd func(group, user string) []string
	memberDel func(group, user string) []string
	userDel   func(user string) []string
	chpasswd  func(hashed bool) []string
	expire    func(user string) []string
	// The first of these that is installed is taken.
	lock, unlock, blank func(user string) [][]string
}

// toolsOf are the programs of a system.
func toolsOf(machine.Files) Tools { return shadowUtils() }

// shadowUtils are the programs of the package that is called passwd in Debian and shadow-utils elsewhere.
func shadowUtils() Tools {
	return Tools{
		userAdd: useradd,
		groupAdd: func(name string, system bool) []string {
			if system {
				return []string{"groupadd", "--system", name}
			}
			return []string{"groupadd", name}
		},
		memberAdd: func(group, user string) []string { return []string{"usermod", "-a", "-G", group, user} },
		memberDel: func(group, user string) []string { return []string{"gpasswd", "-d", user, group} },
		userDel:   func(user string) []string { return []string{"userdel", "-r", user} },
		chpasswd: func(hashed bool) []string {
			if hashed {
				return []string{"chpasswd", "-e"}
			}
			return []string{"chpasswd"}
		},
		expire: func(user string) []string { return []string{"passwd", "--expire", user} },
		lock: func(user string) [][]string {
			return [][]string{{"passwd", "-l", user}, {"usermod", "--lock", user}}
		},
		unlock: func(user string) [][]string {
			return [][]string{{"passwd", "-u", user}, {"usermod", "--unlock", user}}
		},
		blank: func(user string) [][]string {
			return [][]string{{"passwd", "-d", user}, {"usermod", "--password", "", user}}
		},
	}
}

// useradd is the command line in the order that cloud-init gives it: the options follow the names of the keys. A hash is
// never on it, because everyone can read command lines; it is set with chpasswd afterwards.
func useradd(a Account) []string {
	argv := []string{"useradd", a.Name}
	value := func(flag, value string) {
		if value != "" {
			argv = append(argv, flag, value)
		}
	}
	flag := func(flag string, set bool) {
		if set {
			argv = append(argv, flag)
		}
	}
	value("--expiredate", a.ExpireDate)
	value("--comment", a.Gecos)
	value("--groups", strings.Join(trimmed(a.Groups), ","))
	value("--home", a.Home)
	value("--inactive", a.Inactive)
	if a.NoPassword {
		value("--password", string(noPassword))
	}
	flag("--no-log-init", a.NoLogInit)
	flag("--no-user-group", a.NoUserGroup)
	value("--gid", a.PrimaryGroup)
	value("--selinux-user", a.SELinuxUser)
	value("--shell", a.Shell)
	flag("--system", a.System)
	value("--uid", a.UID)
	if a.hasHome() {
		return append(argv, "-m")
	}
	return append(argv, "-M")
}

// hasHome says whether a home is made for the user.
func (a Account) hasHome() bool { return !a.NoCreateHome && !a.System }

func (t Tools) addUser(a Account) machine.Change {
	c := machine.Change{Argv: t.userAdd(a)}
	if a.SELinuxUser != "" { // only the policy of a running system can say what that does
		c.Touches = []string{"/etc", "/home", "/var/lib/selinux"}
		return c
	}
	c.Means = means(func(t *tables, now time.Time) { t.addUser(a, now) })
	return c
}

func (t Tools) addGroup(name string, system bool) machine.Change {
	return machine.Change{Argv: t.groupAdd(name, system), Means: means(func(t *tables, _ time.Time) { t.addGroup(name, system) })}
}

func (t Tools) join(group, user string) machine.Change {
	return machine.Change{Argv: t.memberAdd(group, user), Means: means(func(t *tables, _ time.Time) {
		t.addMember([]string{group}, user)
	})}
}

func (t Tools) leave(group, user string) machine.Change {
	return machine.Change{Argv: t.memberDel(group, user), Means: means(func(t *tables, _ time.Time) { t.removeMember(group, user) })}
}

func (t Tools) deleteUser(user string) machine.Change {
	return machine.Change{Argv: t.userDel(user), Means: means(func(t *tables, _ time.Time) { t.deleteUser(user) })}
}

func (t Tools) setExpired(user string) machine.Change {
	return machine.Change{Argv: t.expire(user), Means: means(func(t *tables, _ time.Time) { t.setExpired(user) })}
}

// setPasswords sets passwords, all of them hashes or all of them plain. They go in on the command's input.
func (t Tools) setPasswords(logins []Login, hashed bool) machine.Change {
	c := machine.Change{Argv: t.chpasswd(hashed)}
	var names []string
	for _, l := range logins {
		c.Stdin = instance.Join(c.Stdin, l.User, ":", l.Password, "\n")
		names = append(names, l.User)
	}
	c.Detail = "for " + strings.Join(names, ", ")
	c.Means = means(func(t *tables, now time.Time) {
		for _, l := range logins {
			t.setPassword(l, now)
		}
	})
	return c
}

// addSnapUser has no meaning: the name of the user comes from the store.
func (Tools) addSnapUser(address string) machine.Change {
	return machine.Change{Argv: []string{"snap", "create-user", "--sudoer", "--json", address}, Touches: []string{"/etc", "/home", "/var/lib"}}
}

// A lockState is what is done to a password as a whole.
type lockState int

const (
	locked lockState = iota
	unlocked
	blank
)

// setLock locks a password, unlocks it, or makes it blank, with the first program of those that is there.
func (t Tools) setLock(ctx context.Context, m machine.Machine, user string, to lockState) error {
	var refused error
	for _, argv := range [...]func(string) [][]string{t.lock, t.unlock, t.blank}[to](user) {
		c := machine.Change{Argv: argv, Means: means(func(t *tables, _ time.Time) { t.setLock(user, to) })}
		refused = m.Commands.Can(c)
		if refused == nil {
			return m.Commands.Do(ctx, c)
		}
		if !errors.Is(refused, machine.ErrNone) {
			break
		}
	}
	return fmt.Errorf("lock or unlock the password of user %s: %w", user, refused)
}

// means makes the meaning of a command of what it does to the user databases.
func means(do func(t *tables, now time.Time)) func(machine.Files, time.Time) error {
	return func(f machine.Files, now time.Time) error {
		t := &tables{files: f}
		do(t, now)
		return t.err
	}
}
