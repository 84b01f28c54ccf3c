package account

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"openguest/internal/machine"
)

// addUser is what useradd does. Its order of checks, defaults and limits are those of shadow-utils 4.13.
func (t *tables) addUser(a Account, now time.Time) {
	n := t.newUser(a)
	if t.err != nil {
		return
	}
	if n.ownGroup {
		t.newGroup(a.Name, n.GID)
	}
	t.add(passwdFile, a.Name, "x", n.UID, n.GID, a.Gecos, n.Home, n.Shell)
	if t.exists(shadowFile) {
		t.add(shadowFile, t.shadowRow(a, n, now)...)
	}
	t.enter(n.groups, a.Name)
	if !a.System && (a.UID == "" || t.span("UID", false).holds(n.UID)) {
		t.addRange("/etc/subuid", "SUB_UID", a.Name)
		t.addRange("/etc/subgid", "SUB_GID", a.Name)
	}
	if a.hasHome() {
		t.makeHome(n.Entry)
	}
	if !a.System && strings.EqualFold(t.preset("CREATE_MAIL_SPOOL", "no"), "yes") {
		t.makeSpool(n.Entry)
	}
}

// newUser is a user before it is written.
type newUser struct {
	Entry
	ownGroup         bool
	groups           []string
	inactive, expire string
}

// newUser checks what is asked for, and fills in what is not.
func (t *tables) newUser(a Account) (n newUser) {
	n.Entry = Entry{Name: a.Name, Gecos: a.Gecos, Home: cmp.Or(a.Home, path.Join(t.preset("HOME", "/home"), a.Name)),
		Shell: cmp.Or(a.Shell, t.preset("SHELL", "/bin/bash"))}
	switch {
	case t.find(passwdFile, a.Name) != nil:
		t.failf("useradd: user '%s' already exists", a.Name)
	case strings.ContainsAny(a.Gecos, ":\n"):
		t.failf("useradd: invalid comment '%s'", a.Gecos)
	case strings.ContainsAny(n.Home, ":\n") || !path.IsAbs(n.Home):
		t.failf("useradd: invalid home directory '%s'", n.Home)
	case strings.ContainsAny(n.Shell, ":\n") || n.Shell != "" && !path.IsAbs(n.Shell) && n.Shell[0] != '*':
		t.failf("useradd: invalid shell '%s'", n.Shell)
	}
	n.expire = t.day(cmp.Or(a.ExpireDate, t.preset("EXPIRE", "")))
	n.inactive = t.days(cmp.Or(a.Inactive, t.preset("INACTIVE", "-1")))
	n.groups = t.groupNames(a.Groups)
	n.UID = t.newUID(a)
	t.setGroup(a, &n)
	return n
}

// day is a date as days since 1970; empty is never.
func (t *tables) day(date string) string {
	if date == "" || date == "-1" {
		return ""
	}
	if isNumber(date) {
		return date
	}
	when, err := time.Parse("2006-01-02", strings.ReplaceAll(date, "/", "-"))
	if err != nil {
		t.failf("useradd: invalid date '%s'", date)
	}
	return strconv.FormatInt(when.Unix()/86400, 10)
}

// days is a number of days; -1 is never.
func (t *tables) days(number string) string {
	if number == "-1" {
		return ""
	}
	if !isNumber(number) {
		t.failf("useradd: invalid numeric argument '%s'", number)
	}
	return number
}

// groupNames are the names of groups that are there, each once.
func (t *tables) groupNames(groups []string) (names []string) {
	for _, group := range trimmed(groups) {
		row := t.groupRow(group)
		if row == nil {
			t.failf("useradd: group '%s' does not exist", group)
			return nil
		}
		if !slices.Contains(names, row[0]) {
			names = append(names, row[0])
		}
	}
	return names
}

// groupRow finds a group by its number or its name.
func (t *tables) groupRow(group string) []string {
	for _, row := range t.rows(groupFile) {
		if len(row) > 2 && row[2] == group {
			return row
		}
	}
	if row := t.find(groupFile, group); len(row) > 2 {
		return row
	}
	return nil
}

func (t *tables) newUID(a Account) int {
	if a.UID == "" {
		return t.free(passwdFile, "UID", -1, a.System)
	}
	uid, err := strconv.ParseUint(a.UID, 10, 32)
	if err != nil || uid == 1<<32-1 {
		t.failf("useradd: invalid user ID '%s'", a.UID)
	} else if t.ids(passwdFile)[int(uid)] {
		t.failf("useradd: UID %s is not unique", a.UID)
	}
	return int(uid)
}

