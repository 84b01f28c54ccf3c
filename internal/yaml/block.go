package yaml

// chomp is what becomes of the line breaks at the end of a block scalar.
type chomp uint8

const (
	clip  chomp = iota // the first of them stays
	strip              // none stays
	keep               // all stay
)

// fetchBlock adds a block scalar. A key may follow it.
func (s *scanner) fetchBlock() {
	s.keyAllowed = true
	s.dropKey()
	if s.err == nil {
		s.add(s.scanBlock())
	}
}

// scanBlock scans the text below a | or >: all lines that are further in than the block around it.
func (s *scanner) scanBlock() token {
	t := token{kind: scalar, style: Block, at: s.place()}
	folded := s.peek(0) == '>'
	s.pos++
	tail, further := s.blockHeader(t.at)
	s.restOfLine("scanning a block scalar", t.at)
	indent := max(1, s.indent+1)
	if further > 0 {
		indent += further - 1
		s.blockBreaks(indent)
	} else {
		indent = max(indent, s.blockIndent())
	}
	last := s.blockLines(indent, folded)
	if tail != strip {
		s.buffer = append(s.buffer, last...)
	}
	if tail == keep {
		s.buffer = append(s.buffer, s.breaks...)
	}
	t.text = string(s.buffer)
	return t
}

// blockHeader reads the signs behind | or >, in any order: how the text ends, and how far in it is; 0 where that is to be seen.
func (s *scanner) blockHeader(begins place) (tail chomp, further int) {
	for signed := false; ; s.pos++ {
		switch c := s.peek(0); {
		case (c == '+' || c == '-') && !signed:
			signed, tail = true, strip
			if c == '+' {
				tail = keep
			}
		case c >= '1' && c <= '9' && further == 0:
			further = int(c - '0')
		case c == '0' && further == 0:
			s.refuseIn("scanning a block scalar", begins, s.place(), "found an indentation indicator equal to 0", "write 1 to 9, or nothing")
			return tail, further
		case c == ' ' || c == '\t' || s.ends(0):
			return tail, further
		default:
			s.refuseIn("scanning a block scalar", begins, s.place(), "did not find expected comment or line break", "the text begins in the line below | or >")
			return tail, further
		}
	}
}

// restOfLine goes over a comment and the end of the line. Nothing else may stand there.
func (s *scanner) restOfLine(what string, begins place) {
	s.skipSpaces()
	if s.peek(0) == '#' {
		s.skipLine()
	}
	switch {
	case s.peek(0) == '\t':
		s.refuseIn(what, begins, s.place(), "there is a tab here", hintTabs)
	case !s.ends(0):
		s.refuseIn(what, begins, s.place(), "did not find expected comment or line break", "")
	}
	s.newline()
}

// blockIndent goes to the first line of a block scalar, and returns the column where it begins, or blank lines before it end.
func (s *scanner) blockIndent() (longest int) {
	s.breaks = s.breaks[:0]
	for {
		s.skipSpaces()
		longest = max(longest, s.column())
		sign := s.newline()
		if sign == "" {
			return longest
		}
		s.breaks = append(s.breaks, sign...)
	}
}

// blockBreaks goes over blank lines, and to the column where the next line of a block scalar begins, if it is part of it.
func (s *scanner) blockBreaks(indent int) {
	s.breaks = s.breaks[:0]
	for {
		for column := s.column(); column < indent && s.peek(0) == ' '; column++ {
			s.pos++
		}
		sign := s.newline()
		if sign == "" {
			return
		}
		s.breaks = append(s.breaks, sign...)
	}
}

// blockLines puts the lines of a block scalar into the buffer, and returns the line break after the last of them.
func (s *scanner) blockLines(indent int, folded bool) (last string) {
	s.buffer = s.buffer[:0]
	for s.within(indent) {
		s.buffer = append(s.buffer, s.breaks...)
		indented := s.isBlank()
		from := s.pos
		s.skipLine()
		s.buffer = append(s.buffer, s.text[from:s.pos]...)
		last = s.newline()
		s.blockBreaks(indent)
		switch {
		case !s.within(indent):
		case !folded || last != "\n" || indented || s.isBlank():
			s.buffer = append(s.buffer, last...)
		case len(s.breaks) == 0:
			s.buffer = append(s.buffer, ' ')
		}
	}
	return last
}

func (s *scanner) within(indent int) bool { return s.pos < len(s.text) && s.column() == indent }

func (s *scanner) isBlank() bool { return s.peek(0) == ' ' || s.peek(0) == '\t' }
