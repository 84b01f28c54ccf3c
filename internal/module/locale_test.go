package module

import (
	"strings"
	"testing"
)

// TestFindLocale: LANG with a locale that was not generated makes every program complain.
func TestFindLocale(t *testing.T) {
	s := newScene(t, `
-- fs/usr/share/i18n/SUPPORTED 644 0:0 --
aa_ER UTF-8
aa_ER@saaho UTF-8
fi_FI.UTF-8 UTF-8
fi_FI ISO-8859-1
fi_FI@euro ISO-8859-15
en_US.ISO-8859-15 ISO-8859-15
en_US.UTF-8 UTF-8
sr_RS@latin UTF-8
`)
	for wanted, want := range map[string]string{
		"fi_FI": "fi_FI.UTF-8 UTF-8", "fi_FI.ISO-8859-1": "fi_FI ISO-8859-1", "fi_FI@euro": "fi_FI@euro ISO-8859-15", "en_US.utf8": "en_US.UTF-8 UTF-8",
		"aa_ER": "aa_ER UTF-8", "sr_RS@latin": "sr_RS@latin UTF-8", "en_US.KOI8-R": "", "en": "", "C.UTF-8": "C.UTF-8", "": "",
	} {
		if got, _ := s.env.findLocale(wanted); got != want {
			t.Errorf("%q is the line %q, want %q", wanted, got, want)
		}
	}
	for wanted, want := range map[string]string{"fi_FI": "fi_FI.UTF-8 UTF-8", "fi_FI@euro": "fi_FI.UTF-8@euro UTF-8", "ru_RU.KOI8-R": "ru_RU.KOI8-R KOI8-R"} {
		if got := composeLocale(wanted); got != want {
			t.Errorf("%q is the line %q, want %q", wanted, got, want)
		}
	}
}

// FuzzShellVariable: whatever stands in /etc/default/locale, the value that is set is the one that is read, and nothing else
// is touched a second time.
func FuzzShellVariable(f *testing.F) {
	for _, text := range []string{"", "LANG=C\n", "#  File\n# LANG=de\nLC_ALL=C", `LANG="x"` + "\nLANG=y\n", "\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set := setShellVariable(text, "LANG", "C.UTF-8")
		if got := shellVariable(set, "LANG"); got != "C.UTF-8" {
			t.Errorf("%q says %q", set, got)
		}
		if again := setShellVariable(set, "LANG", "C.UTF-8"); again != set {
			t.Errorf("a second run makes %q of %q", again, set)
		}
	})
}

// TestTemplateKind: a template of the one kind that is rendered as the other leaves its marks in /etc/hosts.
func TestTemplateKind(t *testing.T) {
	for text, want := range map[string]string{
		"## template:jinja\n{{ a }}\n": "1\n", "##Template: JINJA\r\n{{ a }}": "1", "## template: basic\n$a": "1", "$a {{ a }}": "1 {{ a }}",
		" ## template: jinja\n$a": " ## template: jinja\n1",
	} {
		if got, _, err := renderTemplate("x", text, map[string]any{"a": "1"}); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	_, _, err := renderTemplate("hosts.tmpl", "## template: jinja\n\n{{ a", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "hosts.tmpl:3:") {
		t.Errorf("the error is %v, and should name line 3", err)
	}
	if _, _, err = renderTemplate("x", "## template: mako\n", nil); err == nil {
		t.Error("a kind of template that does not exist is taken")
	}
}
