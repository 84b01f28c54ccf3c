package conf

import (
	"fmt"
	"strings"
	"testing"
)

// A person's instance_configs.cfg has to mean what it means to Google's agent, and one bad line must not cost the others.
func TestParseINI(t *testing.T) {
	v, problems := ParseINI("x.cfg", "\ufeffearly = 1\n# note\n[Accounts]\n; note\nGroups = adm, video\n  deprovision_remove: TRUE\nuseradd_cmd = useradd -p \"*\" {user}\n"+
		"quoted = \"a b\"\n[daemons]\r\nbroken\n = 1\n[ACCOUNTS]\ngroups=\n[ Instance ]\nurl = http://x/?a=b\n")
	var got []string
	for _, section := range v.Pairs {
		for _, option := range section.Value.Pairs {
			got = append(got, fmt.Sprintf("%s.%s=%q@%d:%d", section.Key.Text, option.Key.Text, option.Value.Text, option.Value.Origin.Line, option.Value.Origin.Col))
		}
	}
	want := `accounts.groups=""@13:1 accounts.deprovision_remove="TRUE"@6:3 accounts.useradd_cmd="useradd -p \"*\" {user}"@7:1 accounts.quoted="a b"@8:1 instance.url="http://x/?a=b"@15:1`
	if text := strings.Join(got, " "); text != want {
		t.Errorf("it is\n%s, want\n%s", text, want)
	}
	if len(problems) != 3 || problems[0].Origin.Line != 1 || problems[1].Origin.Line != 10 || problems[2].Origin.Line != 11 {
		t.Errorf("the problems are %v", problems)
	}
}

func FuzzParseINI(f *testing.F) {
	f.Add("[a]\nb = c\n")
	f.Add("[]\n=\n[a\nb:")
	f.Fuzz(func(t *testing.T, text string) {
		v, _ := ParseINI("x", text)
		for _, section := range v.Pairs {
			if section.Value.Kind != Map {
				t.Errorf("the section %q is %v", section.Key.Text, section.Value.Kind)
			}
		}
	})
}
