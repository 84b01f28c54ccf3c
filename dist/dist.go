// Package dist holds what the program brings along: the default configuration and the templates of files.
package dist

import _ "embed"

// CloudConfig is the configuration of an image that has none: a Jinja template with the variable variant, the
// distribution's id.
//
//go:embed cloud.cfg
var CloudConfig string
