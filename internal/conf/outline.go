package conf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What a document may cost at most. A sign or a comment costs the YAML library up to 2 KB, and a %TAG line the time of
// all before it.
const (
	maxSigns      = 60_000 // commas, dashes, colons, question marks, brackets, quotes, tags, anchors and comments
	maxDirectives = 100
	maxKey        = 1024 // characters, in PyYAML too
)

// An outline walks over a document before the YAML library does: it knows where scalars, comments and collections begin
// and end, and nothing else. It refuses what would cost too much, and what PyYAML refuses but the library, which reads
// YAML 1.2, lets pass.
type outline struct {
	part string
	text string
	pos  int

	line, lineStart int // the line, from 0, and where it begins

	indents    []block   // the block collections that are open, by column
	flow       []bracket // the brackets that are open
	key        place     // where a key may have begun in this collection
	begun      bool      // there was something
	signs      int
	directives int
	problem    *Problem
	stop       int   // where the problem is
	costly     bool  // it is one of cost
	joints     []int // comments that touch a quote or a bracket before them
}

// block is an open block collection. asked says that a ? waits for its colon.
type block struct {
	column int
	asked  bool
}

// bracket is an open flow collection, and where the key of the collection around it may have begun.
type bracket struct {
	outer place
	asked bool
}

// place is a position and its line; the line is -1 where there is none.
type place struct{ pos, line int }

var nowhere = place{line: -1}

// survey walks over the whole text, or to the first problem.
func survey(part, text string) *outline {
	o := &outline{part: part, text: plainBreaks(text), key: nowhere}
	for o.problem == nil {
		o.skipBlank()
		if o.pos >= len(text) || o.problem != nil {
			break
		}
		o.token()
	}
	return o
}

// plainBreaks is a text of the same length in which the line breaks outside ASCII, which YAML 1.1 has, are newlines.
func plainBreaks(text string) string {
	if !strings.ContainsAny(text, "\u0085\u2028\u2029") {
		return text
	}
	return strings.NewReplacer("\u0085", " \n", "\u2028", "  \n", "\u2029", "  \n").Replace(text)
}

// at is the byte some way on, or 0 after the end.
func (o *outline) at(further int) byte {
	if o.pos+further < len(o.text) {
		return o.text[o.pos+further]
	}
	return 0
}

func (o *outline) column() int { return o.pos - o.lineStart }

func (o *outline) refuse(message, hint string) {
	if o.problem == nil {
		column := utf8.RuneCountInString(strings.TrimPrefix(o.text[o.lineStart:min(o.pos, len(o.text))], "\ufeff"))
		o.stop = min(o.pos, len(o.text))
		o.problem = &Problem{Origin: Origin{o.part, o.line + 1, column + 1}, Message: notYAML + message, Hint: hint}
	}
}

// tooMuch refuses a document that would cost too much to read.
func (o *outline) tooMuch(limit int, what string) {
	o.costly = true
	o.refuse(fmt.Sprintf("the document has more than %d %s", limit, what), "")
}

// count counts a sign or a comment.
func (o *outline) count() {
	if o.signs++; o.signs > maxSigns {
		o.tooMuch(maxSigns, "parts (keys, list items, quotes, brackets and comments)")
	}
}

// newline goes over one line break.
func (o *outline) newline() {
	if o.at(0) == '\r' && o.at(1) == '\n' {
		o.pos++
	}
	o.pos++
	o.line++
	o.lineStart = o.pos
}

func isLineBreak(c byte) bool { return c == '\n' || c == '\r' }

// isEdge says whether a byte ends a word: white space, or the end of the text.
func isEdge(c byte) bool { return c == 0 || c == ' ' || c == '\t' || isLineBreak(c) }

func (o *outline) skipLine() {
	for o.pos < len(o.text) && !isLineBreak(o.text[o.pos]) {
		o.pos++
	}
}

func (o *outline) skipSpaces() {
	for o.at(0) == ' ' {
		o.pos++
	}
}

// skipBlank goes to the next token. A tab is none, and no space either.
func (o *outline) skipBlank() {
	if o.pos == 0 && strings.HasPrefix(o.text, "\ufeff") {
		o.pos = len("\ufeff")
		o.lineStart = o.pos
	}
	for o.problem == nil && o.pos < len(o.text) {
		switch c := o.text[o.pos]; {
		case c == ' ':
			o.pos++
		case isLineBreak(c):
			o.newline()
		case c == '#':
			if o.pos > o.lineStart && !isEdge(o.text[o.pos-1]) {
				o.joints = append(o.joints, o.pos)
			}
			o.skipLine()
			o.count()
		case c == '\t':
			o.refuse("there is a tab here", hintTabs)
			return
		default:
			return
		}
	}
}

