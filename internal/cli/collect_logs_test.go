package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"openguest/internal/machine"
)

// Row C13. Who reads the archive must see why a journal is empty: that journalctl is not there is not that nothing was logged.
func TestCollectedJournalSaysWhyItIsEmpty(t *testing.T) {
	c := collection{here: machine.Fake("", time.Now()), folder: t.TempDir()} // here no program can run
	c.system(t.Context())
	if c.err != nil {
		t.Fatal(c.err)
	}
	for _, name := range []string{"dmesg.txt", "journal.txt", "journal-previous.txt"} {
		text, err := os.ReadFile(filepath.Join(c.folder, name))
		if err != nil || !strings.Contains(string(text), machine.ErrDeferred.Error()) {
			t.Errorf("%s has %q, %v", name, text, err)
		}
	}
}
