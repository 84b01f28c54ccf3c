package machine

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// A pattern that fits another name than it should gives a file a label with which its service may not read it.
func TestPatternsAsGo(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	pieces := strings.Fields(`/ a b . .* [^/]* [^/]+ (/.*)? ( ) (?: | * + ? {2} {1,} {0,2} {2,3} [ab] [a-c/] [^ab] \. \+ \d \w \S [[:digit:]] [a-] []a] ^ $ 1 (64)? lib -`)
	letters := []string{"/", "a", "b", "c", ".", "1", "64", "lib", "-", "+", "]", " ", "aa", "/b"}
	read := 0
	for range 10_000 {
		var text strings.Builder
		for range random.IntN(8) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		want, err := regexp.Compile(`(?s)\A(?:` + text.String() + `)\z`)
		p, ok := compilePattern(text.String())
		if ok && err != nil {
			t.Fatalf("%q is read, and Go refuses it: %v", &text, err)
		}
		if !ok {
			continue
		}
		read++
		for range 10 {
			var name strings.Builder
			for range random.IntN(5) {
				name.WriteString(letters[random.IntN(len(letters))])
			}
			if p.matches(name.String()) != want.MatchString(name.String()) {
				t.Fatalf("%q fits %q: we say %v", text.String(), name.String(), p.matches(name.String()))
			}
		}
	}
	if read < 2000 {
		t.Errorf("only %d patterns were read", read)
	}
}

// What policies are written with must be read; what is left out of a policy for it has a wrong label.
func TestPatternsOfPolicies(t *testing.T) {
	for _, text := range []string{`/usr/lib(64)?/.*`, `/dev/[shmxv]d[^/]*`, `/home/[^/]+/\.ssh(/.*)?`, `/lib/udev/devices/ppp`, `/usr/(s)?bin/apache(2)?`, `/var/spool/cron/[^/]*`,
		`/dev/(misc/)?hw_random.*`, `/usr/lib/systemd/system/serial-getty@.*`, `/var/log/.*-[0-9]{8}`, `/opt/(.*/)?var/lib(/.*)?`, `/etc/rc\.d/rc[0-6]\.d(/.*)?`, `/dev/fb[0-9]*`, `/usr/share/texmf/web2c/mktex(dir|nam|upd)`} {
		p, ok := compilePattern(text)
		if _, err := regexp.Compile(text); !ok || err != nil {
			t.Errorf("%q is not read", text)
		}
		p.matches(strings.Repeat("/usr/lib", 500)) // in time that grows with the name only
	}
	for _, text := range []string{"(?=x)", "(?i)a", `a\1`, `\pL`, `a**`, "a++", "(", ")", "[", "[b-a]", "*", "a{2", "a{3,2}", strings.Repeat("(", 1000), `\`, `a{1000}{1000}`, strings.Repeat("(.{100}", 40) + strings.Repeat("){100}", 40)} {
		if _, ok := compilePattern(text); ok {
			t.Errorf("%.40q is read", text)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("/home/[^/]+/\\.ssh(/.*)?", "/home/a/.ssh")
	f.Add("(a|b{2,3})*c?", "abbc")
	f.Fuzz(func(t *testing.T, text, name string) {
		if p, ok := compilePattern(text); ok && len(name) <= 256 {
			p.matches(name)
		}
	})
}
