package conf

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON writes plain data as Python's json.dumps does with an indent of 1 and sorted keys, which is how cloud-init writes
// its files: bytes as base64 with "ci-b64:" in front, and everything outside ASCII escaped.
func JSON(data any) string {
	var out strings.Builder
	writeJSON(&out, data, "\n")
	return out.String()
}

func writeJSON(out *strings.Builder, data any, indent string) {
	switch data := data.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		out.WriteString(strconv.FormatBool(data))
	case int:
		out.WriteString(strconv.Itoa(data))
	case int64:
		out.WriteString(strconv.FormatInt(data, 10))
	case *big.Int:
		out.WriteString(data.String())
	case float64:
		out.WriteString(jsonFloat(data))
	case string:
		writeJSONString(out, data)
	case []byte:
		writeJSONString(out, "ci-b64:"+base64.StdEncoding.EncodeToString(data))
	case []string:
		writeJSON(out, anyList(data), indent)
	case []any:
		writeJSONList(out, data, indent)
	case map[string]any:
		writeJSONMap(out, data, indent)
	default:
		writeJSONString(out, fmt.Sprint(data))
	}
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

func jsonFloat(f float64) string {
	switch text := pythonFloat(f); text {
	case "inf":
		return "Infinity"
	case "-inf":
		return "-Infinity"
	case "nan":
		return "NaN"
	default:
		return text
	}
}

func writeJSONList(out *strings.Builder, list []any, indent string) {
	if len(list) == 0 {
		out.WriteString("[]")
		return
	}
	for i, item := range list {
		out.WriteString(open("[", i) + indent + " ")
		writeJSON(out, item, indent+" ")
	}
	out.WriteString(indent + "]")
}

func writeJSONMap(out *strings.Builder, m map[string]any, indent string) {
	if len(m) == 0 {
		out.WriteString("{}")
		return
	}
	for i, key := range slices.Sorted(maps.Keys(m)) {
		out.WriteString(open("{", i) + indent + " ")
		writeJSONString(out, key)
		out.WriteString(": ")
		writeJSON(out, m[key], indent+" ")
	}
	out.WriteString(indent + "}")
}

// open is the bracket before the first of several, and a comma before the others.
func open(bracket string, i int) string {
	if i == 0 {
		return bracket
	}
	return ","
}

func writeJSONString(out *strings.Builder, text string) {
	out.WriteByte('"')
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRuneInString(text[i:])
		i += size
		switch {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteRune(c)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c == '\b':
			out.WriteString(`\b`)
		case c == '\f':
			out.WriteString(`\f`)
		case c >= 0x20 && c < 0x7f:
			out.WriteRune(c)
		case c >= 0x10000:
			c -= 0x10000
			fmt.Fprintf(out, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			fmt.Fprintf(out, `\u%04x`, c)
		}
	}
	out.WriteByte('"')
}

// ReadJSON reads plain data: one document and nothing behind it. Whole numbers stay whole.
func ReadJSON(text []byte) (data any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&data); err != nil {
		return nil, fmt.Errorf("this is not JSON: %w", err)
	}
	if _, err = d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("this is not JSON: something stands behind its end")
	}
	return Numbered(data), nil
}

// Numbered is data with each json.Number as the number that it is, in place.
func Numbered(data any) any {
	switch data := data.(type) {
	case json.Number:
		return readNumber(data)
	case map[string]any:
		for key, value := range data {
			data[key] = Numbered(value)
		}
	case []any:
		for i, value := range data {
			data[i] = Numbered(value)
		}
	}
	return data
}

func readNumber(n json.Number) any {
	if whole, err := n.Int64(); err == nil {
		return whole
	}
	if whole, ok := new(big.Int).SetString(string(n), 10); ok {
		return whole
	}
	f, _ := n.Float64()
	return f
}

// Of makes a value of plain data: nil, booleans, numbers, texts, bytes, values that are made already (they stay as they are),
// lists and mappings of such.
func Of(data any, o Origin) *Value {
	v := &Value{Kind: String, Origin: o}
	switch data := data.(type) {
	case nil:
		v.Kind, v.Text = Null, "None"
	case *Value:
		if data != nil {
			return data
		}
		v.Kind, v.Text = Null, "None"
	case bool:
		v.Kind, v.Text = Bool, "False"
		if data {
			v.Text = "True"
		}
	case int:
		v.Kind, v.Text = Int, strconv.Itoa(data)
	case int64:
		v.Kind, v.Text = Int, strconv.FormatInt(data, 10)
	case *big.Int:
		v.Kind, v.Text = Int, data.String()
	case float64:
		v.Kind, v.Text = Float, pythonFloat(data)
	case string:
		v.Text = data
	case []byte:
		v.Kind, v.Text = Bytes, string(data)
	case []string:
		return Of(anyList(data), o)
	case []any:
		v.Kind = List
		for _, item := range data {
			v.Items = append(v.Items, Of(item, o))
		}
	case map[string]string:
		v.Kind = Map
		for _, key := range slices.Sorted(maps.Keys(data)) {
			v.Pairs = append(v.Pairs, Pair{Of(key, o), Of(data[key], o)})
		}
	case map[string]any:
		v.Kind = Map
		for _, key := range slices.Sorted(maps.Keys(data)) {
			v.Pairs = append(v.Pairs, Pair{Of(key, o), Of(data[key], o)})
		}
	default:
		v.Text = fmt.Sprint(data)
	}
	return v
}

