package conf

import "testing"

func BenchmarkParse(b *testing.B) {
	text := []byte("#cloud-config\nusers:\n  - default\n  - name: ada\n    groups: [sudo, adm]\nruncmd:\n  - [a, b]\n  - echo hi\nwrite_files:\n  - path: /x\n    content: |\n      hello\n      world\n")
	for b.Loop() {
		if _, _, err := Parse("t", text); err != nil {
			b.Fatal(err)
		}
	}
}
