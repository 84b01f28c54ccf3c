package conf

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"openguest/internal/yaml"
)

// scalar reads a scalar as PyYAML's resolver and constructor do.
func (r *reader) scalar(n *yaml.Node) (*Value, error) {
	v := stringValue(n, r.at(n))
	switch {
	case n.Tag != "" && n.Tag != "!":
		return r.tagged(v, n)
	case !isPlain(n) && n.Tag != "!":
	case n.Value == "=" || n.Value == "<<":
		return nil, r.fail(v.Origin, "put quotes around it", "a lone %s is not allowed here", n.Value)
	default:
		kind := resolve(n.Value)
		if !construct(v, kind) {
			return nil, r.fail(v.Origin, "put quotes around it if it is a text", "this looks like %s, but is none", kind)
		}
	}
	return v, nil
}

// stringValue is a scalar as it is written.
func stringValue(n *yaml.Node, at Origin) *Value {
	v := &Value{Kind: String, Text: n.Value, Origin: at}
	if n.Style == yaml.Plain {
		v.Plain = n.Value
	}
	return v
}

// tagged reads a scalar that has a tag, such as !!int.
func (r *reader) tagged(v *Value, n *yaml.Node) (*Value, error) {
	kind, ok := kindOfTag(n.Tag)
	if !ok {
		return nil, r.badTag(n)
	}
	if !construct(v, kind) {
		return nil, r.fail(v.Origin, "", "this is not %s, as its tag says", kind)
	}
	return v, nil
}

func kindOfTag(tag string) (kind Kind, ok bool) {
	switch tag {
	case yaml.CoreTags + "str":
		return String, true
	case yaml.CoreTags + "null":
		return Null, true
	case yaml.CoreTags + "bool":
		return Bool, true
	case yaml.CoreTags + "int":
		return Int, true
	case yaml.CoreTags + "float":
		return Float, true
	case yaml.CoreTags + "timestamp":
		return Time, true
	case yaml.CoreTags + "binary":
		return Bytes, true
	}
	return String, false
}

// resolve says what an unquoted scalar is in YAML 1.1.
func resolve(text string) Kind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE", "on", "On", "ON", "off", "Off", "OFF":
		return Bool
	}
	switch c := text[0]; {
	case !(c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.'):
		return String
	case isInt(text):
		return Int
	case isFloat(text):
		return Float
	case isTime(text):
		return Time
	}
	return String
}

// construct gives a value its kind, and its text as Python writes it.
func construct(v *Value, kind Kind) bool {
	text, ok := v.Text, true
	switch kind {
	case Null:
		text = "None"
	case Bool:
		text, ok = boolText(v.Text)
	case Int:
		text, ok = intText(v.Text)
	case Float:
		text, ok = floatText(v.Text)
	case Time:
		text, ok = timeText(v.Text)
	case Bytes:
		text, ok = binaryText(v.Text)
	}
	v.Kind, v.Text = kind, text
	return ok
}

func boolText(text string) (string, bool) {
	switch strings.ToLower(text) {
	case "yes", "true", "on":
		return "True", true
	case "no", "false", "off":
		return "False", true
	}
	return "", false
}

// binaryText decodes base64 as Python does: what is no letter of it is passed over, and after its padding everything.
func binaryText(text string) (string, bool) {
	var letters strings.Builder
	pads := 0
	for _, c := range []byte(text) {
		switch {
		case c >= 0x80:
			return "", false
		case c == '=':
			if pads++; letters.Len()%4 >= 2 && letters.Len()%4+pads >= 4 {
				data, err := base64.RawStdEncoding.DecodeString(letters.String())
				return string(data), err == nil
			}
		case strings.IndexByte(base64Letters, c) >= 0:
			pads = 0
			letters.WriteByte(c)
		}
	}
	data, err := base64.StdEncoding.DecodeString(letters.String())
	return string(data), err == nil
}

const base64Letters = decimal + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/"

// digits counts the characters at the start of text that are among set; the first must be one of first, where that is given.
func digits(text, set string) int {
	n := 0
	for n < len(text) && strings.IndexByte(set, text[n]) >= 0 {
		n++
	}
	return n
}

const decimal = "0123456789"

func unsigned(text string) string {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		return text[1:]
	}
	return text
}

