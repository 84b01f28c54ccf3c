package source

import (
	"fmt"
	"strings"
	"testing"
)

// Row 10 of gce-linux.md §14. Whose keys count: a project's key too many is a way in for somebody whom the instance shuts out, and
// one too few locks somebody out.
func TestGCEAccounts(t *testing.T) {
	project := map[string]string{"ssh-keys": "bob:ssh-rsa B\nada:ssh-rsa A", "sshKeys": "carl:ssh-rsa C"}
	for name, c := range map[string]struct {
		own  map[string]string
		want string
	}{
		"the project's":     {nil, "[{bob [ssh-rsa B]} {ada [ssh-rsa A]} {carl [ssh-rsa C]}]"},
		"its own as well":   {map[string]string{"ssh-keys": "ada:ssh-rsa X\r\n\nada:ssh-rsa A\n"}, "[{ada [ssh-rsa X ssh-rsa A]} {bob [ssh-rsa B]} {carl [ssh-rsa C]}]"},
		"blocked":           {map[string]string{"ssh-keys": "ada:ssh-rsa X", "block-project-ssh-keys": "TRUE"}, "[{ada [ssh-rsa X]}]"},
		"blocked by 1":      {map[string]string{"block-project-ssh-keys": "1"}, "[]"},
		"not blocked":       {map[string]string{"block-project-ssh-keys": "no"}, "[{bob [ssh-rsa B]} {ada [ssh-rsa A]} {carl [ssh-rsa C]}]"},
		"the old attribute": {map[string]string{"sshKeys": "eve:ssh-rsa E"}, "[{eve [ssh-rsa E]}]"},
		"no name or no key": {map[string]string{"sshKeys": "ssh-rsa E\n:ssh-rsa E\neve:\n # note"}, "[]"},
		"a name with space": {map[string]string{"sshKeys": "e ve:ssh-rsa E"}, "[{e ve [ssh-rsa E]}]"}, // the module says why it gets nothing
	} {
		in, err := fetchGCE(t.Context(), gceSays(t, c.own, project).env)
		if err != nil || fmt.Sprint(in.Accounts) != c.want {
			t.Errorf("%s: %v, %v; want %s", name, in.Accounts, err, c.want)
		}
	}
}

// Row 10 of gce-linux.md §14, and row D17: the boot and the watch agree on whose keys count. Where they did not, who was shut out at
// boot would be let in by the watch, or the other way round.
func TestGCEBlock(t *testing.T) {
	const own, project = "ssh-rsa I", "ssh-rsa P,ssh-rsa Q"
	for block, isBlocked := range map[string]bool{
		"true": true, "TRUE": true, "True": true, "tRuE": true, "1": true, "t": true,
		"yes": false, "false": false, "0": false, "": false, "true,": false,
	} {
		for attribute, replaces := range map[string]bool{"ssh-keys": false, "sshKeys": true, "": false} {
			says := map[string]string{"block-project-ssh-keys": block}
			var want []string
			if attribute != "" {
				says[attribute] = "debian:" + own
				want = append(want, own)
			}
			if !isBlocked && !replaces {
				want = append(want, project)
			}
			in, err := fetchGCE(t.Context(), gceSays(t, says, map[string]string{"ssh-keys": "debian:ssh-rsa P", "sshKeys": "debian:ssh-rsa Q"}).env)
			if err != nil {
				t.Fatal(err)
			}
			var accounts []string
			for _, person := range in.Accounts {
				accounts = append(accounts, person.Keys...)
			}
			boot, watch := strings.Join(in.PublicKeys(), ","), strings.Join(accounts, ",")
			if text := strings.Join(want, ","); boot != text || watch != text {
				t.Errorf("block-project-ssh-keys %q, keys in %q: %q at boot, %q in the watch; want %q", block, attribute, boot, watch, text)
			}
		}
	}
}
