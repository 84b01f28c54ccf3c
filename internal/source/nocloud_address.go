package source

import (
	"context"
	"fmt"
	"strings"
	"time"

	"openguest/internal/machine"
)

func isRemote(address string) bool {
	for _, scheme := range []string{"http://", "https://", "ftp://", "ftps://"} {
		if strings.HasPrefix(address, scheme) {
			return true
		}
	}
	return false
}

func isFile(address string) bool {
	return strings.HasPrefix(address, "/") || strings.HasPrefix(address, "file://")
}

// follow reads the seed at the address that seedfrom names. Its meta-data fills in what is not known yet; its other
// documents take the place of what was found before.
func (g *gathering) follow(ctx context.Context) error {
	v := g.meta.Get("seedfrom")
	if v == nil {
		return nil
	}
	address := scalar(v)
	switch {
	case isRemote(address) && g.e.Stage == Local:
		g.e.info("the seed at %s is read in the network stage", machine.PublicURL(address))
		return fmt.Errorf("%w: the seed at %s", ErrNotYet, machine.PublicURL(address))
	case !isRemote(address) && !isFile(address):
		return fmt.Errorf("%w: %s: seedfrom should be a path, or an address that begins with file, http, https, ftp or ftps",
			ErrSilent, v.Origin)
	}
	address = g.e.expandDMI(address)
	s, err := g.e.addressReader(ctx, address).seed()
	if err != nil {
		return fmt.Errorf("%w: the seed at %s: %w", ErrSilent, machine.PublicURL(address), err)
	}
	g.user, g.vendor, g.network = nil, nil, nil
	g.add(machine.PublicURL(address), s)
	return nil
}

// addressReader reads the documents of the seed at an address.
func (e *Env) addressReader(ctx context.Context, address string) reader {
	read := func(name string) ([]byte, error) {
		response, err := e.Machine.Net.Fetch(ctx, seedRequest(documentAddress(address, name)))
		return response.Body, err
	}
	if isFile(address) {
		read = func(name string) ([]byte, error) {
			text, err := e.Machine.Files.Read(strings.TrimPrefix(documentAddress(address, name), "file://"))
			return []byte(text), err
		}
	}
	return reader{e, func(name string) string { return machine.PublicURL(documentAddress(address, name)) }, read}
}

// seedRequest asks as often as cloud-init does, but waits for each answer for a limited time.
func seedRequest(address string) machine.Request {
	return machine.Request{URL: address, Tries: 11, Timeout: 10 * time.Second, Wait: time.Second}
}

// documentAddress is where a document of a seed is: its name takes the place of each %s; where there is none it follows
// the address, behind a slash unless that ends in a query.
func documentAddress(address, name string) string {
	if strings.Contains(address, "%s") {
		return strings.ReplaceAll(address, "%s", name)
	}
	beforeFragment, _, _ := strings.Cut(address, "#")
	if _, query, _ := strings.Cut(beforeFragment, "?"); query == "" && !strings.HasSuffix(address, "/") {
		address += "/"
	}
	return address + name
}
