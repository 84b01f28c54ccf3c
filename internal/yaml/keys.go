package yaml

import "fmt"

// dropStaleKeys forgets the keys whose colon can no longer come.
func (s *scanner) dropStaleKeys() {
	s.count()
	for ; s.oldest <= s.flow; s.oldest++ {
		k := &s.keys[s.oldest]
		if !k.possible {
			continue
		}
		here := k.at.line == s.line
		if here && s.width-k.width <= maxKey {
			return
		}
		k.possible, k.long = false, here
		if k.required {
			s.refuseKey(*k)
			return
		}
	}
}

// refuseKey tells of a key that has no colon.
func (s *scanner) refuseKey(k simpleKey) {
	if k.long {
		s.refuse(s.place(), tooLong(), "")
		return
	}
	s.refuseIn("scanning a simple key", k.at, s.place(), "could not find expected ':'",
		"each line here is `key: value`; is the colon, or the space after it, missing?")
}

func tooLong() string { return fmt.Sprintf("a key has more than %d characters", maxKey) }

// saveKey notes that a key may begin here.
func (s *scanner) saveKey() {
	if !s.keyAllowed {
		return
	}
	s.dropKey()
	s.keys[s.flow] = simpleKey{
		possible: true, required: s.flow == 0 && s.indent == s.column(),
		token: s.taken + len(s.tokens) - s.head, at: s.place(), width: s.width,
	}
	s.oldest = min(s.oldest, s.flow)
}

// dropKey forgets the key that may have begun in the innermost brackets.
func (s *scanner) dropKey() {
	k := s.keys[s.flow]
	s.keys[s.flow] = simpleKey{}
	if k.possible && k.required {
		s.refuseKey(k)
	}
}

// fetchColon adds a colon. Now it is known whether a key stands before it.
func (s *scanner) fetchColon() {
	k := s.keys[s.flow]
	if !k.possible {
		s.fetchLoneColon(k)
		return
	}
	s.keys[s.flow] = simpleKey{}
	s.insert(k.token, token{kind: key, at: k.at, end: k.at})
	if s.flow == 0 && s.deepen(k.at.column-1) {
		s.insert(k.token, token{kind: blockMappingStart, at: k.at, end: k.at})
	}
	s.keyAllowed = false // no key follows a key in its line
	s.sign(value, 1)
}

// fetchLoneColon adds a colon after a question mark and its key, or after nothing. was is what is no key any more.
func (s *scanner) fetchLoneColon(was simpleKey) {
	if s.flow == 0 {
		switch {
		case s.keyAllowed:
			s.openBlock(blockMappingStart)
		case was.long:
			s.refuse(s.place(), tooLong(), "")
		default:
			s.refuse(s.place(), "mapping values are not allowed in this context", hintColon)
		}
	}
	s.keyAllowed = s.flow == 0
	s.dropKey()
	s.sign(value, 1)
	switch {
	case s.err != nil:
	case was.long:
		s.tokens[len(s.tokens)-1].text = tooLong()
	case was.at.line > 0:
		s.tokens[len(s.tokens)-1].text = fmt.Sprintf("the text that begins in line %d goes on to here, and then there is a colon", was.at.line)
	}
}

// openBlock opens a block collection here, unless one is open in this column.
func (s *scanner) openBlock(kind tokenKind) {
	if s.deepen(s.column()) {
		s.sign(kind, 0)
	}
}

// deepen goes into a block collection in a column, unless one is open there.
func (s *scanner) deepen(column int) bool {
	if s.indent >= column {
		return false
	}
	s.indents = append(s.indents, s.indent)
	s.indent = column
	return true
}

// unwind ends the block collections that are further in than a column. Between brackets columns do not count.
func (s *scanner) unwind(column int) {
	for s.flow == 0 && s.indent > column && s.err == nil {
		last := len(s.indents) - 1
		s.indent, s.indents = s.indents[last], s.indents[:last]
		s.sign(blockEnd, 0)
	}
}
