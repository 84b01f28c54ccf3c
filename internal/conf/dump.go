package conf

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// What cloud-init's safeyaml asks of PyYAML's emitter.
const (
	dumpIndent = 4
	dumpWidth  = 80
)

// DumpOptions is how a document is written otherwise than by Dump.
type DumpOptions struct {
	Bare      bool // without the lines --- and ...
	NoAliases bool // what is shared is written out each time, as for netplan
}

// Dump writes a value as cloud-init does with PyYAML, byte for byte: one document with its start and end marked, keys
// sorted, nothing in flow style, everything outside ASCII escaped. What aliases shared is shared again.
func Dump(v *Value) string { return DumpOptions{}.Dump(v) }

// Dump writes a value, as the options say.
func (o DumpOptions) Dump(v *Value) string {
	if v == nil {
		v = &Value{Text: "None"}
	}
	e := &emitter{whitespace: true, indention: true, anchors: map[*Value]int{}, written: map[*Value]bool{}}
	if !o.NoAliases {
		e.findShared(v)
	}
	if !o.Bare {
		e.indicator("---", true, false)
	}
	e.node(v, -1, false)
	e.newline()
	if !o.Bare || e.openEnded && v.Kind != Map && v.Kind != List {
		e.out.WriteString("...\n")
	}
	return e.out.String()
}

// emitter writes a document, and knows where in the line it is.
type emitter struct {
	out        strings.Builder
	column     int
	whitespace bool // the last character written was white space
	indention  bool // only indentation has been written in this line
	openEnded  bool // a plain text was the last; where it is all, its end must be marked
	anchors    map[*Value]int
	written    map[*Value]bool // of what has an anchor
	shared     int             // how many have
}

// findShared numbers the collections and dates that are there more than once, in the order in which they are met again.
func (e *emitter) findShared(v *Value) {
	if v.Kind != List && v.Kind != Map && v.Kind != Time {
		return
	}
	if number, met := e.anchors[v]; met {
		if number == 0 {
			e.shared++
			e.anchors[v] = e.shared
		}
		return
	}
	e.anchors[v] = 0
	for _, item := range v.Items {
		e.findShared(item)
	}
	for _, p := range sortedPairs(v.Pairs) {
		e.findShared(p.Key)
		e.findShared(p.Value)
	}
}

// alias writes the anchor of what is shared, or an alias in its place, and says whether that was all.
func (e *emitter) alias(v *Value) bool {
	number := e.anchors[v]
	if number == 0 {
		return false
	}
	sign := "&"
	if e.written[v] {
		sign = "*"
	}
	e.written[v] = true
	e.indicator(fmt.Sprintf("%sid%03d", sign, number), true, false)
	return sign == "*"
}

func (e *emitter) write(text string) {
	e.out.WriteString(text)
	e.column += utf8.RuneCountInString(text)
}

// indicator writes a sign, with a space before it where one is needed.
func (e *emitter) indicator(sign string, space, indention bool) {
	if space && !e.whitespace {
		e.write(" ")
	}
	e.write(sign)
	e.whitespace, e.indention, e.openEnded = false, e.indention && indention, false
}

// lineBreak ends the line.
func (e *emitter) lineBreak() {
	e.out.WriteByte('\n')
	e.column, e.whitespace, e.indention = 0, true, true
}

// newline ends the line unless nothing is in it.
func (e *emitter) newline() {
	if e.column > 0 {
		e.lineBreak()
	}
}

// indent goes to a column, in a new line where this one has gone further.
func (e *emitter) indent(to int) {
	if !e.indention || e.column > to || e.column == to && !e.whitespace {
		e.lineBreak()
	}
	if e.column < to {
		e.whitespace = true
		e.write(strings.Repeat(" ", to-e.column))
	}
}

// deeper is the column of what is in a collection at a column; the document's own is 0.
func deeper(column int) int {
	if column < 0 {
		return 0
	}
	return column + dumpIndent
}

// node writes a value in a collection at a column. In a mapping a list does not go further in than its key.
func (e *emitter) node(v *Value, column int, inMapping bool) {
	if e.alias(v) {
		return
	}
	switch {
	case v.Kind == Map && len(v.Pairs) == 0:
		e.indicator("{}", true, false)
	case v.Kind == List && len(v.Items) == 0:
		e.indicator("[]", true, false)
	case v.Kind == Map:
		e.mapping(v, deeper(column))
	case v.Kind == List:
		at := deeper(column)
		if inMapping && !e.indention {
			at = column
		}
		for _, item := range v.Items {
			e.indent(at)
			e.indicator("-", true, true)
			e.node(item, at, false)
		}
	default:
		e.scalar(v, scalarColumn(column), false)
	}
}

// scalarColumn is where a scalar goes on in a new line.
func scalarColumn(column int) int {
	if column < 0 {
		return dumpIndent
	}
	return column + dumpIndent
}

