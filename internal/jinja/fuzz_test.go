package jinja

import (
	"strings"
	"testing"
)

// Row Y05. No template may crash the program, or print more than its limit.
func FuzzRender(f *testing.F) {
	vars, files := oracleFiles(f)
	for _, file := range files {
		f.Add(file.text)
	}
	data := decodeVars(f, vars)
	limits := Limits{Steps: 20000, Size: 1 << 20}
	f.Fuzz(func(t *testing.T, text string) {
		res, err := Render("t", text, data, limits)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Line < 1 || e.Col < 1 || e.Msg == "" {
				t.Fatalf("the error has no place or no message: %#v", err)
			}
			return
		}
		if len(res.Text) > limits.Size+1 {
			t.Fatalf("%d bytes were printed", len(res.Text))
		}
		if again, err := Render("t", text, data, limits); !strings.Contains(text, "random") && (err != nil || again.Text != res.Text) {
			t.Fatalf("the second time it gives %q, %v", again.Text, err)
		}
	})
}

// Row Y05.
func FuzzBasic(f *testing.F) {
	f.Add("a $b ${c.d} $$e ${")
	vars := map[string]any{"b": "x", "c": map[string]any{"d": int64(1)}, "e": nil}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Basic("t", text, vars)
		if err == nil && !strings.Contains(text, "$") && got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
