package account

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// AddSSHD adds a line to the ssh server's configuration in SSHDFile, for keywords that may stand there more than once, and
// says whether that changed anything. Where the line is there already, nothing is done. A new one comes before the first
// Match: behind it the server would refuse to start.
func AddSSHD(f machine.Files, keyword, value string) (changed bool, err error) {
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
	n.Data = addKeyword(n.Data, keyword, value)
	return f.Put(name, n)
}

// addKeyword edits the text of a configuration.
func addKeyword(text, keyword, value string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	lines := slices.Collect(strings.Lines(text))
	end := len(lines)
	for i, line := range lines {
		key, now := sshdSetting(line)
		if key == "match" {
			end = i
			break
		}
		if key == strings.ToLower(keyword) && now == value {
			return text
		}
	}
	return strings.Join(slices.Insert(lines, end, keyword+" "+value+"\n"), "")
}