// isInt matches [-+]?0b[01_]+ | [-+]?0[0-7_]+ | [-+]?(0|[1-9][0-9_]*) | [-+]?0x[0-9a-fA-F_]+ | [-+]?[1-9][0-9_]*(:[0-5]?[0-9])+
func isInt(text string) bool {
	s := unsigned(text)
	switch {
	case s == "":
		return false
	case s == "0":
		return true
	case strings.HasPrefix(s, "0b"):
		return len(s) > 2 && digits(s[2:], "01_") == len(s)-2
	case strings.HasPrefix(s, "0x"):
		return len(s) > 2 && digits(s[2:], decimal+"abcdefABCDEF_") == len(s)-2
	case s[0] == '0':
		return digits(s[1:], "01234567_") == len(s)-1
	case s[0] < '1' || s[0] > '9':
		return false
	}
	n := digits(s, decimal+"_")
	return n == len(s) || isSixties(s[n:])
}

// isSixties matches (:[0-5]?[0-9])+
func isSixties(s string) bool {
	groups := strings.Split(s, ":")
	for _, g := range groups[1:] {
		if len(g) == 0 || len(g) > 2 || digits(g, decimal) != len(g) || len(g) == 2 && g[0] > '5' {
			return false
		}
	}
	return groups[0] == "" && len(groups) > 1
}

// isFloat matches PyYAML's floats: they have a dot, and an exponent with a sign.
func isFloat(text string) bool {
	s := unsigned(text)
	switch s {
	case ".inf", ".Inf", ".INF":
		return true
	case ".nan", ".NaN", ".NAN":
		return s == text
	}
	if strings.HasPrefix(text, ".") {
		return len(text) > 1 && strings.IndexByte(decimal, text[1]) >= 0 && isExponent(text[1+digits(text[1:], decimal+"_"):])
	}
	if s == "" || strings.IndexByte(decimal, s[0]) < 0 {
		return false
	}
	n := digits(s, decimal+"_")
	rest := s[n:]
	if strings.HasPrefix(rest, ":") {
		dot := strings.IndexByte(rest, '.')
		return dot > 0 && isSixties(rest[:dot]) && digits(rest[dot+1:], decimal+"_") == len(rest)-dot-1
	}
	if !strings.HasPrefix(rest, ".") {
		return false
	}
	return isExponent(rest[1+digits(rest[1:], decimal+"_"):])
}

// isExponent matches ([eE][-+][0-9]+)?
func isExponent(s string) bool {
	if s == "" {
		return true
	}
	return len(s) > 2 && s[0]|0x20 == 'e' && (s[1] == '-' || s[1] == '+') && digits(s[2:], decimal) == len(s)-2
}

// isTime matches YYYY-MM-DD, or a date and a time of day.
func isTime(text string) bool {
	if len(text) < 8 || digits(text, decimal) != 4 {
		return false
	}
	if len(text) == 10 && digits(text[5:], decimal) == 2 && digits(text[8:], decimal) == 2 && text[4] == '-' && text[7] == '-' {
		return true
	}
	_, _, ok := cutMoment(text)
	return ok
}

// moment is a date and time as it was written, in numbers.
type moment struct {
	year, month, day, hour, minute, second int
	fraction                               string
	zone                                   string // "", "Z", or a sign with hours and perhaps minutes
}

// cutMoment reads [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?
func cutMoment(text string) (m moment, rest string, ok bool) {
	s := scanner{text}
	m.year = s.number(4, 4)
	s.sign("-")
	m.month = s.number(1, 2)
	s.sign("-")
	m.day = s.number(1, 2)
	if !s.sign("T") && !s.sign("t") && !s.blanks() {
		return m, "", false
	}
	m.hour = s.number(1, 2)
	s.must(":")
	m.minute = s.number(2, 2)
	s.must(":")
	m.second = s.number(2, 2)
	if s.sign(".") {
		n := digits(s.text, decimal)
		m.fraction, s.text = s.text[:n], s.text[n:]
	}
	m.zone = strings.TrimLeft(s.text, " \t")
	return m, "", s.text != "\x00" && isZone(m.zone) && (m.zone != "" || s.text == "") && min(m.year, m.month, m.day, m.hour, m.minute, m.second) >= 0
}

func isZone(z string) bool {
	if z == "" || z == "Z" {
		return true
	}
	hours, minutes, colon := strings.Cut(z[1:], ":")
	return (z[0] == '-' || z[0] == '+') && len(hours) >= 1 && len(hours) <= 2 && digits(hours, decimal) == len(hours) &&
		(!colon || len(minutes) == 2 && digits(minutes, decimal) == 2)
}

// scanner takes a text apart from the left. A text that cannot go on is "\x00".
type scanner struct{ text string }