// token goes over one token.
func (o *outline) token() {
	c := o.text[o.pos]
	if o.column() == 0 && o.documentMark() {
		return
	}
	o.begun = true
	if len(o.flow) == 0 {
		for len(o.indents) > 0 && o.indents[len(o.indents)-1].column > o.column() {
			o.indents = o.indents[:len(o.indents)-1]
		}
	}
	inFlow, apart := len(o.flow) > 0, isEdge(o.at(1))
	switch {
	case c == '[' || c == '{':
		o.open()
	case (c == ']' || c == '}') && inFlow:
		o.key, o.flow = o.flow[len(o.flow)-1].outer, o.flow[:len(o.flow)-1]
		o.pos++
	case c == ',' && inFlow:
		o.flow[len(o.flow)-1].asked = false
		o.mark()
	case c == '-' && apart && !inFlow:
		o.indent(o.column(), false)
		o.mark()
	case c == '?' && (apart || inFlow):
		o.ask()
	case c == ':' && (apart || inFlow):
		o.colon()
	case (c == '|' || c == '>') && !inFlow:
		o.blockScalar()
	default:
		o.content(c)
	}
}

// content goes over what a key may begin with.
func (o *outline) content(c byte) {
	if o.key.line != o.line {
		o.key = place{o.pos, o.line}
	}
	switch c {
	case '"', '\'':
		o.count()
		o.quoted(c)
	case '&', '*':
		o.count()
		o.name()
	case '!':
		o.count()
		for !isEdge(o.at(0)) {
			o.pos++
		}
	default:
		o.plain()
	}
}

// documentMark goes over a directive, --- or ..., if there is one.
func (o *outline) documentMark() bool {
	rest := o.text[o.pos:]
	switch {
	case rest[0] == '%':
		if o.directives++; o.directives > maxDirectives {
			o.tooMuch(maxDirectives, "lines of directives")
		}
		o.skipLine()
		return true
	case o.atDocumentMark():
		if !o.begun && rest[0] == '.' {
			o.refuse("the document ends before it begins", "")
		}
		o.indents, o.flow, o.key = nil, nil, nowhere
		o.pos += 3
		return true
	}
	return false
}

// mark goes over a sign; a key may begin after it.
func (o *outline) mark() {
	o.count()
	o.pos++
	o.key = nowhere
}

// indent opens a block collection at a column, unless one is open there.
func (o *outline) indent(column int, asked bool) {
	if n := len(o.indents); n > 0 && o.indents[n-1].column >= column {
		o.indents[n-1].asked = asked
		return
	}
	o.indents = append(o.indents, block{column, asked})
	o.checkDepth()
}

func (o *outline) checkDepth() {
	if len(o.indents)+len(o.flow) > maxDepth {
		o.tooMuch(maxDepth, "lists and mappings in each other")
	}
}

func (o *outline) open() {
	outer := o.key
	if outer.line != o.line {
		outer = place{o.pos, o.line}
	}
	o.flow = append(o.flow, bracket{outer: outer})
	o.mark()
	o.checkDepth()
}

// ask goes over the question mark of a key that may be anything.
func (o *outline) ask() {
	if n := len(o.flow); n > 0 {
		o.flow[n-1].asked = true
		if !isEdge(o.at(1)) {
			o.refuseQuestion()
		}
	} else {
		o.indent(o.column(), true)
	}
	o.mark()
}

// colon goes over a colon. Its key stands before it in the same line, or after a question mark.
func (o *outline) colon() {
	keyed := o.key.line == o.line
	if keyed && utf8.RuneCountInString(o.text[o.key.pos:o.pos]) > maxKey {
		o.refuse(fmt.Sprintf("a key has more than %d characters", maxKey), "")
	}
	switch n, f := len(o.indents), len(o.flow); {
	case f > 0:
		keyed = keyed || o.flow[f-1].asked
		o.flow[f-1].asked = false
	case keyed:
		o.indent(o.key.pos-o.lineStart, false)
	case n > 0 && o.indents[n-1].asked && o.indents[n-1].column == o.column():
		o.indents[n-1].asked, keyed = false, true
	}
	if !keyed {
		o.refuseColon()
	}
	o.mark()
}

