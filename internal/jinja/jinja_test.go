package jinja

import (
	"math/big"
	"reflect"
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	vars := map[string]any{
		"v1":   map[string]any{"region": "eu", "local-hostname": "web", "local_hostname": "web"},
		"list": []any{int64(1), "a", nil, true, 2.5},
		"big":  new(big.Int).Lsh(big.NewInt(1), 70),
		"n":    5,
	}
	tests := []struct{ name, text, want string }{
		{"no template", "#cloud-config\nhostname: {a}\n", "#cloud-config\nhostname: {a}\n"},
		{"empty", "", ""},
		{"only a newline", "\n", "\n"},
		{"the last newline stays behind a tag", "{% if true %}x{% endif %}\n", "x\n"},
		{"only one newline is added back", "x\n\n", "x\n\n"},
		{"no newline is added", "x{% if false %}{% endif %}", "x"},
		{"the three kinds of line ends", "a\r\nb\rc\r\n", "a\nb\nc\n"},
		{"a variable of each type", "{{ list }} {{ big }} {{ n }}", "[1, 'a', None, True, 2.5] 1180591620717411303424 5"},
		{"a mapping is ordered by its keys", "{{ v1 }}", "{'local-hostname': 'web', 'local_hostname': 'web', 'region': 'eu'}"},
		{"a mapping of the template keeps its order", "{{ {'b': 1, 'a': 2} }}", "{'b': 1, 'a': 2}"},
		{"brackets in text", "${HOME} {a} {", "${HOME} {a} {"},
		{"a printed function has no address", "{{ range }} {{ v1.keys }}", "<function object> <function object>"},
		{"a byte that is no character", "\xff{{ n }}", "\xff5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := Render("part-001", tt.text, vars, Limits{})
			if err != nil || res.Text != tt.want {
				t.Errorf("got %q, %v; want %q", res.Text, err, tt.want)
			}
		})
	}
}

// The names that are missing go into a warning: without them nobody knows why a host is called CI_MISSING….
func TestMissing(t *testing.T) {
	text := "{{ a }} {{ v1.zone }} {{ v1['x'].y|default('ok') if false }} {{ v1['zone'] }} {{ list[3] }} {{ b|default(1) }}" +
		"{% if c %}{% endif %} {{ d is defined }} {{ []|first }} {{ 'x' ~ e }} {{ [f] }} {{ a|upper }}"
	vars := map[string]any{"v1": map[string]any{}, "list": []any{}}
	res, err := Render("t", text, vars, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a", "v1.zone", "list.3", "None", "e", "f"}
	if !reflect.DeepEqual(res.Missing, want) {
		t.Errorf("missing are %q, want %q", res.Missing, want)
	}
	if !strings.HasPrefix(res.Text, Missing+"a "+Missing+"zone ") {
		t.Errorf("the text is %q", res.Text)
	}
}

// A template that changes a list changes its own: the next part is rendered with the same variables.
func TestVariablesAreNotChanged(t *testing.T) {
	vars := map[string]any{"l": []any{int64(1)}, "d": map[string]any{"a": []any{}}}
	text := "{% do l.append(2) %}{% do d.update(b=1) %}{% do d.a.append(3) %}{% set l2 = l|sort(reverse=true) %}{{ l2 }}{{ l }}{{ d }}"
	res, err := Render("t", text, vars, Limits{})
	if err != nil || res.Text != "[2, 1][1, 2]{'a': [3], 'b': 1}" {
		t.Errorf("got %q, %v", res.Text, err)
	}
	if want := (map[string]any{"l": []any{int64(1)}, "d": map[string]any{"a": []any{}}}); !reflect.DeepEqual(vars, want) {
		t.Errorf("the variables became %v", vars)
	}
}

func TestErrorsHavePlaces(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"syntax", "a\nb {{ x y }}", "part-001:2:8: expected token 'end of print statement', got 'y'"},
		{"a hyphen in a name", "\n\n  x: {{ ds.meta-data }}", `part-001:3:16: Undefined jinja variable: "meta-data". Jinja tried subtraction. Perhaps you meant "meta_data"?`},
		{"a chain from nothing", "é {{ nope.a }}", "part-001:1:10: 'nope' is undefined"},
		{"a filter with a typing error", "{{ 1|defualt(2) }}", "part-001:1:6: No filter named 'defualt'. Ansible's, and a few rare ones of Jinja, are not supported."},
		{"a test with a typing error", "{{ 1 is definde }}", "part-001:1:9: No test named 'definde'. Ansible's, and a few rare ones of Jinja, are not supported."},
		{"a filter that is not here", "{{ [] | wordwrap(9) }}", "part-001:1:9: No filter named 'wordwrap'. Ansible's, and a few rare ones of Jinja, are not supported."},
		{"a filter named by another", "{{ [1]|map('wordwrap', 9) }}", "part-001:1:8: No filter named 'wordwrap'. Ansible's, and a few rare ones of Jinja, are not supported."},
		{"include", "{% include 'x' %}", "part-001:1:4: Encountered unknown tag 'include'."},
		{"import", "\n{% import 'x' as y %}", "part-001:2:4: Encountered unknown tag 'import'."},
		{"call", "{% call f() %}{% endcall %}", "part-001:1:4: Encountered unknown tag 'call'."},
		{"recursive", "{% for x in y recursive %}{% endfor %}", "part-001:1:15: expected token 'end of statement block', got 'recursive'"},
		{"a placeholder with no end", "{{ '5%' % 1 }}", "part-001:1:9: incomplete format"},
		{"a placeholder that Python does not have", "{{ '%y' % 1 }}", "part-001:1:9: unsupported format character 'y'"},
		{"a wide placeholder", "{{ '%1000000d' % 1 }}", "part-001:1:16: the width 1000000 of a placeholder is too large"},
		{"a method that is not here", "{{ 'x'.encode() }}", "part-001:1:14: 'str object' has no attribute 'encode'"},
		{"a list's method of a tuple", "{% do (1,).append(2) %}", "part-001:1:18: 'tuple object' has no attribute 'append'"},
		{"a field that reaches into a value", "{{ '{0.x}'.format(1) }}", "part-001:1:18: the field '{0.x}' reaches into a value, which a template does with an expression"},
		{"a number with a zero in front", "{{ 0755 }}", "part-001:1:4: this number cannot be read: it does not fit 64 bits, or has a zero in front"},
		{"brackets", "{{ (1] }}", "part-001:1:6: unexpected ']', expected ')'"},
		{"a call of an argument that is no name", "{{ dict(a.b=1) }}", "part-001:1:12: expected token ',', got '='"},
		{"after a multi-line string", "{{ 'a\nb' }}{{ 1/0 }}", "part-001:2:10: division by zero"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := Render("part-001", tt.text, map[string]any{"ds": map[string]any{}}, Limits{})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %q, %v\nwant %s", res.Text, err, tt.want)
			}
		})
	}
}

