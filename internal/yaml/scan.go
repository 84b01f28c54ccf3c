package yaml

import (
	"fmt"
	"strings"
)

// tokenKind is a set of kinds of tokens, mostly of one.
type tokenKind uint32

const (
	streamEnd tokenKind = 1 << iota
	directive
	documentStart
	documentEnd
	blockSequenceStart
	blockMappingStart
	blockEnd
	flowSequenceStart
	flowMappingStart
	flowSequenceEnd
	flowMappingEnd
	blockEntry
	flowEntry
	key
	value
	alias
	anchor
	tag
	scalar
)

// A token is a sign, a name or a text.
type token struct {
	kind  tokenKind
	style Style
	at    place
	end   place  // of a sign
	text  string // a scalar, a name, the end of a tag; of a value without a key, why it has none
	more  string // the handle of a tag, the prefix that a directive gives to one
}

// A simpleKey is where a key without a question mark may begin. Whether it does is known when its colon is found, in the
// same line and not too far away.
type simpleKey struct {
	possible bool
	required bool // nothing else can be here
	long     bool // it was possible until it had too many characters
	token    int  // the number of its first token
	at       place
	width    int // the characters before it
}

// A scanner makes tokens of a text. The first error ends it: then there is the end of the stream, and nothing else.
type scanner struct {
	cursor
	err *Error

	tokens []token
	head   int // the next of them
	taken  int // how many were taken
	done   bool

	indent  int   // the column of the block collection that is open; -1 where there is none
	indents []int // those around it
	flow    int   // how many brackets are open

	keyAllowed bool        // a key, or a block collection, may begin here
	keys       []simpleKey // by how many brackets are open
	oldest     int         // no key before this one is possible

	signs, directives int
	buffer, breaks    []byte // of the scalar that is being read
}

func newScanner(text string) scanner {
	return scanner{cursor: cursor{text: text, line: 1}, indent: -1, keyAllowed: true, keys: make([]simpleKey, 1, 8)}
}

// fail ends scanning and parsing.
func (s *scanner) fail(at place, message, hint string) {
	if s.err == nil {
		s.err = &Error{Line: at.line, Column: at.column, Message: message, Hint: hint}
	}
	s.done, s.pos = true, len(s.text)
	s.tokens, s.head = append(s.tokens[:0], token{kind: streamEnd, at: at}), 0
}

// refuse tells that a text is no YAML.
func (s *scanner) refuse(at place, message, hint string) {
	s.fail(at, "this is no YAML: "+message, hint)
}

// refuseIn tells it together with where that begins which is wrong, if it is another line.
func (s *scanner) refuseIn(what string, begins, at place, message, hint string) {
	if begins.line != at.line {
		message = fmt.Sprintf("%s (%s, which begins in line %d)", message, what, begins.line)
	}
	s.refuse(at, message, hint)
}

// next is the next token. It stays until it is taken.
func (s *scanner) next() *token {
	for s.wantsMore() {
		s.fetch()
	}
	return &s.tokens[s.head]
}

// take returns the next token and goes on. The end of the stream stays.
func (s *scanner) take() token {
	t := *s.next()
	if t.kind == streamEnd {
		return t
	}
	s.taken++
	if s.head++; s.head == len(s.tokens) {
		s.tokens, s.head = s.tokens[:0], 0
	}
	return t
}

// at says whether the next token is one of some kinds.
func (s *scanner) at(kinds tokenKind) bool { return s.next().kind&kinds != 0 }

// wantsMore says that the next token is not known yet: a key may turn out to begin before it.
func (s *scanner) wantsMore() bool {
	if s.done {
		return false
	}
	if s.head == len(s.tokens) {
		return true
	}
	s.dropStaleKeys()
	return !s.done && s.oldest <= s.flow && s.keys[s.oldest].token == s.taken
}

func (s *scanner) add(t token) {
	if s.err == nil {
		s.tokens = append(s.tokens, t)
	}
}

// insert adds a token before the one with a number.
func (s *scanner) insert(number int, t token) {
	i := s.head + number - s.taken
	s.tokens = append(s.tokens, token{})
	copy(s.tokens[i+1:], s.tokens[i:])
	s.tokens[i] = t
}

// sign goes over a sign and adds its token.
func (s *scanner) sign(kind tokenKind, size int) {
	if s.err != nil {
		return
	}
	at := s.place()
	s.pos += size
	s.add(token{kind: kind, at: at, end: s.place()})
}

