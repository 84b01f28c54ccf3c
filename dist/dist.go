// Package dist holds what the program brings along: the default configuration and the templates of files.
package dist

import _ "embed"

// CloudConfig is the configuration of an image that has none: a Jinja template with the variable variant, the
// distribution's id.
//
//go:embed cloud.cfg
var CloudConfig string

// Hosts is the template of /etc/hosts where the image has none. Its variables are address, the address that the host's
// own name has, fqdn, hostname and family, the distribution's.
//
//go:embed hosts.tmpl
var Hosts string