// A type that templates do not have is a mistake of the program, which must not look like a value.
func TestForeignType(t *testing.T) {
	_, err := Render("t", "{{ x }}", map[string]any{"x": struct{}{}}, Limits{})
	if err == nil || !strings.Contains(err.Error(), "has the type struct {}") {
		t.Errorf("got %v", err)
	}
}

func TestRandom(t *testing.T) {
	for range 50 {
		res, err := Render("t", "{{ range(1, 4)|random }}", nil, Limits{})
		if err != nil || !strings.Contains("1 2 3", res.Text) {
			t.Fatalf("got %q, %v", res.Text, err)
		}
	}
}

// Jinja's sandbox lets none of Python's insides be reached; here there are none, but the texts are the same.
func TestSandbox(t *testing.T) {
	for _, text := range []string{
		"{{ ''.__class__.__mro__ }}",
		"{{ v1.__init__.__globals__ }}",
		"{{ ''['__class__']['__subclasses__']() }}",
		"{{ (''|attr('__class__'))() }}",
		"{{ '{0.__class__}'.format(1) }}",
	} {
		if res, err := Render("t", text, map[string]any{"v1": map[string]any{}}, Limits{}); err == nil {
			t.Errorf("%s gives %q", text, res.Text)
		}
	}
}

func TestBasic(t *testing.T) {
	vars := map[string]any{
		"version": "26.1", "uptime": 3.25, "n": int64(5), "none": nil, "list": []any{"a", int64(1)},
		"hostname": map[string]any{"fqdn": "a.b", "parts": map[string]any{"x": true}},
	}
	tests := []struct{ name, text, want, err string }{
		{"names", "v. $version up $uptime, ${n}x", "v. 26.1 up 3.25, 5x", ""},
		{"entries", "h=$hostname.fqdn ${hostname.parts.x}", "h=a.b True", ""},
		{"values as Python prints them", "$none ${list} $hostname.parts", "None ['a', 1] {'x': True}", ""},
		{"a dollar alone stays", "$ $- ${} ${a b} $$n", "$ $- ${} ${a b} $5", ""},
		{"an open bracket stays", "${version", "${version", ""},
		{"an unknown name", "x\n  $nope", "", `t:2:3: the template asks for $nope, but there is no 'nope'`},
		{"a place in a shell script", "echo $5", "", `t:1:6: the template asks for $5, but there is no '5'`},
		{"a point behind a name", "up $n.", "", `t:1:4: the template asks for $n., but what should have the entry '' is no mapping`},
		{"an unknown entry", "${hostname.x}", "", `t:1:1: the template asks for $hostname.x, but there is no 'x'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Basic("t", tt.text, vars)
			if tt.err != "" && (err == nil || err.Error() != tt.err) || tt.err == "" && (err != nil || got != tt.want) {
				t.Errorf("got %q, %v; want %q, %s", got, err, tt.want, tt.err)
			}
		})
	}
}