func (e *emitter) mapping(v *Value, at int) {
	for _, p := range sortedPairs(v.Pairs) {
		e.indent(at)
		if isSimpleKey(p.Key) {
			if !e.alias(p.Key) {
				e.scalar(p.Key, at+dumpIndent, true)
			}
			e.indicator(":", false, false)
			e.node(p.Value, at, true)
			continue
		}
		e.indicator("?", true, true)
		e.node(p.Key, at, true)
		e.indent(at)
		e.indicator(":", true, true)
		e.node(p.Value, at, true)
	}
}

// isSimpleKey says whether a key fits before its colon in one line; PyYAML counts a tag of five letters in.
func isSimpleKey(key *Value) bool {
	switch {
	case key.Kind == Bytes || utf8.RuneCountInString(key.Text)+len("!!str") >= 128:
		return false
	case key.Kind == String:
		return key.Text != "" && !analyse(key.Text).multiline
	}
	return true
}

// sortedPairs are the pairs as Python sorts the keys; keys that Python cannot compare stay as they are.
func sortedPairs(pairs []Pair) []Pair {
	for i := range pairs {
		if sortClass(pairs[i].Key) != sortClass(pairs[0].Key) {
			return pairs
		}
	}
	sorted := slices.Clone(pairs)
	sort.SliceStable(sorted, func(i, j int) bool {
		a, b := sorted[i].Key, sorted[j].Key
		if sortClass(a) == Int {
			return numberOf(a).Cmp(numberOf(b)) < 0
		}
		return a.Text < b.Text
	})
	return sorted
}

// sortClass is the same for keys that Python compares with each other.
func sortClass(key *Value) Kind {
	switch key.Kind {
	case Bool, Float:
		return Int
	case Time:
		return Time + Kind(len(key.Text)) // a date is not compared with a moment, nor one with a zone with one without
	}
	return key.Kind
}

func numberOf(v *Value) *big.Float {
	switch v.Text {
	case "True":
		return big.NewFloat(1)
	case "False":
		return big.NewFloat(0)
	}
	f, _, err := big.ParseFloat(v.Text, 10, 200, big.ToNearestEven)
	if err != nil {
		return big.NewFloat(0)
	}
	return f
}

// scalar writes a scalar; the column is where it goes on in a new line.
func (e *emitter) scalar(v *Value, column int, key bool) {
	switch v.Kind {
	case Null:
		e.plain("null", column, !key)
	case Bool:
		e.plain(strings.ToLower(v.Text), column, !key)
	case Float:
		e.plain(dumpedFloat(v.Text), column, !key)
	case Int, Time:
		e.plain(v.Text, column, !key)
	case Bytes:
		e.indicator("!!binary", true, false)
		e.binary(v.Text, column)
	default:
		e.text(v.Text, column, key)
	}
}

func dumpedFloat(text string) string {
	switch text {
	case "inf", "nan":
		return "." + text
	case "-inf":
		return "-.inf"
	}
	if mantissa, exponent, ok := strings.Cut(text, "e"); ok && !strings.Contains(mantissa, ".") {
		return mantissa + ".0e" + exponent
	}
	return text
}

// text writes a string in the plainest style that reads back as the same.
func (e *emitter) text(text string, column int, key bool) {
	a := analyse(text)
	switch {
	case a.plain && resolve(text) == String && text != "=" && text != "<<" && text != "":
		e.plain(text, column, !key)
	case a.single && !(key && a.multiline):
		e.singleQuoted(text, column, !key)
	default:
		e.doubleQuoted(text, column, !key)
	}
}

// analysis is in which styles a string can be written.
type analysis struct{ plain, single, multiline bool }

// analyse finds out what stands in the way of the plain styles, as PyYAML's analyze_scalar does for block context.
func analyse(text string) analysis {
	a := analysis{plain: true, single: true}
	if text == "" {
		return a
	}
	runes := []rune(text)
	special, spaceBreak, breakSpace, indicators := false, false, false, strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...")
	for i, c := range runes {
		before := i == 0 || isBlank(runes[i-1])
		after := i+1 >= len(runes) || isBlank(runes[i+1])
		indicators = indicators || isIndicator(c, i == 0, before, after)
		a.multiline = a.multiline || isBreak(c)
		special = special || !(c == '\n' || c >= 0x20 && c <= 0x7e)
		if i > 0 {
			breakSpace = breakSpace || c == ' ' && isBreak(runes[i-1])
			spaceBreak = spaceBreak || isBreak(c) && runes[i-1] == ' '
		}
	}
	first, last := runes[0], runes[len(runes)-1]
	edges := first == ' ' || isBreak(first) || last == ' ' || isBreak(last)
	a.single = !breakSpace && !spaceBreak && !special
	a.plain = a.single && !edges && !a.multiline && !indicators
	return a
}

func isBreak(c rune) bool {
	return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029
}
func isBlank(c rune) bool { return c == 0 || c == ' ' || c == '\t' || c == '\r' || isBreak(c) }