// setGroup chooses the primary group: the one that is asked for, one of the user's own, or the default.
func (t *tables) setGroup(a Account, n *newUser) {
	group := a.PrimaryGroup
	switch {
	case group != "":
	case a.NoUserGroup || !t.says("USERGROUPS_ENAB"):
		group = t.preset("GROUP", "100")
	case t.find(groupFile, a.Name) != nil:
		t.failf("useradd: group %s exists - if you want to add this user to that group, use -g.", a.Name)
		return
	default:
		n.ownGroup, n.GID = true, t.free(groupFile, "GID", n.UID, a.System)
		return
	}
	row := t.groupRow(group)
	if row == nil {
		t.failf("useradd: group '%s' does not exist", group)
		return
	}
	n.GID, _ = strconv.Atoi(row[2])
}

// shadowRow is the user's line in shadow. The password of a system user does not age.
func (t *tables) shadowRow(a Account, n newUser, now time.Time) []any {
	day := today(now)
	hash := Hash("!")
	if a.NoPassword {
		hash = noPassword
	}
	if a.System {
		return []any{a.Name, hash, day, "", "", "", "", "", ""}
	}
	age := func(key string) string {
		if days := t.number(key, -1); days >= 0 {
			return strconv.Itoa(days)
		}
		return ""
	}
	return []any{a.Name, hash, day, age("PASS_MIN_DAYS"), age("PASS_MAX_DAYS"), age("PASS_WARN_AGE"), n.inactive, n.expire, ""}
}

// today is the day as shadow counts it.
func today(now time.Time) string { return strconv.FormatInt(now.Unix()/86400, 10) }

// addRange gives the user the lowest range of subordinate ids that nobody has, where a file of such is there. What was in
// the file is sorted.
func (t *tables) addRange(file, kind, user string) {
	first, last, count := t.number(kind+"_MIN", 100000), t.number(kind+"_MAX", 600100000), t.number(kind+"_COUNT", 65536)
	if count <= 0 || !t.exists(file) {
		return
	}
	rows := t.rows(file)
	sort.SliceStable(rows, func(i, j int) bool { return start(rows[i]) < start(rows[j]) })
	for _, row := range rows {
		if len(row) < 3 {
			continue
		}
		size, _ := strconv.Atoi(row[2])
		if start(row) >= first+count {
			break
		}
		first = max(first, start(row)+size)
	}
	if first+count-1 > last {
		t.failf("useradd: there is no free range of %d ids in %s", count, file)
		return
	}
	t.save(file, append(rows, []string{user, strconv.Itoa(first), strconv.Itoa(count)}))
}

// start is where a range of subordinate ids begins.
func start(row []string) int {
	if len(row) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(row[1])
	return n
}

// makeHome makes the home with what /etc/skel holds. One that is there stays as it is.
func (t *tables) makeHome(u Entry) {
	if t.exists(u.Home) || t.err != nil {
		return
	}
	t.fail(machine.MakeFolders(t.files, path.Dir(path.Clean(u.Home)), machine.Folder(0o755)))
	mode := t.number("HOME_MODE", 0o777&^t.number("UMASK", 0o22))
	t.put(u.Home, machine.Folder(machine.Permissions(uint32(mode))).Owned(u.UID, u.GID))
	if skel := t.preset("SKEL", "/etc/skel"); t.exists(skel) {
		t.copyTree(skel, u.Home, u)
	}
}

// copyTree copies what is in a folder, and gives it to a user.
func (t *tables) copyTree(from, to string, u Entry) {
	names, err := t.files.List(from)
	t.fail(err)
	for _, name := range names {
		n, err := machine.Get(t.files, path.Join(from, name))
		t.fail(err)
		if n.Mode.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0 {
			continue
		}
		t.put(path.Join(to, name), n.Owned(u.UID, u.GID))
		if n.Mode.IsDir() {
			t.copyTree(path.Join(from, name), path.Join(to, name), u)
		}
	}
}

// makeSpool makes the file that mail is put into.
func (t *tables) makeSpool(u Entry) {
	dir := setting(t.textOf("/etc/login.defs", "/usr/etc/login.defs"), "MAIL_DIR")
	if dir == "" || t.exists(path.Join(dir, u.Name)) || !t.exists(dir) {
		return
	}
	mode, gid := fs.FileMode(0o600), u.GID
	if row := t.groupRow("mail"); row != nil {
		mode = 0o660
		gid, _ = strconv.Atoi(row[2])
	}
	t.put(path.Join(dir, u.Name), machine.File(mode, "").Owned(u.UID, gid))
}