func (s *scanner) number(least, most int) int {
	n := min(digits(s.text, decimal), most)
	if n < least {
		s.text = "\x00"
		return -1
	}
	v, _ := strconv.Atoi(s.text[:n])
	s.text = s.text[n:]
	return v
}

func (s *scanner) sign(c string) bool {
	rest, ok := strings.CutPrefix(s.text, c)
	if ok {
		s.text = rest
	}
	return ok
}

func (s *scanner) must(c string) {
	if !s.sign(c) {
		s.text = "\x00"
	}
}

func (s *scanner) blanks() bool {
	n := digits(s.text, " \t")
	s.text = s.text[n:]
	return n > 0
}

// timeText is the date or moment as Python's str() writes it. A date that no calendar has is an error there.
func timeText(text string) (string, bool) {
	if len(text) == 10 && !strings.ContainsAny(text, "Tt: ") {
		t, err := time.Parse("2006-01-02", text)
		return t.Format("2006-01-02"), err == nil && t.Year() > 0
	}
	m, _, ok := cutMoment(text)
	if !ok {
		return "", false
	}
	fraction, _ := strconv.Atoi((m.fraction + "000000")[:6])
	t := time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, fraction*1000, time.UTC)
	if t.Month() != time.Month(m.month) || t.Day() != m.day || t.Hour() != m.hour || t.Minute() != m.minute || t.Second() != m.second {
		return "", false
	}
	layout := "2006-01-02 15:04:05"
	if fraction != 0 {
		layout += ".000000"
	}
	zone, ok := zoneText(m.zone)
	return t.Format(layout) + zone, ok && m.year > 0
}

// zoneText is the zone as Python writes it: +02:00. A zone is less than a day away.
func zoneText(zone string) (string, bool) {
	switch zone {
	case "":
		return "", true
	case "Z":
		return "+00:00", true
	}
	hours, minutes, _ := strings.Cut(zone[1:], ":")
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	h, m = h+m/60, m%60
	if h == 0 && m == 0 {
		zone = "+"
	}
	return fmt.Sprintf("%s%02d:%02d", zone[:1], h, m), h < 24
}

// maxDigits is how long a number may be; Python refuses to write longer ones.
const maxDigits = 4300

// intText is the number in decimal digits.
func intText(text string) (string, bool) {
	if len(text) > maxDigits {
		return "", false
	}
	s := strings.TrimSpace(strings.ReplaceAll(text, "_", ""))
	negative := strings.HasPrefix(s, "-")
	s = unsigned(s)
	base := 10
	switch {
	case strings.HasPrefix(s, "0b"):
		s, base = s[2:], 2
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case strings.Contains(s, ":"):
		return signed(negative, sixties(s))
	case len(s) > 1 && s[0] == '0':
		s, base = strings.TrimPrefix(s, "0o"), 8
	}
	n, ok := new(big.Int).SetString(s, base)
	if !ok {
		return "", false
	}
	return signed(negative, n)
}

func signed(negative bool, n *big.Int) (string, bool) {
	if n == nil {
		return "", false
	}
	if negative {
		n.Neg(n)
	}
	return n.String(), true
}

// sixties reads 1:30 as 90.
func sixties(text string) *big.Int {
	total := new(big.Int)
	for group := range strings.SplitSeq(text, ":") {
		n, ok := new(big.Int).SetString(group, 10)
		if !ok {
			return nil
		}
		total.Add(total.Mul(total, big.NewInt(60)), n)
	}
	return total
}

// floatText is the number as Python's str() writes it.
func floatText(text string) (string, bool) {
	s := strings.TrimSpace(strings.ToLower(strings.ReplaceAll(text, "_", "")))
	negative := strings.HasPrefix(s, "-")
	s = unsigned(s)
	f, err := 0.0, error(nil)
	switch {
	case s == ".inf":
		f = math.Inf(1)
	case s == ".nan":
		return "nan", true
	case strings.Contains(s, ":"):
		f, err = floatSixties(s)
	default:
		f, err = strconv.ParseFloat(s, 64)
		if math.IsInf(f, 0) {
			err = nil
		}
	}
	if negative {
		f = -f
	}
	return pythonFloat(f), err == nil
}

// floatSixties reads 1:30.5 as 90.5. It adds up from the right, as PyYAML does, so that it rounds the same.
func floatSixties(text string) (total float64, err error) {
	unit := 1.0
	for _, group := range slices.Backward(strings.Split(text, ":")) {
		part, err := strconv.ParseFloat(group, 64)
		if err != nil {
			return 0, err
		}
		total += part * unit
		unit *= 60
	}
	return total, nil
}

// pythonFloat writes a float as Python's repr does.
func pythonFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
