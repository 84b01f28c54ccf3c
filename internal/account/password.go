package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"openguest/internal/instance"
	"openguest/internal/machine"
)

// A Login is a user and the password that it shall have.
type Login struct {
	User     string
	Password instance.Secret
	Hashed   bool // the password is a hash
}

// ReadLogin reads "user:password" as a line of a list has it; which of them are hashes, IsHash says.
func ReadLogin(line instance.Secret) (Login, error) {
	user, password, ok := strings.Cut(line.Reveal(), ":")
	if !ok {
		return Login{}, errors.New("there is no colon between a user and a password")
	}
	l := Login{User: user, Password: instance.Hide(password)}
	l.Hashed = IsHash(l.Password)
	return l, nil
}

// SplitLines are the lines of a text that have something in them.
func SplitLines(text instance.Secret) (lines []instance.Secret) {
	for line := range strings.Lines(text.Reveal()) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, instance.Hide(line))
		}
	}
	return lines
}

// IsRandom says that the password is to be made up: it is R or RANDOM.
func (l Login) IsRandom() bool {
	return l.Password.Equal(instance.Hide("R")) || l.Password.Equal(instance.Hide("RANDOM"))
}

// check refuses what would become another line of the command's input, or another field of shadow.
func (l Login) check() error {
	text := l.Password.Reveal()
	switch {
	case strings.ContainsAny(text, "\n\x00"):
		return errors.New("it has a line break, or a zero byte, in it")
	case l.Hashed && strings.Contains(text, ":"):
		return errors.New("it is given as a hash, and has a colon in it")
	}
	return nil
}

// A Result is what became of one login.
type Result struct {
	Changed bool
	Err     error
}

// SetPasswords gives users their passwords, which are then not locked, and says for each what became of it. Those who have
// theirs already are left alone. A user who is named twice gets the last hash, or else the last plain text.
func SetPasswords(ctx context.Context, m machine.Machine, logins []Login) []Result {
	results := make([]Result, len(logins))
	var due [2][]int
	for i, l := range logins {
		if isUndone(logins, i) {
			continue
		}
		s, err := shadowOf(ctx, m, l.User)
		if err == nil && l.Hashed && !s.found {
			err = fmt.Errorf("the user is not in %s", shadowFile)
		}
		if err = errors.Join(err, l.check()); err != nil {
			results[i].Err = fmt.Errorf("set the password of user %s: %w", l.User, err)
		} else if !s.has(l) || s.hash.IsLocked() {
			due[l.kind()] = append(due[l.kind()], i)
		}
	}
	for kind, some := range due {
		if some == nil {
			continue
		}
		chosen := make([]Login, len(some))
		for j, i := range some {
			chosen[j] = logins[i]
		}
		err := m.Commands.Do(ctx, toolsOf(m.Files).setPasswords(chosen, kind == 1))
		for _, i := range some {
			results[i] = Result{err == nil, err}
		}
	}
	return results
}

// isUndone says that another login undoes one: of each user the last hash counts, or else the last plain text.
func isUndone(logins []Login, i int) bool {
	l := logins[i]
	return slices.ContainsFunc(logins[i+1:], func(later Login) bool { return later.User == l.User && later.kind() >= l.kind() }) ||
		slices.ContainsFunc(logins[:i], func(earlier Login) bool { return earlier.User == l.User && earlier.kind() > l.kind() })
}

// kind is which of two commands sets the password: 0 that for plain text, then 1 that for hashes.
func (l Login) kind() int {
	if l.Hashed {
		return 1
	}
	return 0
}

// Expire makes a user choose a new password at the next login.
func Expire(ctx context.Context, m machine.Machine, user string) error {
	if err := checkName("user", user); err != nil {
		return err
	}
	s, err := shadowOf(ctx, m, user)
	if err == nil && (!s.found || !s.expired) {
		err = m.Commands.Do(ctx, toolsOf(m.Files).setExpired(user))
	}
	if err != nil {
		return fmt.Errorf("expire the password of user %s: %w", user, err)
	}
	return nil
}

// shadow is what is known of a user's password.
type shadow struct {
	found   bool // the user is in the local files
	hash    Hash
	expired bool // must be changed at the next login
}

// shadowOf reads it. A user who is not there at all is an error.
func shadowOf(ctx context.Context, m machine.Machine, user string) (s shadow, err error) {
	line, err := findLine(m.Files, shadowFile, user)
	if err == nil {
		row := append(strings.Split(line, ":"), "", "")
		return shadow{found: true, hash: Hash(row[1]), expired: row[2] == "0"}, nil
	}
	if !errors.Is(err, machine.ErrNone) {
		return s, err
	}
	line, err = findLine(m.Files, passwdFile, user)
	if row := strings.Split(line, ":"); err == nil && len(row) > 1 && row[1] != "x" {
		return shadow{found: true, hash: Hash(row[1])}, nil
	}
	_, err = User(ctx, m, user)
	return s, err
}

// has says whether the password is this one already, locked or not.
func (s shadow) has(l Login) bool {
	switch {
	case !s.found:
		return false
	case l.Hashed:
		wanted := Hash(l.Password.Reveal())
		return s.hash == wanted || s.hash.Bare() == wanted
	}
	return s.hash.Bare().Fits(l.Password)
}

