package jinja

import "testing"

// What one rendering of all templates of testdata takes, reading them included: a boot renders each template once.
func BenchmarkRender(b *testing.B) {
	vars, files := oracleFiles(b)
	data := decodeVars(b, vars)
	for b.Loop() {
		for _, f := range files {
			_, _ = Render("t", f.text, data, Limits{})
		}
	}
}