// stored is a Value in a file of ours. Text is bytes, so that it need not be UTF-8; the names of parts are kept once.
type stored struct {
	Kind  Kind      `json:"k"`
	Text  []byte    `json:"t,omitempty"`
	Plain bool      `json:"p,omitempty"` // Plain is Text
	Spelt string    `json:"s,omitempty"` // Plain where it is not
	Part  int       `json:"o"`
	Line  int       `json:"l,omitempty"`
	Col   int       `json:"c,omitempty"`
	Items []*stored `json:"i,omitempty"` // of a list, or keys and values by turns
	Same  int       `json:"r,omitempty"` // it is the collection of this number, counted from 1 as they begin
}

type storedTree struct {
	Parts []string `json:"parts"`
	Root  *stored  `json:"root"`
}

// MarshalJSON keeps everything, the place of each value too, and what is shared once.
func (v *Value) MarshalJSON() ([]byte, error) {
	s := storer{parts: map[string]int{}, numbers: map[*Value]int{}}
	tree := storedTree{Root: s.store(v)}
	tree.Parts = make([]string, len(s.parts))
	for name, i := range s.parts {
		tree.Parts[i] = name
	}
	return json.Marshal(tree)
}

// storer turns Values into what is stored.
type storer struct {
	parts   map[string]int
	numbers map[*Value]int // of collections
}

func (s *storer) store(v *Value) *stored {
	if number := s.numbers[v]; number > 0 {
		return &stored{Same: number}
	}
	if v.Kind == List || v.Kind == Map {
		s.numbers[v] = len(s.numbers) + 1
	}
	part, ok := s.parts[v.Origin.Part]
	if !ok {
		part = len(s.parts)
		s.parts[v.Origin.Part] = part
	}
	out := &stored{Kind: v.Kind, Text: []byte(v.Text), Part: part, Line: v.Origin.Line, Col: v.Origin.Col}
	if out.Plain = v.Plain != "" && v.Plain == v.Text; !out.Plain {
		out.Spelt = v.Plain
	}
	for _, item := range v.Items {
		out.Items = append(out.Items, s.store(item))
	}
	for _, p := range v.Pairs {
		out.Items = append(out.Items, s.store(p.Key), s.store(p.Value))
	}
	return out
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(text []byte) error {
	var tree storedTree
	if err := json.Unmarshal(text, &tree); err != nil {
		return fmt.Errorf("read a stored configuration: %w", err)
	}
	if tree.Root == nil {
		return nil
	}
	root, err := (&restorer{parts: tree.Parts}).value(tree.Root)
	if err != nil {
		return fmt.Errorf("read a stored configuration: %w", err)
	}
	*v = *root
	return nil
}

// restorer turns what was stored into Values.
type restorer struct {
	parts       []string
	collections []*Value // nil while they are being read
}

var errStored = errors.New("it is damaged; remove it, and it is made anew at the next boot")

func (r *restorer) value(s *stored) (*Value, error) {
	switch {
	case s == nil || s.Part < 0 || s.Part >= len(r.parts) || s.Same < 0 || s.Same > len(r.collections) || s.Kind > Map:
		return nil, errStored
	case s.Same > 0 && r.collections[s.Same-1] == nil:
		return nil, errStored
	case s.Same > 0:
		return r.collections[s.Same-1], nil
	}
	v := &Value{Kind: s.Kind, Text: string(s.Text), Plain: s.Spelt, Origin: Origin{r.parts[s.Part], s.Line, s.Col}}
	if s.Plain {
		v.Plain = v.Text
	}
	if s.Kind != List && s.Kind != Map {
		return v, nil
	}
	number := len(r.collections)
	r.collections = append(r.collections, nil)
	items := make([]*Value, len(s.Items))
	for i, item := range s.Items {
		var err error
		if items[i], err = r.value(item); err != nil {
			return nil, err
		}
	}
	if s.Kind == List {
		v.Items = items
	}
	for pair := range slices.Chunk(items, 2) {
		if s.Kind == Map && len(pair) == 2 {
			v.Pairs = append(v.Pairs, Pair{pair[0], pair[1]})
		}
	}
	r.collections[number] = v
	return v, nil
}
