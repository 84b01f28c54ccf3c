package account

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"openguest/internal/machine"
)

// Where the rules are that let users become root.
const (
	sudoersFile = "/etc/sudoers"
	rulesFile   = "/etc/sudoers.d/90-cloud-init-users"
	doasFile    = "/etc/doas.conf"
)

// sudo writes the user's rules, where they are not there yet.
func (e *ensuring) sudo() error {
	if len(e.a.Sudo) == 0 {
		return nil
	}
	block := "\n# User rules for " + e.a.Name + "\n"
	for _, rule := range e.a.Sudo {
		block += e.a.Name + " " + rule + "\n"
	}
	err := e.includeRules(path.Dir(rulesFile))
	if err == nil {
		err = e.addBlock(rulesFile, block)
	}
	if err != nil {
		return fmt.Errorf("write the sudo rules of user %s: %w", e.a.Name, err)
	}
	return nil
}

// includeRules sees to it that sudo reads the files of a folder.
func (e *ensuring) includeRules(folder string) error {
	n, err := machine.Get(e.m.Files, sudoersFile)
	begin := ""
	if errors.Is(err, fs.ErrNotExist) {
		n, begin = machine.File(0o440, ""), "# See sudoers(5) for more information on \"#include\" directives:\n"
		n.Data, err = e.m.Files.Read("/usr/etc/sudoers")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return needsRoot(sudoersFile, err)
	}
	if !includes(n.Data, folder) {
		n.Data += begin + "\n" + e.header("Added") + "\n#includedir " + folder + "\n"
		if _, err := e.m.Files.Put(sudoersFile, n); err != nil {
			return err
		}
	}
	dir, err := e.m.Files.Look(folder)
	if err != nil {
		dir = machine.Folder(0)
	}
	dir.Mode = fs.ModeDir | 0o750
	_, err = e.m.Files.Put(folder, dir)
	return err
}

// includes says whether sudoers has an includedir for a folder, with "#" or "@" in front.
func includes(sudoers, folder string) bool {
	for line := range strings.Lines(sudoers) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] != '#' && line[0] != '@' {
			continue
		}
		name, ok := strings.CutPrefix(line[1:], "includedir")
		if ok && strings.TrimLeft(name, " \t") != name && path.Clean(strings.TrimSpace(name)) == folder {
			return true
		}
	}
	return false
}

// addBlock adds lines to a file of rules that only root may read, where they are not in it.
func (e *ensuring) addBlock(name, block string) error {
	n, err := machine.Get(e.m.Files, name)
	if errors.Is(err, fs.ErrNotExist) {
		n, err = machine.File(0o440, e.header("Created")+"\n"), nil
	}
	if err != nil {
		return needsRoot(name, err)
	}
	if strings.Contains(n.Data, block) {
		return nil
	}
	n.Data += block
	_, err = e.m.Files.Put(name, n)
	return err
}

// header is the line that says who made a file, and when.
func (e *ensuring) header(what string) string {
	when := e.m.Clock.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")
	return "# " + what + " by " + strings.TrimSpace("cloud-init v. "+e.a.Version) + " on " + when
}

// doas writes the user's rules, where they are not there yet. A rule about somebody else costs them all.
func (e *ensuring) doas() error {
	if len(e.a.Doas) == 0 {
		return nil
	}
	block := "\n# cloud-init User rules for " + e.a.Name + "\n"
	for _, rule := range e.a.Doas {
		if doasUser(rule) != e.a.Name {
			return fmt.Errorf("Invalid doas rule '%s' for user '%s', not writing any doas rules for user!", rule, e.a.Name)
		}
		block += rule + "\n"
	}
	if err := e.addBlock(doasFile, block); err != nil {
		return fmt.Errorf("write the doas rules of user %s: %w", e.a.Name, err)
	}
	return nil
}

// doasUser is whom a rule of doas.conf(5) is about, or nothing where it is not a rule.
func doasUser(rule string) string {
	if rule == "" || isDoasSpace(rune(rule[0])) {
		return ""
	}
	verb, rest := cutDoasWord(rule)
	if verb != "permit" && verb != "deny" {
		return ""
	}
	before := rest
	for after, ok := skipDoasOptions(rest); ok; after, ok = skipDoasOptions(rest) {
		before, rest = rest, after
	}
	for _, from := range []string{rest, before} { // the name of a user may be that of an option
		if user, target := cutDoasWord(from); isDoasName(user) && isDoasTarget(strings.FieldsFunc(target, isDoasSpace)) {
			return user
		}
	}
	return ""
}

func isDoasSpace(c rune) bool { return c < 0x80 && strings.IndexByte(" \t\n\f\r", byte(c)) >= 0 }

// cutDoasWord takes the first word from a text.
func cutDoasWord(text string) (word, rest string) {
	text = strings.TrimLeftFunc(text, isDoasSpace)
	if end := strings.IndexFunc(text, isDoasSpace); end >= 0 {
		return text[:end], text[end:]
	}
	return text, ""
}

// skipDoasOptions goes over a word of options, which may touch each other. setenv has braces and may have spaces in them.
func skipDoasOptions(text string) (rest string, ok bool) {
	rest = strings.TrimLeftFunc(text, isDoasSpace)
	for more := true; more; {
		more = false
		for _, option := range []string{"nolog", "nopass", "persist", "keepenv"} {
			if after, found := strings.CutPrefix(rest, option); found {
				rest, ok, more = after, true, true
			}
		}
		if inside, found := strings.CutPrefix(rest, "setenv {"); found {
			if end := strings.IndexByte(inside, '}'); end > 0 {
				rest, ok, more = inside[end+1:], true, true
			}
		}
	}
	return rest, ok && (rest == "" || isDoasSpace(rune(rest[0])))
}

func isDoasName(word string) bool {
	return word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// isDoasTarget says whether words name whom the user may be, and a command with any arguments: as NAME cmd NAME args …
func isDoasTarget(words []string) bool {
	for len(words) >= 2 && words[0] == "as" && isDoasName(words[1]) {
		words = words[2:]
	}
	for len(words) >= 2 && words[0] == "cmd" {
		if words = words[2:]; len(words) >= 2 && words[0] == "args" {
			return true
		}
	}
	return len(words) == 0
}
