package account

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// doasRule is the rule as cloud-init looks for it.
var doasRule = regexp.MustCompile(`^(?:permit|deny)(?:\s+(?:nolog|nopass|persist|keepenv|setenv \{[^}]+\})+)*\s+([a-zA-Z0-9_]+)` +
	`(?:\s+as\s+[a-zA-Z0-9_]+)*(?:\s+cmd\s+\S+(?:\s+args\s+\S+(?:\s*\S+)*)*)*\s*$`)

// A rule that is for somebody else must not be written for this user, and one that is right must not be refused.
func TestDoasRules(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	words := []string{"permit", "deny", "nolog", "nopass", "persist", "keepenv", "setenv {a b}", "setenv { }", "setenv {}", "setenv", "{a", "nopasspersist", "nologx", "eve", "a_1", "as", "cmd", "args", "/bin/ls", "-l", ":wheel", "é", ""}
	spaces := []string{" ", " ", " ", "  ", "\t", "\n", ""}
	matched := 0
	for range 30_000 {
		rule := []string{"permit", "deny", "permit nopass", "permit nolog persist"}[random.IntN(4)]
		for range random.IntN(8) {
			rule += spaces[random.IntN(len(spaces))] + words[random.IntN(len(words))]
		}
		want := ""
		if found := doasRule.FindStringSubmatch(rule); found != nil {
			want = found[1]
			matched++
		}
		if got := doasUser(rule); got != want {
			t.Fatalf("%q is for %q, cloud-init says %q", rule, got, want)
		}
	}
	if matched < 500 || doasUser(" permit eve") != "" || doasUser("") != "" || doasUser(strings.Repeat("permit", 2)+" eve") != "" {
		t.Errorf("%d rules were right", matched)
	}
}
