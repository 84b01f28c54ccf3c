package userdata

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// How far includes are followed. cloud-init follows a text that includes itself until it dies.
const (
	maxIncludes = 10  // one in another
	maxFetches  = 500 // in one document
)

// hidden stands for what is not to be shown.
var hidden = instance.Hide("x").String()

// An IncludeError is why something that a document includes could not be fetched. Without it the boot stage ends.
type IncludeError struct {
	URL string // without user and query, which may be secret
	By  string // what includes it: the document, or something included before
	Err error

	full string
}

// Error says what could not be fetched, and why.
func (e *IncludeError) Error() string {
	reason := strings.ReplaceAll(e.Err.Error(), e.full, e.URL)
	return fmt.Sprintf("%s includes %s, which could not be fetched: %s", e.By, e.URL, reason)
}

// Unwrap is why.
func (e *IncludeError) Unwrap() error { return e.Err }

// include takes apart what a list of addresses leads to, in the order of the list.
func (c *collector) include(text string, from source) error {
	once := false
	for line := range strings.Lines(text) {
		var address string
		address, once = includeLine(line, once)
		if address == "" {
			continue
		}
		if err := c.follow(address, once, from); err != nil {
			return err
		}
	}
	return nil
}

// includeLine is the address on a line, if there is one, and whether what it leads to is to be remembered. The header itself
// may have an address behind it, and tells for the lines after it.
func includeLine(line string, once bool) (address string, _ bool) {
	line = strings.TrimRight(line, "\r\n")
	for _, header := range []string{"#include-once", "#include"} {
		if len(line) >= len(header) && strings.EqualFold(line[:len(header)], header) {
			once = header == "#include-once"
			line = strings.TrimSpace(line[len(header):])
			break
		}
	}
	if strings.HasPrefix(line, "#") {
		return "", once
	}
	return strings.TrimSpace(line), once
}

// follow takes apart what an address leads to.
func (c *collector) follow(address string, once bool, from source) error {
	to := source{url: shown(address), chain: append(slices.Clip(from.chain), address)}
	c.fetches++
	switch {
	case slices.Contains(from.chain, address):
		c.lose(to.url, typeInclude, from, "it is not followed, since it includes itself")
		return nil
	case c.fetches > maxFetches || len(to.chain) > maxIncludes:
		c.lose(to.url, typeInclude, from, "it is not followed: there are more than %d includes, or more than %d one in another", maxFetches, maxIncludes)
		return nil
	}
	body, err := c.get(address, once)
	if err != nil {
		return &IncludeError{URL: to.url, By: cmp.Or(from.url, c.name), Err: err, full: address}
	}
	if c.gathered += int64(len(body)); c.gathered > maxGathered {
		c.lose(to.url, typeInclude, from, "it is left out: all together would be more than %d MiB", maxGathered>>20)
		return nil
	}
	return c.take(string(body), to)
}

// get fetches what an address leads to, but once only where that is asked for.
func (c *collector) get(address string, once bool) ([]byte, error) {
	if once && c.out.Kept != nil {
		if body, ok := c.out.Kept(address); ok {
			return body, nil
		}
	}
	if c.out.Fetch == nil {
		return nil, errors.New("nothing can be fetched here")
	}
	body, err := c.out.Fetch(c.ctx, address)
	if err == nil && once && c.out.Keep != nil {
		if err := c.out.Keep(address, body); err != nil {
			c.problem(conf.Problem{Origin: c.origin(c.nextName()), Level: conf.Warning, Hint: "it will be fetched again at the next boot",
				Message: fmt.Sprintf("what was included once from %s cannot be kept: %v", shown(address), err)})
		}
	}
	return body, err
}

// shown is an address without what may be secret in it: the user and the query.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return hidden
	}
	if u.User != nil {
		u.User = url.User("user")
	}
	if u.RawQuery != "" {
		u.RawQuery = "query"
	}
	u.Fragment, u.RawFragment = "", ""
	return strings.NewReplacer("//user@", "//"+hidden+"@", "?query", "?"+hidden).Replace(u.String())
}
