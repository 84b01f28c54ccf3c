package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/machine"
)

// tables edits the user databases as shadow-utils does. The first error stays, and nothing is written after it. Lines that
// are not about the user stay as they are, to the letter.
type tables struct {
	files machine.Files
	err   error
}

func (t *tables) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *tables) failf(format string, args ...any) { t.fail(fmt.Errorf(format, args...)) }

// rows are the lines of a file, cut into fields.
func (t *tables) rows(name string) (rows [][]string) {
	for line := range strings.Lines(t.textOf(name)) {
		rows = append(rows, cutRow(line))
	}
	return rows
}

func cutRow(line string) []string { return strings.Split(strings.TrimRight(line, "\r\n"), ":") }

// save writes lines back into a file that is there.
func (t *tables) save(name string, rows [][]string) {
	if t.err != nil {
		return
	}
	n, err := machine.Get(t.files, name)
	if err != nil {
		t.fail(err)
		return
	}
	var text strings.Builder
	for _, row := range rows {
		text.WriteString(strings.Join(row, ":") + "\n")
	}
	n.Data = text.String()
	t.put(name, n)
}

func (t *tables) put(name string, n machine.Node) {
	if t.err == nil {
		_, err := t.files.Put(name, n)
		t.fail(err)
	}
}

// add adds a line at the end of a file, but before the lines of NIS that begin with + or -.
func (t *tables) add(name string, fields ...any) {
	row := make([]string, len(fields))
	for i, field := range fields {
		row[i] = fmt.Sprint(field)
	}
	rows := t.rows(name)
	at := slices.IndexFunc(rows, func(r []string) bool { return strings.HasPrefix(r[0], "+") || strings.HasPrefix(r[0], "-") })
	if at < 0 {
		at = len(rows)
	}
	t.save(name, slices.Insert(rows, at, row))
}

// change edits the line of a name, and says whether there is one.
func (t *tables) change(file, name string, least int, edit func(row []string)) bool {
	rows := t.rows(file)
	i := slices.IndexFunc(rows, func(row []string) bool { return row[0] == name })
	if i < 0 || name == "" {
		return false
	}
	for len(rows[i]) < least {
		rows[i] = append(rows[i], "")
	}
	edit(rows[i])
	t.save(file, rows)
	return true
}

// find is the line of a name, or nil.
func (t *tables) find(file, name string) []string {
	for line := range strings.Lines(t.textOf(file)) {
		if name == "" || !strings.HasPrefix(line, name) { // of thousands of lines only one is cut
			continue
		}
		if row := cutRow(line); row[0] == name {
			return row
		}
	}
	return nil
}

// addGroup is what groupadd does.
func (t *tables) addGroup(name string, system bool) {
	if t.find(groupFile, name) != nil {
		t.failf("groupadd: group '%s' already exists", name)
		return
	}
	t.newGroup(name, t.free(groupFile, "GID", -1, system))
}

func (t *tables) newGroup(name string, gid int) {
	t.add(groupFile, name, "x", gid, "")
	if t.exists(gshadowFile) {
		t.add(gshadowFile, name, "!", "", "")
	}
}

// addMember is what usermod does with -a and -G: the user comes last in each group.
func (t *tables) addMember(groups []string, user string) {
	if t.find(passwdFile, user) == nil {
		t.failf("usermod: user '%s' does not exist", user)
	}
	for _, group := range groups {
		if t.find(groupFile, group) == nil {
			t.failf("usermod: group '%s' does not exist", group)
		}
	}
	t.enter(groups, user)
}

// enter writes a user into groups.
func (t *tables) enter(groups []string, user string) {
	for _, group := range groups {
		for _, file := range []string{groupFile, gshadowFile} {
			t.change(file, group, 4, func(row []string) {
				if members := memberList(row[3]); !slices.Contains(members, user) {
					row[3] = strings.Join(append(members, user), ",")
				}
			})
		}
	}
}

// span is where the ids of a kind, UID or GID, are taken from.
type span struct{ first, last int }

func (s span) holds(id int) bool { return id >= s.first && id <= s.last }

func (t *tables) span(kind string, system bool) span {
	first := t.number(kind+"_MIN", 1000)
	if system {
		return span{t.number("SYS_"+kind+"_MIN", 101), t.number("SYS_"+kind+"_MAX", first-1)}
	}
	return span{first, t.number(kind+"_MAX", 60000)}
}

// free is an id that nobody has: the wanted one, or else the one after the highest (for the system: before the lowest)
// that is taken, or else the first gap. See find_new_uid.c in shadow-utils.
func (t *tables) free(file, kind string, wanted int, system bool) int {
	in, used := t.span(kind, system), t.ids(file)
	preferred := in
	if system {
		preferred.first = 1
	}
	if preferred.holds(wanted) && !used[wanted] {
		return wanted
	}
	next := in.first
	low := in.last
	for _, id := range t.idList(file) {
		if in.holds(id) && id >= next {
			next = id + 1
		}
		if id >= in.first && id <= low {
			low = id - 1
		}
	}
	if system {
		return t.gap(used, low, in, -1, kind)
	}
	return t.gap(used, next, in, +1, kind)
}

// gap walks from an id, and once around the end of the range.
func (t *tables) gap(used map[int]bool, id int, in span, step int, kind string) int {
	for range in.last - in.first + 1 {
		if !in.holds(id) {
			id = map[bool]int{true: in.first, false: in.last}[step > 0]
		}
		if !used[id] {
			return id
		}
		id += step
	}
	t.failf("there is no free %s between %d and %d", kind, in.first, in.last)
	return 0
}

// idList are the ids in the third field of a file, in its order.
func (t *tables) idList(file string) (ids []int) {
	for line := range strings.Lines(t.textOf(file)) {
		_, rest, _ := strings.Cut(line, ":")
		_, rest, _ = strings.Cut(rest, ":")
		text, _, _ := strings.Cut(strings.TrimRight(rest, "\r\n"), ":")
		if id, err := strconv.Atoi(text); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func (t *tables) ids(file string) map[int]bool {
	used := map[int]bool{}
	for _, id := range t.idList(file) {
		used[id] = true
	}
	return used
}
