package account

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"openguest/internal/machine"
)

const (
	sshdFile    = "/etc/ssh/sshd_config"
	sshdFolder  = sshdFile + ".d"
	sshdOwnFile = sshdFolder + "/50-cloud-init.conf"
)

// sshd is the configuration of the ssh server for connections that no Match is about: the keyword in small letters, and
// its value. As with sshd, the first line that sets something counts.
type sshd struct {
	values map[string]string
	seen   map[string]bool // the files that were read: another time they could say nothing new
}

// value is what a keyword is set to.
func (d sshd) value(keyword, otherwise string) string {
	if value, ok := d.values[keyword]; ok {
		return value
	}
	return otherwise
}

// readSSHD reads the configuration with the files that it includes. Where there is none in /etc, that of /usr counts.
func readSSHD(f machine.Files) (sshd, error) {
	d := sshd{map[string]string{}, map[string]bool{}}
	err := d.read(f, sshdFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.read(f, "/usr"+sshdFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return d, err
}

// read takes in one file, and those that it includes.
func (d sshd) read(f machine.Files, name string) error {
	if d.seen[name] {
		return nil
	}
	d.seen[name] = true
	text, err := f.Read(name)
	if err != nil {
		return needsRoot(name, err)
	}
	for line := range strings.Lines(text) {
		keyword, value := sshdSetting(line)
		switch {
		case keyword == "match":
			return nil
		case keyword == "include":
			for _, pattern := range strings.Fields(value) {
				if err := d.include(f, pattern); err != nil {
					return err
				}
			}
		case keyword != "":
			if _, set := d.values[keyword]; !set {
				d.values[keyword] = value
			}
		}
	}
	return nil
}

// include reads the files that a pattern means; a name without a slash in front is below /etc/ssh.
func (d sshd) include(f machine.Files, pattern string) error {
	pattern = strings.Trim(pattern, `"`)
	if !path.IsAbs(pattern) {
		pattern = path.Join("/etc/ssh", pattern)
	}
	names, err := f.List(path.Dir(pattern))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return needsRoot(path.Dir(pattern), err)
	}
	for _, name := range names {
		if ok, _ := path.Match(path.Base(pattern), name); ok && (name[0] != '.' || path.Base(pattern)[0] == '.') {
			if err := d.read(f, path.Join(path.Dir(pattern), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// sshdSetting reads a line: "Keyword value" or "Keyword=value". The keyword comes back in small letters.
func sshdSetting(line string) (keyword, value string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", ""
	}
	at := strings.IndexAny(line, " \t=")
	if at < 0 {
		return strings.ToLower(line), ""
	}
	value = strings.TrimLeft(line[at:], " \t")
	value = strings.TrimLeft(strings.TrimPrefix(value, "="), " \t")
	return strings.ToLower(line[:at]), strings.Trim(value, `"`)
}

// SSHDFile is the file for settings of ours: one of our own where sshd reads such, and sshd_config otherwise. One that is
// made is for root alone.
func SSHDFile(f machine.Files) (string, error) {
	text, err := f.Read(sshdFile)
	if errors.Is(err, fs.ErrNotExist) {
		if machine.Exists(f, sshdFolder) {
			return sshdOwnFile, nil
		}
		return sshdFile, nil
	}
	if err != nil {
		return "", needsRoot(sshdFile, err)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Include "+sshdFolder+"/*.conf") {
			return sshdOwnFile, nil
		}
	}
	return sshdFile, nil
}

// SetSSHD sets a keyword of the ssh server's configuration in SSHDFile, and says whether that changed anything. Each line
// that sets it is changed, also below a Match; where only such do, a new one comes before the first Match.
func SetSSHD(f machine.Files, keyword, value string) (changed bool, err error) {
	return editSSHD(f, func(text string) string { return setKeyword(text, keyword, value) })
}

// AddSSHD adds a line to the ssh server's configuration in SSHDFile, for keywords that may stand there more than once, and
// says whether that changed anything. Where the line is there already, nothing is done. A new one comes before the first
// Match: behind it the server would refuse to start.
func AddSSHD(f machine.Files, keyword, value string) (changed bool, err error) {
	return editSSHD(f, func(text string) string { return addKeyword(text, keyword, value) })
}

// editSSHD edits the text of SSHDFile, which is made where it is not there.
func editSSHD(f machine.Files, edit func(text string) string) (changed bool, err error) {
	name, err := SSHDFile(f)
	if err != nil {
		return false, err
	}
	n, err := machine.Get(f, name)
	if errors.Is(err, fs.ErrNotExist) {
		n, err = newSSHDFile(name), machine.MakeFolders(f, path.Dir(name), machine.Folder(0o755))
	}
	if err != nil {
		return false, needsRoot(name, err)
	}
	n.Data = edit(n.Data)
	return f.Put(name, n)
}

// newSSHDFile is a file of the configuration that is not there yet. cloud-init makes its own for root alone.
func newSSHDFile(name string) machine.Node {
	if name == sshdOwnFile {
		return machine.File(0o600, "")
	}
	return machine.File(0o644, "")
}

// setKeyword changes each line that sets a keyword; where none does that counts for every connection, one is added.
func setKeyword(text, keyword, value string) string {
	lines := wholeLines(text)
	match, found := firstMatch(lines), false
	for i, line := range lines {
		if key, now := sshdSetting(line); key == strings.ToLower(keyword) {
			found = found || i < match
			if now != value {
				lines[i] = keyword + " " + value + "\n"
			}
		}
	}
	if !found {
		lines = slices.Insert(lines, match, keyword+" "+value+"\n")
	}
	return strings.Join(lines, "")
}

// addKeyword adds a line, where it is not there yet.
func addKeyword(text, keyword, value string) string {
	lines := wholeLines(text)
	match := firstMatch(lines)
	for _, line := range lines[:match] {
		if key, now := sshdSetting(line); key == strings.ToLower(keyword) && now == value {
			return text
		}
	}
	return strings.Join(slices.Insert(lines, match, keyword+" "+value+"\n"), "")
}

// wholeLines are the lines of a text, each with its end.
func wholeLines(text string) []string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return slices.Collect(strings.Lines(text))
}

// firstMatch is the line of the first Match, or the end: what stands before it counts for every connection.
func firstMatch(lines []string) int {
	for i, line := range lines {
		if key, _ := sshdSetting(line); key == "match" {
			return i
		}
	}
	return len(lines)
}
