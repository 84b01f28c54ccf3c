package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"openguest/internal/machine"
)

// SetMarked makes the keys below marker lines in a user's ~/.ssh/authorized_keys exactly these: each stands behind a line
// that is the marker, and every other line is somebody else's and stays as it is. A file in which nothing is left goes. With
// AuthorizedKeysFile sshd may be told to read another file; who keeps keys in line with a cloud writes this one only.
func SetMarked(ctx context.Context, m machine.Machine, user, marker string, keys []string) error {
	u, err := User(ctx, m, user)
	if err == nil {
		err = setMarked(m.Files, u, marker, keys)
	}
	if err != nil {
		return fmt.Errorf("give user %s the keys of the cloud: %w", user, err)
	}
	return nil
}

func setMarked(f machine.Files, u Entry, marker string, keys []string) error {
	if u.Home == "" || u.Home == "/nonexistent" {
		return errors.New("the user has no home for them")
	}
	file := path.Join(u.Home, ".ssh/authorized_keys")
	n, err := machine.Get(f, file)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew && len(keys) == 0:
		return nil
	case isNew:
		n = machine.File(0o600, "").Owned(u.UID, u.GID)
		err = makeKeyFolder(f, u, path.Dir(file))
	case err == nil && !n.Mode.IsRegular():
		return fmt.Errorf("%s is no file of the user's own", file)
	}
	if err != nil {
		return err
	}
	before := n.Data
	if n.Data = mark(n.Data, marker, keys); n.Data == "" && before != "" {
		_, err = f.Remove(file)
	} else if n.Data != before {
		_, err = f.Put(file, n)
	}
	return err
}

// mark replaces the lines that are marked. Keys that are there already keep their places, so that nothing is written where
// nothing changed.
func mark(text, marker string, keys []string) string {
	var kept strings.Builder
	var marked []string
	follows := false
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\r\n")
		switch {
		case bare == marker:
			follows = true
			continue
		case follows:
			marked = append(marked, bare)
		default:
			kept.WriteString(line)
		}
		follows = false
	}
	if slices.Equal(slices.Sorted(slices.Values(marked)), slices.Sorted(slices.Values(keys))) && !follows {
		return text
	}
	if len(keys) > 0 && kept.Len() > 0 && !strings.HasSuffix(kept.String(), "\n") {
		kept.WriteByte('\n')
	}
	for _, key := range keys {
		kept.WriteString(marker + "\n" + key + "\n")
	}
	return kept.String()
}
