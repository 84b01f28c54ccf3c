package jinja

import (
	"strings"
	"testing"
)

// User-data may come from anyone who may start a machine: none of it may hang the boot or take the machine's memory.
func TestBounds(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nested loops", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "more than 1000000 steps"},
		{"a loop that prints", "{% for a in range(90000) %}{{ 'x' * 1000 }}{% endfor %}", "more than 16777216 bytes"},
		{"a long string", "{{ 'a' * 10**9 }}", "more than 16777216 bytes"},
		{"a long list", "{{ [0] * 10**9 }}", "more than 16777216 bytes"},
		{"a length beyond all integers", "{{ 'a' * 10**30 }}", "more than 16777216 bytes"},
		{"doubling", "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "more than 16777216 bytes"},
		{"doubling a list", "{% set ns = namespace(l=[0]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}", "more than 16777216 bytes"},
		{"replace", "{{ ('a' * 100000)|replace('a', 'b' * 1000) }}", "more than 16777216 bytes"},
		{"replace nothing", "{{ ('a' * 100000).replace('', 'b' * 1000) }}", "more than 16777216 bytes"},
		{"join", "{{ ('x' * 10000)|join('y' * 10000) }}", "more than 16777216 bytes"},
		{"indent", "{{ ('\\n' * 10000)|indent(100000, blank=true) }}", "more than 16777216 bytes"},
		{"center", "{{ 'x'.center(10**9) }}", "more than 16777216 bytes"},
		{"a wide placeholder", "{{ '%999999999d' % 1 }}", "which is the limit"},
		{"a wide field", "{{ '{:999999999}'.format(1) }}", "which is the limit"},
		{"many placeholders", "{{ ('%90000d' * 1000) % 1 }}", "not enough arguments"},
		{"a large power", "{{ 10 ** (10 ** 10) }}", "too large"},
		{"a large power again", "{{ (2 ** 60000) * (2 ** 60000) }}", "too large"},
		{"squaring", "{% set ns = namespace(n=10) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", "too large"},
		{"a number that is too long to print", "{{ 10 ** 5000 }}", "Exceeds the limit (4300 digits)"},
		{"a long range", "{{ range(10**9) }}", "Range too big"},
		{"brackets", "{{ " + strings.Repeat("(", 100000), "nested more than 100 levels"},
		{"lists", "{{ " + strings.Repeat("[", 100000), "nested more than 100 levels"},
		{"signs", "{{ " + strings.Repeat("- ", 100000) + "1 }}", "nested more than 100 levels"},
		{"nots", "{{ " + strings.Repeat("not ", 100000) + "1 }}", "nested more than 100 levels"},
		{"inline ifs", "{{ " + strings.Repeat("1 if 1 else ", 100000) + "1 }}", "nested more than 100 levels"},
		{"ifs", strings.Repeat("{% if 1 %}", 100000), "nested more than 100 levels"},
		{"elifs", "{% if 1 %}" + strings.Repeat("{% elif 1 %}", 100000), "nested more than 100 levels"},
		{"a long sum", "{{ 1" + strings.Repeat("+1", 100000) + " }}", "nested more than 1000 levels"},
		{"a long chain", "{{ a" + strings.Repeat(".b", 100000) + " }}", "nested more than 1000 levels"},
		{"a long template", strings.Repeat("{{a}}", 1000000), "more than 16777216 bytes"},
		{"a macro that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested more than 1000 levels"},
		{"a list in itself", "{% set l = [] %}{% do l.append(l) %}{{ l }}", "nested more than 200 levels"},
		{"a list in itself as JSON", "{% set l = [] %}{% do l.append(l) %}{{ l|tojson }}", "nested more than 200 levels"},
		{"lists in themselves compared", "{% set l = [] %}{% set k = [] %}{% do l.append(k) %}{% do k.append(l) %}{{ l == k }}", "nested more than 200 levels"},
		{"a deep tuple as a key", "{% set ns = namespace(t=()) %}{% for i in range(50) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}", "more than 1"},
		{"a value of many ways", "{% set ns = namespace(l=[0]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}", "more than 1"},
		{"wordwrap", "{{ ('x' * 400000)|wordwrap(1) }}", "more than 1"},
		{"searching a long string", "{% set s = 'ab' * 1000000 %}{% for i in range(9999) %}{% if 'c' in s %}{% endif %}{% endfor %}", "more than 1000000 steps"},
		{"splitting", "{{ (',' * 9000000).split(',')|length }}", "more than 16777216 bytes"},
		{"lines", "{{ ('\\n' * 9000000).splitlines()|length }}", "more than 16777216 bytes"},
		{"a long tuple as a key", "{% set t = ((1,) * 100000) %}{% for i in range(99) %}{% if t in v %}{% endif %}{% endfor %}", "more than 1000000 steps"},
		{"missing names", "{% for i in range(100000) %}{{ a[i ~ 'x' * 300] }}{% endfor %}", "more than 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := Render("t", tt.text, map[string]any{"a": map[string]any{}, "v": map[string]any{}}, Limits{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d bytes, %v; want an error with %q", len(res.Text), err, tt.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	if _, err := Render("t", "{% for i in range(50) %}{{ i }}{% endfor %}", nil, Limits{Steps: 100}); err == nil {
		t.Error("a limit of 100 steps lets a loop of 50 pass")
	}
	if _, err := Render("t", strings.Repeat("x", 2000), nil, Limits{Size: 1000}); err == nil {
		t.Error("a limit of 1000 bytes lets an output of 2000 pass")
	}
	if _, err := Render("t", strings.Repeat("x", 2000), nil, Limits{Size: 2000}); err != nil {
		t.Error(err)
	}
	big := strings.Repeat("x", 20<<20)
	if _, err := Basic("t", "$a", map[string]any{"a": big}); err == nil {
		t.Error("a basic template prints more than 16 MiB")
	}
}

// A template with work to do stays within the limits: a hosts file for 2000 machines, a list of 20,000 names.
func TestEnoughForWork(t *testing.T) {
	text := "{% for i in range(2000) %}10.0.{{ i // 256 }}.{{ i % 256 }} host-{{ '%04d' % i }}{{ ' ' ~ i|string|upper if i is even }}\n{% endfor %}"
	res, err := Render("t", text, nil, Limits{})
	if err != nil || strings.Count(res.Text, "\n") != 2000 {
		t.Errorf("got %d lines, %v", strings.Count(res.Text, "\n"), err)
	}
	text = "{% set l = [] %}{% set d = {} %}{% for i in range(20000) %}{% do l.append('host-' ~ i) %}{% do d.update({i: l|length}) %}{% endfor %}{{ l|length }} {{ d[7] }}"
	if res, err = Render("t", text, nil, Limits{}); err != nil || res.Text != "20000 8" {
		t.Errorf("got %q, %v", res.Text, err)
	}
}
