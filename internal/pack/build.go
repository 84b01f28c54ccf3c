package pack

import (
	_ "embed" // for the flags
	"strings"
)

//go:embed build.flags
var buildFlags string

// BuildFlags are the flags of "go build" that make the programs small: no HTTP/2, which no metadata service needs, and no
// inlining but in the arithmetic of keys, where it counts. Together they save a tenth. scripts/build reads the same file.
func BuildFlags() []string { return strings.Split(strings.TrimSpace(buildFlags), "\n") }
