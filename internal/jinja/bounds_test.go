package jinja

import (
	"math/big"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// tooMuch are templates that would take more than a template may, and a part of what is said of them.
var tooMuch = []struct{ name, text, want string }{
	{"nested loops", "{% for a in range(1000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}", "more"},
	{"a loop without values", "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}", "more"},
	{"a loop that prints", "{% for a in range(90000) %}{{ 'x' * 1000 }}{% endfor %}", "more than 4194304 bytes"},
	{"a text in a loop", "{% for a in l %}{% for b in l %}{% for c in l %}" + strings.Repeat("x", 10000) + "{% endfor %}{% endfor %}{% endfor %}", "more than 4194304 bytes"},
	{"a long string", "{{ 'a' * 10**9 }}", "more than 4194304 bytes"},
	{"a long list", "{{ [0] * 10**9 }}", "more than 4194304 bytes"},
	{"nothing, very often", "{{ '' * 10**18 }}{{ [] * 10**18 }}{{ 'a' * 10**30 }}", "too large"},
	{"doubling", "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "more than 4194304 bytes"},
	{"doubling a list", "{% set ns = namespace(l=[0]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}", "more than 4194304 bytes"},
	{"a list that takes itself", "{% set l = [0] %}{% for i in range(99) %}{% do l.extend(l) %}{% endfor %}", "more than 4194304 bytes"},
	{"replace", "{{ ('a' * 100000)|replace('a', 'b' * 1000) }}", "more than 4194304 bytes"},
	{"replace with a count", "{{ ('a' * 100000)|replace('a', 'b' * 1000, -1) }}", "more than 4194304 bytes"},
	{"replace nothing", "{{ ('a' * 100000).replace('', 'b' * 1000) }}", "more than 4194304 bytes"},
	{"escape", "{{ ('<' * 1000000)|e }}", "more than 4194304 bytes"},
	{"join", "{{ ('x' * 10000)|join('y' * 10000) }}", "more than 4194304 bytes"},
	{"indent", "{{ ('\\n' * 10000)|indent(100000, blank=true) }}", "more than 4194304 bytes"},
	{"a wide indent", "{{ 'x'|indent(10**9, true) }}", "more than 4194304 bytes"},
	{"a wide indent of JSON", "{{ ([1] * 10000)|tojson(10**9) }}{{ ([1] * 200000)|tojson }}", "more than 4194304 bytes"},
	{"JSON that grows by its escapes", "{{ ('é' * 900000)|tojson }}", "more than 4194304 bytes"},
	{"JSON that grows by control characters", "{{ ('\\x01' * 1900000)|tojson }}", "more than 4194304 bytes"},
	{"JSON of one text, very often", "{% set s = 'x' * 500000 %}{{ ([s] * 1000)|tojson }}", "more than 4194304 bytes"},
	{"JSON of one key, very often", "{% set d = {'x' * 500000: 1} %}{{ ([d] * 1000)|tojson }}", "more than 4194304 bytes"},
	{"JSON deep and wide", "{% set ns = namespace(l=[1] * 20000) %}{% for i in range(150) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson(16) }}", "more than 4194304 bytes"},
	{"one text, very often", "{% set s = 'x' * 500000 %}{{ [s] * 1000 }}", "more than 4194304 bytes"},
	{"every second character", "{% set s = 'xé' * 600000 %}{% for i in range(9) %}{% set t = s[::-2] %}{% endfor %}", "more than 4194304 bytes"},
	{"sorting", "{% set l = range(50000)|reverse|map('string') %}{% for i in range(99) %}{% set t = l|sort %}{% endfor %}", "more than 4194304 bytes"},
	{"wide methods", "{% for i in range(999) %}{% set s = 'x'.center(1000000) ~ 'x'.ljust(9) ~ 'x'.zfill(9) %}{% endfor %}", "more than 4194304 bytes"},
	{"a wide fill", "{{ 'x'.rjust(10**8, '☃') }}", "more than 4194304 bytes"},
	{"wide zeros", "{{ '1'.zfill(10**8) }}", "more than 4194304 bytes"},
	{"sorting one long text", "{% set s = 'X' * 1000000 %}{{ ([s] * 10000)|sort|length }}", "more than 4194304 bytes"},
	{"grouping one long text", "{% set s = 'x' * 1000000 %}{{ ([[s]] * 10000)|groupby('0')|length }}", "more than 4194304 bytes"},
	{"a wide batch", "{{ [1]|batch(10**8, 0) }}", "more than 4194304 bytes"},
	{"small batches", "{% for i in range(99) %}{% set l = range(9999)|batch(1) %}{% endfor %}", "more than 4194304 bytes"},
	{"groups", "{% for i in range(99) %}{% set l = range(9999)|groupby('x', default=1) %}{% endfor %}", "more"},
	{"a wide field", "{{ ('{:99999}' * 1000).format(*[1]) }}", "unexpected '*'"},
	{"wide fields", "{{ ('{0:99999}' * 1000).format(1) }}", "more than 4194304 bytes"},
	{"many fields", "{{ ('{{' * 1000000).format() }}{{ ('{0}' * 1000000).format(1) }}", "more"},
	{"urlencode", "{{ ('/ü' * 1000000)|urlencode }}", "more than 4194304 bytes"},
	{"truncate", "{% set s = 'xé ' * 400000 %}{% for i in range(9) %}{% set t = s|truncate(900000) %}{% endfor %}", "more than 4194304 bytes"},
	{"a list that is emptied slowly", "{% set l = range(90000)|list %}{% for i in range(90000) %}{% do l.pop() %}{% endfor %}", "more"},
	{"a dict that is emptied slowly", "{% set d = {} %}{% for i in range(9000) %}{% do d.update({i: i}) %}{% endfor %}{% for i in range(9000) %}{% do d.pop(i) %}{% endfor %}", "more"},
	{"a list that is counted", "{% set l = range(50000)|list %}{% for i in range(9000) %}{% if l.count(1) %}{% endif %}{% endfor %}", "more steps"},
	{"a text that is counted", "{% set s = 'ab' * 1000000 %}{% for i in range(9999) %}{% if s.count('c') %}{% endif %}{% endfor %}", "more"},
	{"words one by one", "{% set s = 'a ' * 500000 %}{% for i in range(99) %}{% set t = s.rsplit(none, 1) %}{% endfor %}", "more than 4194304 bytes"},
	{"a long chain of comparisons", "{{ 1" + strings.Repeat(" < 1", 500000) + " }}", "more than 4194304 bytes"},
	{"a wide placeholder", "{{ '%999999999d' % 1 }}", "too large"},
	{"a precise placeholder", "{{ '%.999999f' % 1 }}", "too large"},
	{"many placeholders", "{{ ('%90000d' * 1000)|format" + "(" + strings.Repeat("1,", 999) + "1) }}", "more than 4194304 bytes"},
	{"a large power", "{{ 10 ** (10 ** 10) }}", "too large"},
	{"a large product", "{{ (2 ** 40) * (2 ** 40) }}", "too large"},
	{"squaring", "{% set ns = namespace(n=10) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", "too large"},
	{"a long range", "{{ range(10**9) }}", "Range too big"},
	{"brackets", "{{ " + strings.Repeat("(", 100000), "nested more than 100 levels"},
	{"lists", "{{ " + strings.Repeat("[", 100000), "nested more than 100 levels"},
	{"signs", "{{ " + strings.Repeat("- ", 100000) + "1 }}", "nested more than 100 levels"},
	{"nots", "{{ " + strings.Repeat("not ", 100000) + "1 }}", "nested more than 100 levels"},
	{"inline ifs", "{{ " + strings.Repeat("1 if 1 else ", 100000) + "1 }}", "nested more than 100 levels"},
	{"ifs", strings.Repeat("{% if 1 %}", 100000), "nested more than 100 levels"},
	{"elifs", "{% if 1 %}" + strings.Repeat("{% elif 1 %}", 100000), "nested more than 100 levels"},
	{"targets", "{% set " + strings.Repeat("(", 100000), "nested more than 100 levels"},
	{"a long sum", "{{ 1" + strings.Repeat("+1", 10000) + " }}", "nested more than 1000 levels"},
	{"a long chain", "{{ a" + strings.Repeat(".b", 100000) + " }}", "more than 4194304 bytes"},
	{"a long chain of filters", "{{ a" + strings.Repeat("|e", 5000) + " }}", "nested more than 1000 levels"},
	{"a long template", strings.Repeat("{{a}}", 1000000), "more than 4194304 bytes"},
	{"a macro that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested more than 1000 levels"},
	{"a macro of many arguments", "{% macro f(" + strings.Repeat("a,", 9000) + ") %}{% endmacro %}{{ f(" + strings.Repeat("1,", 9000) + ") }}" + strings.Repeat("{{ f() }}", 3000), "more"},
	{"a list in itself", "{% set l = [] %}{% do l.append(l) %}{{ l }}", "nested more than 200 levels"},
	{"a list in itself as JSON", "{% set l = [] %}{% do l.append(l) %}{{ l|tojson }}", "nested more than 200 levels"},
	{"lists in themselves compared", "{% set l = [] %}{% set k = [] %}{% do l.append(k) %}{% do k.append(l) %}{{ l == k }}", "nested more than 200 levels"},
	{"a value of many ways", "{% set ns = namespace(l=[0]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}", "more"},
	{"a value of many ways as JSON", "{% set ns = namespace(l=[0]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}", "more"},
	{"searching a long string", "{% set s = 'ab' * 1000000 %}{% for i in range(9999) %}{% if 'c' in s %}{% endif %}{% endfor %}", "more steps"},
	{"searching a long list", "{% set s = [0] * 20000 %}{% for i in range(9999) %}{% if 1 in s %}{% endif %}{% endfor %}", "more steps"},
	{"the end of a long string", "{% set s = 'ab' * 1000000 %}{% for i in range(9999) %}{% if s[-1] == 'c' %}{% endif %}{% endfor %}", "more steps"},
	{"splitting", "{{ (',' * 3000000).split(',')|length }}", "more than 4194304 bytes"},
	{"words", "{{ (' a' * 1000000).split()|length }}", "more than 4194304 bytes"},
	{"lines", "{{ ('\\n' * 3000000).splitlines()|length }}", "more than 4194304 bytes"},
	{"characters", "{{ ('a' * 3000000)|list|length }}", "more than 4194304 bytes"},
	{"missing names", "{% for i in range(10000) %}{{ a[i ~ 'x' * 300] }}{% endfor %}", "more than 4194304 bytes"},
	{"many missing names", "{% for i in range(90000) %}{{ a[i] }}{% endfor %}", "more"},
	{"a dict that grows", "{% set d = {} %}{% for i in range(90000) %}{% do d.update({i: [i]}) %}{% endfor %}", "more than 4194304 bytes"},
	{"captured texts", "{% for i in range(90000) %}{% set s %}" + strings.Repeat("x", 1000) + "{% endset %}{% endfor %}", "more than 4194304 bytes"},
}

var boundsVars = map[string]any{"a": map[string]any{}, "l": make([]any, 100)}

// User-data may come from anyone who may start a machine: none of it may hang the boot or take the machine's memory.
func TestBounds(t *testing.T) {
	for _, tt := range tooMuch {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res, err := Render("t", tt.text, boundsVars, Limits{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d bytes, %v; want an error with %q", len(res.Text), err, tt.want)
			}
		})
	}
}

// Row Y05. At the default limits no template takes the process above 64 MiB, all else that is in it included.
func TestMemory(t *testing.T) {
	for _, tt := range tooMuch {
		debug.FreeOSMemory()
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			t.Skip("the kernel does not let a process forget its peak of memory: ", err)
		}
		_, _ = Render("t", tt.text, boundsVars, Limits{})
		status, _ := os.ReadFile("/proc/self/status")
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		peak, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if kB, err := strconv.Atoi(peak); err != nil || kB > 64<<10 {
			t.Errorf("%s: the peak is %s kB, %v", tt.name, peak, err)
		}
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
	if _, err := Basic("t", "$a", map[string]any{"a": strings.Repeat("x", 5<<20)}); err == nil {
		t.Error("a basic template prints more than 4 MiB")
	}
}

// A template with work to do stays within the limits: a hosts file for 2000 machines, a list of 5,000 names.
func TestEnoughForWork(t *testing.T) {
	text := "{% for i in range(2000) %}10.0.{{ i // 256 }}.{{ i % 256 }} host-{{ '%04d' % i }}{{ ' ' ~ i|string|upper if i is even }}\n{% endfor %}"
	res, err := Render("t", text, nil, Limits{})
	if err != nil || strings.Count(res.Text, "\n") != 2000 {
		t.Errorf("got %d lines, %v", strings.Count(res.Text, "\n"), err)
	}
	text = "{% set l = [] %}{% set d = {} %}{% for i in range(5000) %}{% do l.append('host-' ~ i) %}{% do d.update({i: l|length}) %}{% endfor %}{{ l|length }} {{ d[7] }}"
	if res, err = Render("t", text, nil, Limits{}); err != nil || res.Text != "5000 8" {
		t.Errorf("got %q, %v", res.Text, err)
	}
}

// An integer that does not fit 64 bits is printed as it is, and nothing else.
func TestLargeIntegers(t *testing.T) {
	vars := map[string]any{"big": new(big.Int).Lsh(big.NewInt(1), 70), "small": big.NewInt(7)}
	res, err := Render("t", "{{ big }} {{ [big] }} {{ big|tojson }} {{ big ~ '' }} {{ big is integer }} {{ small + 1 }}", vars, Limits{})
	if want := "1180591620717411303424 [1180591620717411303424] 1180591620717411303424 1180591620717411303424 True 8"; err != nil || res.Text != want {
		t.Errorf("got %q, %v", res.Text, err)
	}
	_, err = Render("t", "{{ big + 1 }}", vars, Limits{})
	if want := "t:1:8: unsupported operand type(s) for +: 'int beyond 64 bits' and 'int'"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{"{{ 9223372036854775807 + 1 }}", "{{ 2 ** 63 }}", "{{ 1e19|int }}", "{{ '99999999999999999999'|int }}", "{{ 9223372036854775808 }}"} {
		if res, err = Render("t", text, nil, Limits{}); err == nil || !strings.Contains(err.Error(), "64 bits") {
			t.Errorf("%s: got %q, %v", text, res.Text, err)
		}
	}
}