// password sets the password of an account, then locks or unlocks it.
func (e *ensuring) password(existed bool) error {
	if e.a.NoPassword {
		return nil
	}
	before, err := shadowOf(e.ctx, e.m, e.a.Name)
	if err != nil {
		return fmt.Errorf("look at the password of user %s: %w", e.a.Name, err)
	}
	if !before.found {
		e.notes.info("User %s is not in %s; its password is left alone.", e.a.Name, shadowFile)
		return nil
	}
	if e.a.Later != nil && existed && before.has(*e.a.Later) && !before.hash.IsLocked() {
		return nil
	}
	login, given := e.login(existed)
	if existed && !given && e.a.Passwd != nil && !before.has(Login{e.a.Name, *e.a.Passwd, true}) {
		e.notes.warn("'passwd' in user-data is ignored for existing user %s", e.a.Name)
	}
	if given && !login.Password.IsEmpty() && !before.has(login) {
		err := login.check()
		if err == nil {
			err = e.m.Commands.Do(e.ctx, e.tools.setPasswords([]Login{login}, login.Hashed))
		}
		if err != nil { // an account that shall be locked still will be
			return errors.Join(fmt.Errorf("set the password of user %s: %w", e.a.Name, err), e.lock())
		}
	}
	if e.a.Unlocked {
		return e.unlock(existed, given, before)
	}
	return e.lock()
}

// login is the password that counts: the hash before the plain text, and passwd for new users only.
func (e *ensuring) login(existed bool) (l Login, given bool) {
	l.User, l.Hashed = e.a.Name, true
	for _, candidate := range []struct {
		password *instance.Secret
		plain    bool
		counts   bool
	}{{e.a.HashedPasswd, false, true}, {e.a.PlainPasswd, true, true}, {e.a.Passwd, false, !existed}} {
		if candidate.password == nil || !candidate.counts {
			continue
		}
		if given = true; l.Password.IsEmpty() && !candidate.password.IsEmpty() {
			l.Password, l.Hashed = *candidate.password, !candidate.plain
		}
	}
	return l, given
}

func (e *ensuring) lock() error {
	if e.a.Unlocked {
		return nil
	}
	if now, err := shadowOf(e.ctx, e.m, e.a.Name); err != nil || now.hash.IsLocked() {
		return err
	}
	return e.tools.setLock(e.ctx, e.m, e.a.Name, locked)
}

// unlock unlocks a password that was given or was there. Where there is none it stays locked, and that is said.
func (e *ensuring) unlock(existed, given bool, before shadow) error {
	isBlank := before.found && before.hash.Bare() == ""
	switch {
	case given || existed && !isBlank:
	case existed:
		e.notes.warn("Not unlocking blank password for existing user %s. 'lock_passwd: false' present in user-data but no existing password set"+
			" and no 'plain_text_passwd'/'hashed_passwd' provided in user-data", e.a.Name)
		return nil
	default:
		e.notes.warn("Not unlocking password for user %s. 'lock_passwd: false' present in user-data but no 'passwd'/'plain_text_passwd'/'hashed_passwd'"+
			" provided in user-data", e.a.Name)
		return nil
	}
	now, err := shadowOf(e.ctx, e.m, e.a.Name)
	switch {
	case err != nil || !now.hash.IsLocked():
		return err
	case now.hash.Bare() == "":
		return e.tools.setLock(e.ctx, e.m, e.a.Name, blank)
	}
	return e.tools.setLock(e.ctx, e.m, e.a.Name, unlocked)
}

// setPassword is what chpasswd does. Plain text is hashed with SHA-512: which method the running system's PAM would take
// is its own affair, and every system reads this one. A password that fits already is left.
func (t *tables) setPassword(l Login, now time.Time) {
	hash := Hash(l.Password.Reveal())
	if !l.Hashed {
		if row := t.find(shadowFile, l.User); len(row) > 1 && Hash(row[1]).Fits(l.Password) {
			return
		}
		var err error
		hash, err = hashed(l.Password)
		t.fail(err)
	}
	t.setHash(l.User, func(row []string) {
		row[1] = string(hash)
		if len(row) > 2 {
			row[2] = today(now)
		}
	})
}

// setHash edits the line with the user's hash: in shadow, or without one there, in passwd.
func (t *tables) setHash(user string, edit func(row []string)) {
	if !t.change(shadowFile, user, 9, edit) && !t.change(passwdFile, user, 7, func(row []string) { edit(row[:2]) }) {
		t.failf("user '%s' does not exist", user)
	}
}

// setLock is what passwd does with -l, -u and -d.
func (t *tables) setLock(user string, to lockState) {
	t.setHash(user, func(row []string) {
		hash := Hash(row[1])
		switch {
		case to == blank:
			row[1] = ""
		case to == locked && !hash.IsLocked():
			row[1] = "!" + row[1]
		case to == unlocked && hash == "!":
			t.failf("unlocking the password of user %s would leave it blank", user)
		case to == unlocked:
			row[1] = strings.TrimPrefix(row[1], "!")
		}
	})
}

// setExpired is what passwd does with --expire.
func (t *tables) setExpired(user string) {
	if !t.change(shadowFile, user, 9, func(row []string) { row[2] = "0" }) && t.find(passwdFile, user) == nil {
		t.failf("passwd: user '%s' does not exist", user)
	}
}
