package jinja

import "strings"

// tests are what stands behind "is".
var tests = []operation{
	{"!= ne", "other", func(c call) any { return c.compare("!=", c.of, c.values[0]) }},
	{"< lt lessthan", "other", func(c call) any { return c.compare("<", c.of, c.values[0]) }},
	{"<= le", "other", func(c call) any { return c.compare("<=", c.of, c.values[0]) }},
	{"== eq equalto", "other", func(c call) any { return c.compare("==", c.of, c.values[0]) }},
	{"> gt greaterthan", "other", func(c call) any { return c.compare(">", c.of, c.values[0]) }},
	{">= ge", "other", func(c call) any { return c.compare(">=", c.of, c.values[0]) }},
	{"boolean", "", func(c call) any { return typeName(c.of) == "bool" }},
	{"callable", "", func(c call) any { return typeName(c.of) == "function" || isUndefined(c.of) }},
	{"defined", "", func(c call) any { return !isUndefined(c.of) }},
	{"divisibleby", "num", func(c call) any { return c.leaves(c.values[0], 0) }},
	{"even", "", func(c call) any { return c.leaves(int64(2), 0) }},
	{"false", "", func(c call) any { return c.of == false }},
	{"float", "", func(c call) any { return typeName(c.of) == "float" }},
	{"in", "seq", func(c call) any { return c.in(c.of, c.values[0]) }},
	{"integer", "", func(c call) any { return strings.HasPrefix(typeName(c.of), "int") }},
	{"iterable", "", func(c call) any { _, is := length(c.of); return is }},
	{"lower", "", isLower},
	{"mapping", "", func(c call) any { return typeName(c.of) == "dict" }},
	{"none", "", func(c call) any { return c.of == nil }},
	{"number", "", func(c call) any { _, is := number(c.of); return is || strings.HasPrefix(typeName(c.of), "int") }},
	{"odd", "", func(c call) any { return c.leaves(int64(2), 1) }},
	{"sameas", "other", func(c call) any { return c.of == c.values[0] }},
	{"sequence", "", func(c call) any { _, is := length(c.of); return is && typeName(c.of) != string(iteratorKind) }},
	{"string", "", func(c call) any { return typeName(c.of) == "str" }},
	{"true", "", func(c call) any { return c.of == true }},
	{"undefined", "", func(c call) any { return isUndefined(c.of) }},
	{"upper", "", isUpper},
}

func (c call) leaves(by any, rest int64) bool { return c.equal(c.binary("%", c.of, by), rest, 0) }
