package command

import (
	"os/exec"
	"strings"
	"testing"
)

// What is offered must be what can be written there, and nothing that is hidden.
func TestComplete(t *testing.T) {
	for line, want := range map[string]string{
		"":                          "laid leg pack set show",
		"l":                         "laid leg",
		"sh":                        "show",
		"x":                         "",
		"show ":                     "",
		"show --f":                  "--folder --format",
		"show --wait --l":           "--legs --long",
		"show --s":                  "",
		"show --format ":            "text json",
		"show --format j":           "json",
		"show --format=":            "--format=text --format=json",
		"show --format=j":           "--format=json",
		"show --format = ":          "text json",
		"show --format = j":         "json",
		"show --format =":           "text json",
		"show --bogus=":             "",
		"show -f ":                  "text json",
		"show --name --format ":     "",
		"show --name --format --wa": "--wait",
		"--folder show le":          "leg",
		"leg ":                      "add all",
		"leg a":                     "add all",
		"leg add 2 ":                "",
		"leg oak a":                 "",
		"pack ":                     "deb rpm",
		"pack d":                    "deb",
		"--":                        "--folder --force --help --version",
	} {
		words := append([]string{completer, "9", "80"}, strings.Split(line, " ")...)
		if got := strings.Join(strings.Fields(executed(t, words)), " "); got != want {
			t.Errorf("%q: %q is offered, want %q", line, got, want)
		}
	}
}

// A second tab shows what each means, as much as the terminal is wide; nothing of that may come into the line.
func TestCompletionList(t *testing.T) {
	for words, want := range map[string]string{
		"63 80 l":  "laid  (Lay it)\nleg   (Change legs)\n",
		"63 16 l":  "laid  (Lay it)\nleg   (Chang...)\n",
		"63 5 l":   "laid  (Lay it)\nleg   (Change legs)\n",
		"9 80 l":   "laid\nleg\n",
		"37 80 l":  "laid\nleg\n",
		"63 80 le": "leg\n",
		"x y le":   "leg\n",
	} {
		if got := executed(t, append([]string{completer}, strings.Fields(words)...)); got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
}

// A script that is not bash makes every shell of the machine complain.
func TestCompletionScript(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed, so nothing can read the completion for it")
	}
	cmd := exec.Command(bash, "--norc", "-n")
	cmd.Stdin = strings.NewReader(executed(t, []string{"completion", "bash"}))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