// fetch adds the next token, and perhaps others before it.
func (s *scanner) fetch() {
	s.skipToToken()
	s.dropStaleKeys()
	s.unwind(s.column())
	if s.done {
		return
	}
	switch {
	case s.pos == len(s.text):
		s.fetchEnd()
	case s.column() == 0 && s.peek(0) == '%':
		s.fetchDirective()
	case s.column() == 0 && s.atDocumentMark():
		s.fetchDocumentMark()
	case s.peek(0) == ']':
		s.fetchClose(flowSequenceEnd)
	case s.peek(0) == '}':
		s.fetchClose(flowMappingEnd)
	case s.fetchSign():
		if s.signs++; s.signs > MaxSigns {
			s.tooMuch(MaxSigns, "parts (keys, list items, quotes, brackets, anchors and tags)")
		}
	default:
		s.fetchText()
	}
}

// tooMuch refuses a document that would cost too much to read.
func (s *scanner) tooMuch(limit int, what string) {
	s.refuse(s.place(), fmt.Sprintf("the document has more than %d %s", limit, what), "")
}

// skipToToken goes over white space and comments. A comment may touch what stands before it.
func (s *scanner) skipToToken() {
	if s.pos == 0 && strings.HasPrefix(s.text, byteOrderMark) {
		s.pos = len(byteOrderMark)
	}
	for {
		s.skipSpaces()
		if s.peek(0) == '#' {
			s.skipLine()
		}
		if s.newline() == "" {
			return
		}
		if s.flow == 0 {
			s.keyAllowed = true
		}
	}
}

func (s *scanner) fetchEnd() {
	s.unwind(-1)
	s.dropKey()
	s.sign(streamEnd, 0)
	s.done = true
}

func (s *scanner) fetchDocumentMark() {
	s.unwind(-1)
	s.dropKey()
	s.keyAllowed = false
	kind := documentStart
	if s.peek(0) == '.' {
		kind = documentEnd
	}
	s.sign(kind, 3)
}

// fetchSign adds what begins with a sign that counts; false where a plain or a block scalar begins.
func (s *scanner) fetchSign() bool {
	switch c, apart := s.peek(0), s.flow > 0 || s.isEdge(1); {
	case c == '[':
		s.fetchOpen(flowSequenceStart)
	case c == '{':
		s.fetchOpen(flowMappingStart)
	case c == ',':
		s.keyAllowed = true
		s.dropKey()
		s.sign(flowEntry, 1)
	case c == '-' && s.isEdge(1):
		s.fetchDash()
	case c == '?' && apart:
		s.fetchQuestion()
	case c == ':' && apart:
		s.fetchColon()
	case c == '*':
		s.keyed((*scanner).scanAlias)
	case c == '&':
		s.keyed((*scanner).scanAnchor)
	case c == '!':
		s.keyed((*scanner).scanTag)
	case c == '"' || c == '\'':
		s.keyed((*scanner).scanQuoted)
	default:
		return false
	}
	return true
}

// keyed adds a token that a key may begin with. No other may follow at once.
func (s *scanner) keyed(scan func(*scanner) token) {
	s.saveKey()
	s.keyAllowed = false
	if s.err == nil {
		s.add(scan(s))
	}
}

// notPlain are signs that no plain text begins with.
const notPlain = "\t-?:,[]{}#&*!|>'\"%@`"

// fetchText adds a scalar without quotes.
func (s *scanner) fetchText() {
	c := s.peek(0)
	switch {
	case s.flow == 0 && (c == '|' || c == '>'):
		s.fetchBlock()
	case strings.IndexByte(notPlain, c) < 0, !s.isEdge(1) && (c == '-' || s.flow == 0 && (c == '?' || c == ':')):
		s.keyed((*scanner).scanPlain)
	case c == '\t':
		s.refuse(s.place(), "there is a tab here", hintTabs)
	default:
		s.refuse(s.place(), "found character that cannot start any token", "put quotes around a text that begins with @, ` or %")
	}
}

func (s *scanner) fetchOpen(kind tokenKind) {
	s.saveKey()
	s.flow++
	if s.flow == len(s.keys) {
		s.keys = append(s.keys, simpleKey{})
	}
	s.keys[s.flow] = simpleKey{}
	s.keyAllowed = true
	s.sign(kind, 1)
}

func (s *scanner) fetchClose(kind tokenKind) {
	s.dropKey()
	s.flow = max(0, s.flow-1) // the parser refuses a bracket that closes nothing
	s.keyAllowed = false
	s.sign(kind, 1)
}

func (s *scanner) fetchDash() {
	if s.flow == 0 {
		if !s.keyAllowed {
			s.refuse(s.place(), "a list item is not allowed here", "a list begins in a line of its own; put quotes around a text that begins with -")
			return
		}
		s.openBlock(blockSequenceStart)
	}
	s.keyAllowed = true
	s.dropKey()
	s.sign(blockEntry, 1)
}

func (s *scanner) fetchQuestion() {
	if s.flow == 0 {
		if !s.keyAllowed {
			s.refuse(s.place(), "a key is not allowed here", "put quotes around a text that begins with ?")
			return
		}
		s.openBlock(blockMappingStart)
	}
	s.keyAllowed = s.flow == 0
	s.dropKey()
	s.sign(key, 1)
}
