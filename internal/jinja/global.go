package jinja

import "fmt"

// maxRange is the longest range that the sandbox of Jinja allows.
const maxRange = 100_000

// global is a function that templates have from Jinja, or nil.
func global(name string) any {
	switch name {
	case "range":
		return &function{name, makeRange}
	case "dict":
		return &function{name, func(m *machine, a arguments) any { return m.makeDict(name, a) }}
	case "namespace":
		return &function{name, func(m *machine, a arguments) any { return &namespace{m.makeDict(name, a)} }}
	}
	return nil
}

func makeRange(m *machine, a arguments) any {
	b := m.bind("range", "start stop? step?", a)
	low, high, step := 0, b.int(0, 0), b.int(2, 1)
	if b.has(1) {
		low, high = high, b.int(1, 0)
	}
	if step == 0 {
		m.fail("range() arg 3 must not be zero")
	}
	n := 0
	switch {
	case step > 0 && high > low:
		n = (high - low + step - 1) / step
	case step < 0 && high < low:
		n = (low - high - step - 1) / -step
	}
	if n > maxRange {
		m.fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	m.step(n / 4)
	m.charge(16 * n)
	items := make([]any, n)
	for i := range items {
		items[i] = int64(low + i*step)
	}
	shown := fmt.Sprintf("range(%d, %d)", low, high)
	if step != 1 {
		shown = fmt.Sprintf("range(%d, %d, %d)", low, high, step)
	}
	return &seq{kind: rangeKind, name: shown, items: items}
}

// makeDict is Python's dict(mapping or pairs, name=value…).
func (m *machine) makeDict(name string, a arguments) *dict {
	b := m.bind(name, "mapping? **", a)
	d := newDict()
	if from := b.value(0, nil); from != nil {
		m.update(d, from)
	}
	for _, n := range b.rest.named {
		m.put(d, n.name, n.value)
	}
	return d
}

// update adds a mapping or pairs to a dict.
func (m *machine) update(d *dict, from any) {
	if from, ok := from.(*dict); ok {
		for i, k := range from.keys {
			m.put(d, k, from.values[i])
		}
		return
	}
	for _, pair := range m.items(from) {
		kv := m.unpack(pair, 2)
		m.put(d, kv[0], kv[1])
	}
}
