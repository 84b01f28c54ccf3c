package jinja

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// driver renders templates as cloud-init does: the environment is that of cloudinit/templater.py.
const driver = `
import json, sys
try:
    import jinja2, jinja2.sandbox
except ImportError:
    sys.exit(3)

class Missing(jinja2.DebugUndefined):
    def __str__(self):
        return "CI_MISSING_JINJA_VAR/" + str(self._undefined_name)
    def __sub__(self, other):
        this, other = self._undefined_name, str(other).replace("CI_MISSING_JINJA_VAR/", "")
        raise TypeError(f'Undefined jinja variable: "{this}-{other}". Jinja tried subtraction. Perhaps you meant "{this}_{other}"?')

Missing.__name__ = "UndefinedJinjaVariable"

def render(text, data):
    env = jinja2.sandbox.SandboxedEnvironment(undefined=Missing, trim_blocks=True, extensions=["jinja2.ext.do"])
    return env.from_string(text).render(**data) + ("\n" if text.endswith("\n") else "")

def ordered(pairs):
    return dict(sorted(pairs))

job = json.load(sys.stdin)
out = []
for text in job["templates"]:
    data = json.loads(job["vars"], object_pairs_hook=ordered)
    try:
        out.append({"text": render(text, data)})
    except jinja2.TemplateSyntaxError as e:
        out.append({"error": e.message, "line": e.lineno})
    except Exception as e:
        out.append({"error": str(e)})
json.dump(out, sys.stdout)
`

type answer struct {
	Text, Error string
	Line        int
}

// askPython renders templates with the real Jinja2, in one process.
func askPython(t *testing.T, vars string, templates []string) []answer {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not there to compare with")
	}
	job, err := json.Marshal(map[string]any{"vars": vars, "templates": templates})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", driver)
	cmd.Stdin = bytes.NewReader(job)
	out, err := cmd.Output()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 3 {
		t.Skip("python3 has no jinja2 to compare with")
	}
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// decodeVars reads variables as instance-data.json is read: whole numbers stay whole.
func decodeVars(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var vars map[string]any
	if err := d.Decode(&vars); err != nil {
		t.Fatal(err)
	}
	return withNumbers(vars).(map[string]any)
}

func withNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, ok := new(big.Int).SetString(v.String(), 10); ok {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = withNumbers(v[k])
		}
	}
	return v
}

type file struct{ name, text string }

// oracleFiles are the templates of testdata, with "-- name --" before each, and their variables.
func oracleFiles(t testing.TB) (vars string, files []file) {
	t.Helper()
	archive, err := os.ReadFile("testdata/oracle.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(archive)) {
		if name, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(name, " --\n") {
			files = append(files, file{name: strings.TrimSuffix(name, " --\n")})
		} else if len(files) > 0 {
			files[len(files)-1].text += line
		}
	}
	return files[0].text, files[1:]
}

// Row U11. A template that renders otherwise than under cloud-init gives a machine another configuration.
func TestSameAsPython(t *testing.T) {
	vars, files := oracleFiles(t)
	var templates []string
	for _, f := range files {
		templates = append(templates, f.text, strings.TrimSuffix(f.text, "\n"))
	}
	if len(files) < 250 {
		t.Fatalf("testdata has %d templates, and should have 250", len(files))
	}
	for i, want := range askPython(t, vars, templates) {
		t.Run(files[i/2].name, func(t *testing.T) {
			res, err := Render("t", templates[i], decodeVars(t, vars), Limits{})
			if want.Error == "" {
				if err != nil || res.Text != want.Text {
					t.Errorf("got  %q, %v\nwant %q", res.Text, err, want.Text)
				}
				return
			}
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("got %q, want the error %q", res.Text, want.Error)
			}
			loose := strings.HasSuffix(files[i/2].name, "~")
			if !loose && !sameMessage(e.Msg, want.Error) || e.Syntax() != (want.Line > 0) || want.Line > 0 && e.Line != want.Line {
				t.Errorf("got  %v (syntax: %v)\nwant %d: %s", e, e.Syntax(), want.Line, want.Error)
			}
		})
	}
}

// sameMessage compares with Jinja's message; ours may go on where it ends.
func sameMessage(got, want string) bool {
	return got == want || strings.HasPrefix(got, strings.TrimSuffix(want, " found."))
}