// isIndicator says whether a character would mean something in a plain scalar outside flow style.
func isIndicator(c rune, first, before, after bool) bool {
	if first {
		return strings.ContainsRune("#,[]{}&*!|>'\"%@`", c) || strings.ContainsRune("?:-", c) && after
	}
	return c == ':' && after || c == '#' && before
}

// plain writes a text as it is, folded at spaces where the line is too long.
func (e *emitter) plain(text string, column int, split bool) {
	if !e.whitespace {
		e.write(" ")
	}
	e.whitespace, e.indention = false, false
	e.openEnded = true
	for i, word := range wordsOfLine(text) {
		if i > 0 {
			if word.spaces == 1 && e.column > dumpWidth && split {
				e.indent(column)
				e.whitespace, e.indention = false, false
			} else {
				e.write(strings.Repeat(" ", word.spaces))
			}
		}
		e.write(word.text)
	}
}

// spaced is a word and the spaces before it.
type spaced struct {
	spaces int
	text   string
}

// wordsOfLine cuts a text at runs of spaces. The first entry has none before it.
func wordsOfLine(text string) (all []spaced) {
	for spaces := 0; ; {
		end := strings.IndexByte(text, ' ')
		if end < 0 {
			return append(all, spaced{spaces, text})
		}
		all = append(all, spaced{spaces, text[:end]})
		text = text[end:]
		spaces = digits(text, " ")
		text = text[spaces:]
	}
}

// singleQuoted writes a text between single quotes; a line break in it is written twice.
func (e *emitter) singleQuoted(text string, column int, split bool) {
	e.indicator("'", true, false)
	runes := []rune(text)
	for i := 0; i < len(runes); {
		start := i
		switch {
		case runes[i] == ' ':
			for i < len(runes) && runes[i] == ' ' {
				i++
			}
			if i-start == 1 && e.column > dumpWidth && split && start != 0 && i != len(runes) {
				e.indent(column)
			} else {
				e.write(string(runes[start:i]))
			}
		case isBreak(runes[i]):
			e.lineBreak()
			for ; i < len(runes) && isBreak(runes[i]); i++ {
				e.lineBreak()
			}
			e.indent(column)
		default:
			for i < len(runes) && runes[i] != ' ' && !isBreak(runes[i]) {
				i++
			}
			e.write(strings.ReplaceAll(string(runes[start:i]), "'", "''"))
		}
		e.whitespace, e.indention = false, e.indention && e.column == 0
	}
	e.indicator("'", false, false)
}

var escapes = map[rune]byte{0: '0', 7: 'a', 8: 'b', 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r', 27: 'e', '"': '"', '\\': '\\', 0x85: 'N', 0xa0: '_', 0x2028: 'L', 0x2029: 'P'}

// doubleQuoted writes a text between double quotes, with escapes, folded at spaces.
func (e *emitter) doubleQuoted(text string, column int, split bool) {
	e.indicator(`"`, true, false)
	runes := []rune(text)
	start := 0
	for end := 0; end <= len(runes); end++ {
		none := end == len(runes)
		if none || needsEscape(runes[end]) {
			e.write(string(runes[start:end]))
			start = end
			if !none {
				e.write(escaped(runes[end]))
				start = end + 1
			}
		}
		if 0 < end && end < len(runes)-1 && (runes[end] == ' ' || start >= end) && e.column+end-start > dumpWidth && split {
			e.fold(runes, &start, end, column)
		}
	}
	e.indicator(`"`, false, false)
}

// fold goes on in a new line, in the middle of a double quoted text.
func (e *emitter) fold(runes []rune, start *int, end, column int) {
	if *start < end {
		e.write(string(runes[*start:end]))
		*start = end
	}
	e.write(`\`)
	e.indent(column)
	e.whitespace, e.indention = false, false
	if runes[*start] == ' ' {
		e.write(`\`)
	}
}

func needsEscape(c rune) bool { return c == '"' || c == '\\' || c < 0x20 || c > 0x7e }

func escaped(c rune) string {
	if short, ok := escapes[c]; ok {
		return `\` + string(rune(short))
	}
	switch {
	case c <= 0xff:
		return fmt.Sprintf(`\x%02X`, c)
	case c <= 0xffff:
		return fmt.Sprintf(`\u%04X`, c)
	}
	return fmt.Sprintf(`\U%08X`, c)
}

// binary writes base64 after a bar, in lines of 76 letters.
func (e *emitter) binary(data string, column int) {
	if data == "" {
		e.indicator(`""`, true, false)
		return
	}
	e.indicator("|", true, false)
	e.lineBreak()
	text := base64.StdEncoding.EncodeToString([]byte(data))
	for line := range slices.Chunk([]byte(text), 76) {
		e.indent(column)
		e.write(string(line))
		e.lineBreak()
	}
}
