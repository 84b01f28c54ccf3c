package jinja

import (
	"slices"
	"strings"
)

// The methods of Python's types that templates may call, and Jinja's own functions.
var (
	stringMethods = []operation{
		{"capitalize", "", capitalize},
		{"center ljust rjust", "width fillchar?", justify},
		{"count", "sub", func(c call) any { return int64(strings.Count(c.subject(), c.textOf(0, ""))) }},
		{"endswith startswith", "affix", affixed},
		{"find index rfind rindex", "sub", search},
		{"format", "* **", strFormat},
		{"isalnum isalpha isdecimal isdigit isnumeric isspace", "", consists},
		{"islower", "", isLower},
		{"isupper", "", isUpper},
		{"join", "iterable", func(c call) any { return c.joined(c.subject(), c.items(c.values[0])) }},
		{"lower", "", lower},
		{"partition rpartition", "sep", partition},
		{"removeprefix", "prefix", func(c call) any { return strings.TrimPrefix(c.subject(), c.textOf(0, "")) }},
		{"removesuffix", "suffix", func(c call) any { return strings.TrimSuffix(c.subject(), c.textOf(0, "")) }},
		{"replace", "old new count?", replace},
		{"split rsplit", "sep? maxsplit?", split},
		{"splitlines", "", splitLines},
		{"strip lstrip rstrip", "chars?", strip},
		{"title", "", func(c call) any { return c.title("") }},
		{"upper", "", upper},
		{"zfill", "width", func(c call) any { return c.zeros(c.subject(), c.intOf(0, 0)) }},
	}
	sequenceMethods = []operation{
		{"count", "value", countItem},
		{"index", "value", func(c call) any { return int64(c.position(c.values[0])) }},
	}
	listMethods = append(sequenceMethods[:2:2], []operation{
		{"append", "value", func(c call) any { return c.extend(c.values) }},
		{"clear", "", func(c call) any { return c.become(nil) }},
		{"copy", "", func(c call) any { return list(c.copyItems(c.of)) }},
		{"extend", "iterable", func(c call) any { return c.extend(c.items(c.values[0])) }},
		{"insert", "index value", insert},
		{"pop", "index?", popItem},
		{"remove", "value", func(c call) any { return c.become(without(c.items(c.of), c.position(c.values[0]))) }},
		{"reverse", "", func(c call) any { return c.become(reverse(c).(*seq).items) }},
		{"sort", "reverse?", func(c call) any {
			return c.become(c.sort(c.copyItems(c.of), c.value(0, nil), func(item any) any { return item }).items)
		}},
	}...)
	dictMethods = []operation{
		{"copy", "", func(c call) any { c.values = []any{c.of}; return c.update(newDict()) }},
		{"get", "key default?", func(c call) any { return c.get(c.of.(*dict), c.values[0], c.value(1, nil)) }},
		{"items", "", entries},
		{"keys", "", func(c call) any { return list(c.of.(*dict).keys) }},
		{"pop", "key default?", popEntry},
		{"setdefault", "key default?", setDefault},
		{"update", "mapping? **", func(c call) any { c.update(c.of.(*dict)); return nil }},
		{"values", "", func(c call) any { return list(slices.Clone(c.of.(*dict).values)) }},
	}
	loopMethods = []operation{{"changed", "*", changed}, {"cycle", "*", cycle}}
	globals     = []operation{
		{"dict", "mapping? **", func(c call) any { return c.update(newDict()) }},
		{"namespace", "mapping? **", func(c call) any { return &namespace{c.update(newDict())} }},
		{"range", "start stop? step?", makeRange},
	}
)

// become gives a list other items.
func (c call) become(items []any) any {
	c.of.(*seq).items = items
	return nil
}

func (c call) extend(items []any) any {
	c.charge(16, len(items))
	l := c.of.(*seq)
	l.items = append(l.items, items...)
	return nil
}

// update adds a mapping or pairs, and named values, to a dict.
func (c call) update(d *dict) *dict {
	if c.value(0, nil) != nil {
		pairs := c.items(c.values[0])
		if from, ok := c.values[0].(*dict); ok {
			pairs = c.pairs(from)
		}
		for _, pair := range pairs {
			entry := c.unpack(pair, 2)
			c.put(d, entry[0], entry[1])
		}
	}
	for _, a := range c.rest {
		c.put(d, a.name, a.value)
	}
	return d
}

func makeRange(c call) any {
	low, high, step := 0, c.intOf(0, 0), c.intOf(2, 1)
	if c.value(1, nil) != nil {
		low, high = high, c.intOf(1, 0)
	}
	c.check(step != 0, "range() arg 3 must not be zero")
	const tooBig = "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."
	c.check(max(low, -low, high, -high) < far, tooBig)
	var items []any
	for i := low; (high-i)*step > 0; i += step {
		items = append(items, int64(i))
		c.check(len(items) <= 100_000, tooBig)
	}
	c.charge(24, len(items))
	return list(items)
}

// position is where an item is in a list or tuple.
func (c call) position(item any) int {
	i := slices.IndexFunc(c.items(c.of), func(v any) bool { return c.equal(v, item, 0) })
	c.check(i >= 0, "%s is not in list", c.repr(item))
	return i
}

func countItem(c call) any {
	n := int64(0)
	for _, v := range c.items(c.of) {
		if c.equal(v, c.values[0], 0) {
			n++
		}
	}
	return n
}

func insert(c call) any {
	items, i := c.items(c.of), c.intOf(0, 0)
	if i < 0 {
		i += len(items)
	}
	i = max(0, min(len(items), i))
	return c.become(slices.Concat(items[:i], c.values[1:], items[i:]))
}

func popItem(c call) any {
	items := c.items(c.of)
	c.check(len(items) > 0, "pop from empty list")
	i, ok := index(c.value(0, int64(-1)), len(items))
	c.check(ok, "pop index out of range")
	c.become(without(items, i))
	return items[i]
}

func popEntry(c call) any {
	d, v := c.of.(*dict), c.values[1]
	if v = c.get(d, c.values[0], v); v == (absent{}) {
		c.fail("%s", c.repr(c.values[0]))
	}
	c.remove(d, c.values[0])
	return v
}

func setDefault(c call) any {
	d := c.of.(*dict)
	if v := c.get(d, c.values[0], absent{}); v != (absent{}) {
		return v
	}
	v := c.value(1, nil)
	c.put(d, c.values[0], v)
	return v
}

// cycle is loop.cycle: each time the next of its arguments.
func cycle(c call) any {
	c.check(len(c.rest) > 0, "no items for cycling given")
	return c.rest[c.of.(*loop).index%len(c.rest)].value
}

// changed is loop.changed: whether its arguments are others than the last time.
func changed(c call) any {
	l, now := c.of.(*loop), &seq{kind: tupleKind}
	for _, a := range c.rest {
		now.items = append(now.items, a.value)
	}
	was := l.before
	l.before = now
	return !c.equal(was, now, 0)
}
