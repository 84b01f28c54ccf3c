package source

import (
	"math/rand/v2"
	"regexp"
	"testing"
)

// What a shell takes for an assignment is one, and nothing else: the address of a machine is among them.
func TestContextAssignments(t *testing.T) {
	assignment, address := regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=`), regexp.MustCompile(`^ETH[0-9]+_IP`)
	random := rand.New(rand.NewPCG(6, 3))
	pieces := []string{"export", " ", "\t", "ETH", "0", "12", "_IP", "_", "=", "A", "b", "'", "é", "-", "export "}
	for range 30_000 {
		line := ""
		for range random.IntN(8) {
			line += pieces[random.IntN(len(pieces))]
		}
		name, value := cutAssignment(line)
		switch found := assignment.FindStringSubmatch(line); {
		case found == nil && name != "", found != nil && (name != found[1] || value != line[len(found[0]):]):
			t.Fatalf("%q sets %q to %q; it should be %q", line, name, value, found)
		}
		if isAddress(line) != address.MatchString(line) {
			t.Fatalf("%q gives an address: %v", line, isAddress(line))
		}
	}
}
