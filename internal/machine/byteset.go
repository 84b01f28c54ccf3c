package machine

import "strings"

// set reads a dot, a set in brackets, an escape, or a byte that stands for itself.
func (c *patternCompiler) set() (*byteSet, bool) {
	set := &byteSet{}
	sign := c.rest[0]
	c.rest = c.rest[1:]
	switch sign {
	case '.':
		set.addRange(0, 255)
		return set, true
	case '[':
		return set, c.brackets(set)
	case '\\':
		return set, c.escape(set)
	}
	set[sign] = true
	return set, true
}

func (s *byteSet) addRange(from, to byte) {
	for b := int(from); b <= int(to); b++ {
		s[b] = true
	}
}

// invert turns a set into all other bytes.
func (s *byteSet) invert() {
	for b := range s {
		s[b] = !s[b]
	}
}

// namedSets are what a letter behind a backslash means, or a name in [:…:]. Ranges are written as pairs.
var namedSets = map[string]string{
	"d": "09", "w": "09AZaz__", "s": "\t\n\f\r  ",
	"digit": "09", "alpha": "AZaz", "alnum": "09AZaz", "lower": "az", "upper": "AZ", "space": "\t\r  ", "xdigit": "09AFaf", "punct": "!/:@[`{~", "blank": "\t\t  ",
}

func (s *byteSet) addNamed(name string) bool {
	ranges := namedSets[name]
	for i := 0; i < len(ranges); i += 2 {
		s.addRange(ranges[i], ranges[i+1])
	}
	return ranges != ""
}

// escape reads what follows a backslash: a sign stands for itself, and d, w and s for a set; D, W and S for all others.
func (c *patternCompiler) escape(set *byteSet) bool {
	if c.rest == "" {
		return false
	}
	letter := c.rest[0]
	c.rest = c.rest[1:]
	switch {
	case !isLetterOrDigit(letter):
		set[letter] = true
		return letter < 0x80
	case strings.IndexByte("DWS", letter) >= 0:
		set.addNamed(strings.ToLower(string(letter)))
		set.invert()
		return true
	}
	return len(string(letter)) == 1 && strings.IndexByte("dws", letter) >= 0 && set.addNamed(string(letter))
}

// brackets reads a set up to its closing bracket. One that is the first of it stands for itself.
func (c *patternCompiler) brackets(set *byteSet) bool {
	inverted := c.take("^")
	for first := true; first || !strings.HasPrefix(c.rest, "]"); first = false {
		if c.rest == "" || !c.member(set) {
			return false
		}
	}
	c.rest = c.rest[1:]
	if inverted {
		set.invert()
	}
	return true
}

// member reads one byte, range or name of a set.
func (c *patternCompiler) member(set *byteSet) bool {
	if c.take("[:") {
		name, rest, ok := strings.Cut(c.rest, ":]")
		c.rest = rest
		return ok && len(name) > 1 && set.addNamed(name)
	}
	one := &byteSet{}
	from := c.rest[0]
	if c.rest = c.rest[1:]; from == '\\' {
		if c.rest == "" {
			return false
		}
		if from = c.rest[0]; isLetterOrDigit(from) {
			ok := c.escape(one)
			for b, in := range one {
				set[b] = set[b] || in
			}
			return ok
		}
		c.rest = c.rest[1:]
	}
	to := from
	if len(c.rest) > 1 && c.rest[0] == '-' && c.rest[1] != ']' {
		to = c.rest[1]
		if c.rest = c.rest[2:]; to == '\\' || to == '[' {
			return false
		}
	}
	set.addRange(from, to)
	return from <= to
}
