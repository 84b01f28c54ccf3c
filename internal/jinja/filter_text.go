package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number is what a number or a text is as a float.
func (c call) number() (f float64, ok bool) {
	c.need(c.of)
	if s, isText := c.of.(string); isText {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return f, err == nil || math.IsInf(f, 0)
	}
	return number(c.of)
}

func toFloat(c call) any {
	if f, ok := c.number(); ok {
		return f
	}
	return c.value(0, 0.0)
}

// toInt is an integer of a number, or of text in a base; a fraction is cut off.
func toInt(c call) any {
	if i, ok := integer(c.of); ok {
		return i
	}
	s, _ := c.of.(string)
	base := c.intOf(1, 10)
	prefix := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]
	if i, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(s), prefix), base, 64); err == nil {
		return i
	}
	if f, ok := c.number(); ok && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return c.whole(f)
	}
	return c.value(0, int64(0))
}

// round rounds half to even, as Python does, or up or down.
func round(c call) any {
	f, ok := number(c.of)
	c.check(ok, "type %s doesn't define __round__ method", typeName(c.of))
	precision, method := max(-300, min(300, c.intOf(0, 0))), c.textOf(1, "common")
	unit := math.Pow10(precision)
	switch i, isInt := integer(c.of); {
	case method == "ceil":
		return math.Ceil(f*unit) / unit
	case method == "floor":
		return math.Floor(f*unit) / unit
	case method != "common":
		c.fail("method must be common, ceil or floor")
	case isInt && precision >= 0:
		return i
	case precision < 0:
		f = math.RoundToEven(f*unit) / unit
		if isInt {
			return c.whole(f)
		}
	default:
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', precision, 64), 64)
	}
	return f
}

func absolute(c call) any {
	if f, isFloat := c.of.(float64); isFloat {
		return math.Abs(f)
	}
	i, ok := integer(c.of)
	c.check(ok, "bad operand type for abs(): '%s'", typeName(c.of))
	return max(i, -i)
}

// subject is what a filter of text or a method of strings is applied to.
func (c call) subject() string {
	s := c.str(c.of)
	c.charge(len(s), 1) // for a result of about the same length
	return s
}

// formatFilter is "%" with arguments in place of a tuple or mapping.
func formatFilter(c call) any {
	plain, named := &seq{kind: tupleKind}, newDict()
	for _, a := range c.rest {
		if a.name == "" {
			plain.items = append(plain.items, a.value)
		} else {
			c.put(named, a.name, a.value)
		}
	}
	c.check(len(plain.items) == 0 || len(named.keys) == 0, "can't handle positional and keyword arguments at the same time")
	if len(named.keys) > 0 {
		return c.percent(c.subject(), named)
	}
	return c.percent(c.subject(), plain)
}

func escape(c call) any {
	s := c.subject()
	c.charge(6, len(s))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
}

// indent puts white space before lines: all but the first, and not before empty ones, unless told so.
func indent(c call) any {
	s := c.needText(c.of)
	by, isText := c.value(0, nil).(string)
	if !isText {
		by = c.pad("", c.intOf(0, 4), " ", "")
	}
	return c.text(func(t *buffer) {
		newline, wanted := "", truth(c.value(1, nil))
		for line := range strings.SplitSeq(s, "\n") {
			t.write(newline)
			if wanted && (line != "" || newline == "" || truth(c.value(2, nil))) {
				t.write(by)
			}
			t.write(line)
			newline, wanted = "\n", true
		}
	})
}

// join puts a text between items, each as it prints.
func join(c call) any {
	sep := ""
	return c.text(func(t *buffer) {
		for _, item := range c.items(c.of) {
			c.step(1)
			t.write(sep)
			t.write(c.str(c.follow(item, c.value(1, nil), nil)))
			sep = c.str(c.value(0, ""))
		}
	})
}

// truncate cuts a text at a word, unless that makes little difference, and says so with its end.
func truncate(c call) any {
	size, end, leeway := c.intOf(0, 255), c.textOf(2, "..."), c.intOf(3, 5)
	n, ok := length(c.of)
	keep := size - utf8.RuneCountInString(end)
	c.check(ok, "object of type '%s' has no len()", typeName(c.of))
	c.check(keep >= 0, "expected length >= %d, got %d", size-keep, size)
	c.check(leeway >= 0, "expected leeway >= 0, got %d", leeway)
	if n <= size+leeway {
		return c.of
	}
	s := c.slice(c.needText(c.of), []any{nil, int64(keep), nil}).(string)
	if i := strings.LastIndex(s, " "); i >= 0 && !truth(c.value(1, nil)) {
		s = s[:i]
	}
	return s + end
}

// urlEncode quotes text for the path of a URL, or a mapping or pairs for its query.
func urlEncode(c call) any {
	pairs := []any(nil)
	switch v := c.of.(type) {
	case *dict:
		pairs = c.pairs(v)
	case *seq:
		pairs = v.items
	case *undefined:
	default:
		return c.text(func(t *buffer) { t.urlQuote(c.str(v), "/") })
	}
	return c.text(func(t *buffer) {
		for i, pair := range pairs {
			entry := c.unpack(pair, 2)
			t.write("&"[:min(1, i)])
			t.urlQuote(c.str(entry[0]), " ")
			t.write("=")
			t.urlQuote(c.str(entry[1]), " ")
		}
	})
}

// urlQuote writes a text with all but some characters as "%XX". Where a space is safe, it becomes a "+".
func (t *buffer) urlQuote(s, safe string) {
	const hex = "0123456789ABCDEF"
	t.m.work(s)
	for i := range len(s) {
		switch b := s[i]; {
		case b == ' ' && safe == " ":
			t.write("+")
		case b < utf8.RuneSelf && b != '_' && inName(rune(b)) || strings.IndexByte("_.-~"+safe, b) >= 0:
			t.write(s[i : i+1])
		default:
			t.write("%" + hex[b>>4:b>>4+1] + hex[b&15:b&15+1])
		}
	}
}