func (o *outline) refuseColon() {
	switch {
	case strings.TrimSpace(o.text[o.lineStart:o.pos]) == "":
		o.refuse("there is no key before this colon", "")
	case len(o.flow) > 0:
		o.refuse(fmt.Sprintf("the text that begins in line %d goes on to here, and then there is a colon", o.key.line+1),
			"is a bracket or a comma missing before this line?")
	default:
		o.refuse("mapping values are not allowed in this context", hintColon)
	}
}

// name goes over an anchor or an alias.
func (o *outline) name() {
	o.pos++
	n := digits(o.text[o.pos:], anchorLetters)
	o.pos += n
	if c := o.at(0); n == 0 || !isEdge(c) && strings.IndexByte(",]}", c) < 0 && (c != ':' || !isEdge(o.at(1))) {
		o.refuse("the name of an anchor or an alias is made of letters, digits, - and _", "put quotes around a text that begins with & or *")
	}
}

const anchorLetters = decimal + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

// quoted goes over a text in quotes, if it ends; else to the end.
func (o *outline) quoted(quote byte) {
	for o.pos++; o.pos < len(o.text); {
		switch c := o.text[o.pos]; {
		case isLineBreak(c):
			o.newline()
		case c == '\\' && quote == '"' && !isLineBreak(o.at(1)), c == quote && quote == '\'' && o.at(1) == quote:
			o.pos += 2
		case c == quote:
			o.pos++
			return
		default:
			o.pos++
		}
	}
}

// plain goes over a text without quotes, which may go on in lines that are further in.
func (o *outline) plain() {
	least := 0
	if n := len(o.indents); n > 0 {
		least = o.indents[n-1].column + 1
	}
	for o.plainWords() {
		line := o.line
		for o.at(0) == ' ' || isLineBreak(o.at(0)) {
			if o.at(0) == ' ' {
				o.pos++
			} else {
				o.newline()
			}
		}
		if o.line != line && (len(o.flow) == 0 && o.column() < least || o.column() == 0 && o.atDocumentMark()) {
			return
		}
	}
}

func (o *outline) atDocumentMark() bool {
	rest := o.text[min(o.pos, len(o.text)):]
	return (strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "...")) && isEdge(o.at(3))
}

// plainWords goes over one run of a plain text without white space. It says whether more may follow.
func (o *outline) plainWords() bool {
	if o.at(0) == '#' {
		return false
	}
	start, inFlow := o.pos, len(o.flow) > 0
	for o.pos < len(o.text) {
		c, next := o.text[o.pos], o.at(1)
		switch {
		case isEdge(c):
			return o.pos > start && (c == ' ' || isLineBreak(c))
		case c == ':' && (isEdge(next) || inFlow && strings.IndexByte(",[]{}", next) >= 0), inFlow && strings.IndexByte(",[]{}", c) >= 0:
			return false
		case inFlow && c == '?':
			o.refuseQuestion()
			return false
		}
		o.pos++
	}
	return false
}

func (o *outline) refuseQuestion() {
	o.refuse("there is a question mark in a text without quotes, between brackets", "put quotes around the text")
}

// blockScalar goes over | or > and the lines of text after it.
func (o *outline) blockScalar() {
	o.pos++
	header := digits(o.text[o.pos:], decimal+"+-")
	increment := strings.Trim(o.text[o.pos:o.pos+header], "+-")
	o.pos += header
	o.skipSpaces()
	if o.at(0) == '\t' {
		o.refuse("there is a tab here", hintTabs)
		return
	}
	o.skipLine()
	least := 1
	if n := len(o.indents); n > 0 {
		least = o.indents[n-1].column + 1
	}
	if increment != "" {
		o.blockLines(least + int(increment[0]-'1'))
	} else {
		o.blockLines(max(least, o.firstIndent()))
	}
	if len(o.indents) == 0 && o.pos < len(o.text) && !o.atDocumentMark() {
		o.refuse("the lines of a text after | or > are further in", "")
	}
}

// firstIndent is the column of the first line of a block of text, or of blank lines before it where they are longer.
func (o *outline) firstIndent() (longest int) {
	column := 0
	for i := o.pos; i < len(o.text) && (o.text[i] == ' ' || isLineBreak(o.text[i])); i++ {
		column++
		if o.text[i] != ' ' {
			column = 0
		}
		longest = max(longest, column)
	}
	return longest
}

// blockLines goes over line breaks and the lines that are at least so far in.
func (o *outline) blockLines(indent int) {
	for o.pos < len(o.text) {
		o.newline()
		for o.column() < indent && o.at(0) == ' ' {
			o.pos++
		}
		switch c := o.at(0); {
		case isLineBreak(c):
		case o.column() < indent:
			return
		default:
			o.skipLine()
		}
	}
}
