package jinja

import "math/big"

// The tests, behind "is", in the form that call.go explains.
const testTable = `
	!= other; < other; <= other; == other; > other; >= other; boolean; callable; defined; divisibleby num;
	eq other; equalto other; escaped; even; false; filter; float; ge other; greaterthan other; gt other;
	in seq; integer; iterable; le other; lessthan other; lower; lt other; mapping; ne other; none; number;
	odd; sameas other; sequence; string; test; true; undefined; upper`

// test is "v is name(arguments)".
func (m *machine) test(name string, v any, a arguments) bool {
	params, ok := lookup(testTable, name)
	if !ok {
		m.fail("%s", noSuch("test", testTable, name))
	}
	b := m.bind(name, params, a)
	if op := comparisonTest(name); op != "" {
		return m.compare(op, v, b.value(0, nil))
	}
	switch name {
	case "odd", "even", "divisibleby":
		return m.divides(name, v, b)
	case "lower":
		is, _ := stringIs(m.str(v), "islower")
		return is
	case "upper":
		is, _ := stringIs(m.str(v), "isupper")
		return is
	case "filter":
		return isIn(filterTable, v)
	case "test":
		return isIn(testTable, v)
	case "escaped":
		return false
	case "sameas":
		return v == b.value(0, nil)
	}
	return isKind(name, v)
}

func isIn(table string, v any) bool {
	name, _ := v.(string)
	_, ok := lookup(table, name)
	return ok
}

// comparisonTest is the operator that a test stands for, or empty.
func comparisonTest(name string) string {
	switch name {
	case "==", "eq", "equalto":
		return "=="
	case "!=", "ne":
		return "!="
	case "<", "lt", "lessthan":
		return "<"
	case "<=", "le":
		return "<="
	case ">", "gt", "greaterthan":
		return ">"
	case ">=", "ge":
		return ">="
	case "in":
		return "in"
	}
	return ""
}

func (m *machine) divides(name string, v any, b bound) bool {
	by, want := any(int64(2)), any(int64(0))
	switch name {
	case "odd":
		want = int64(1)
	case "divisibleby":
		by = b.value(0, nil)
	}
	return m.equal(m.binary("%", v, by), want, 0)
}

// isKind is for the tests of what a value is.
func isKind(name string, v any) bool {
	switch name {
	case "defined", "undefined":
		_, is := v.(*undefined)
		return is == (name == "undefined")
	case "none":
		return v == nil
	case "boolean", "true", "false":
		b, is := v.(bool)
		return is && (name == "boolean" || b == (name == "true"))
	case "string":
		_, is := v.(string)
		return is
	case "mapping":
		_, is := v.(*dict)
		return is
	case "callable":
		return isCallable(v)
	case "sequence", "iterable":
		return isIterable(v, name == "sequence")
	}
	return isNumber(name, v)
}

func isCallable(v any) bool {
	switch v.(type) {
	case *function, *method, *macro, *undefined:
		return true
	}
	return false
}

// isIterable is for what can be looped over; a sequence has a length and items too.
func isIterable(v any, sequence bool) bool {
	switch v := v.(type) {
	case string, *dict, *undefined:
		return true
	case *seq:
		return !sequence || v.kind <= rangeKind
	case *loop:
		return !sequence
	}
	return false
}

// isNumber is for number, integer and float; a bool is a number, but not an integer.
func isNumber(name string, v any) bool {
	switch v.(type) {
	case bool:
		return name == "number"
	case int64, *big.Int:
		return name != "float"
	case float64:
		return name != "integer"
	}
	return false
}
