package module

import (
	"errors"
	"slices"
	"strings"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
	"openguest/internal/spelling"
)

// A givenKey is what ssh_keys says of one kind of key; what is not given is nil.
type givenKey struct {
	kind                         string
	private, public, certificate *conf.NamedItem[instance.Secret]
	derived                      account.Key // the public half of private
	refused                      bool        // no server could use private
}

// hasGiven says whether a private key was given that a server can use.
func (h *hostKeys) hasGiven() bool {
	return slices.ContainsFunc(h.given, func(g givenKey) bool { return g.private != nil && !g.refused })
}

// readGiven sorts what ssh_keys has by kind. What no server could use is rejected.
func (h *hostKeys) readGiven() {
	var known []string
	for _, kind := range account.HostKeyKinds() {
		g := givenKey{kind: kind, private: h.item(kind + "_private"), public: h.item(kind + "_public"), certificate: h.item(kind + "_certificate")}
		known = append(known, kind+"_private", kind+"_public", kind+"_certificate")
		h.check(&g)
		h.given = append(h.given, g)
	}
	for _, item := range h.keys.Given {
		if !slices.Contains(known, item.Name) {
			h.rejectName(item, known)
		}
	}
}

// item is what ssh_keys has under a name; the last one counts.
func (h *hostKeys) item(name string) (found *conf.NamedItem[instance.Secret]) {
	for i, item := range h.keys.Given {
		if item.Name == name {
			found = &h.keys.Given[i]
		}
	}
	return found
}

func (h *hostKeys) rejectName(item conf.NamedItem[instance.Secret], known []string) {
	what := "unrecognized"
	if strings.HasPrefix(item.Name, "ecdsa-sk_") || strings.HasPrefix(item.Name, "ed25519-sk_") {
		what = "unsupported"
	}
	hint := "the kinds are " + strings.Join(account.HostKeyKinds(), ", ")
	if near := spelling.Nearest(item.Name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	h.reject(item, "Skipping "+what+` ssh_keys entry: "`+item.Name+`"`, hint)
}

func (h *hostKeys) reject(item conf.NamedItem[instance.Secret], message, hint string) {
	h.Problem(conf.Problem{Origin: item.Origin, Path: "ssh_keys." + item.Name, Level: conf.Rejected, Message: message, Hint: hint})
}

// check reads the keys of one kind. A public half that is not of the private key beside it would mislead the server: the
// one that is derived takes its place.
func (h *hostKeys) check(g *givenKey) {
	if g.private != nil {
		derived, err := account.PublicOf(g.private.Value)
		if err != nil {
			g.refused = true
			h.reject(*g.private, err.Error(), "")
			return
		}
		g.derived = derived
		g.derived.Comment = strings.TrimSpace(derived.Comment + " root@localhost")
	}
	if g.public != nil && g.private != nil {
		if public, _ := account.ParseKey(g.public.Value.Reveal()); public.Base64 != g.derived.Base64 {
			h.reject(*g.public, "it is not the public half of "+g.private.Name+"; the one that is derived from that is written", "")
			g.public = nil
		}
	}
}

// placeGiven writes the keys that were given.
func (h *hostKeys) placeGiven() (err error) {
	for _, g := range h.given {
		name := privateKeyFile(g.kind)
		if g.private != nil && !g.refused {
			err = errors.Join(err, h.placeItem(g.private, func() error { return h.placePrivate(g) }))
		}
		if g.public != nil {
			err = errors.Join(err, h.placeItem(g.public, g.unlessRefused(func() error {
				return h.put(name+".pub", machine.File(0o644, g.public.Value.Reveal()))
			})))
		}
		if g.certificate != nil {
			err = errors.Join(err, h.placeItem(g.certificate, g.unlessRefused(func() error { return h.placeCertificate(g) })))
		}
	}
	return err
}

// placeItem does what one entry of ssh_keys asks for.
func (h *hostKeys) placeItem(item *conf.NamedItem[instance.Secret], do func() error) error {
	return h.Item(item.Origin, "ssh_keys."+item.Name, func() error {
		if err := machine.MakeFolders(h.Machine.Files, sshFolder, machine.Folder(0o755)); err != nil {
			return err
		}
		return do()
	})
}

// unlessRefused leaves out what belongs to a private key that was not used.
func (g givenKey) unlessRefused(do func() error) func() error {
	if !g.refused {
		return do
	}
	return func() error { return Skip(g.private.Name + " is not used") }
}

// placePrivate writes a private key, and its public half where none is given. ssh reads its own format only where the
// last line ends.
func (h *hostKeys) placePrivate(g givenKey) error {
	text := strings.TrimSuffix(g.private.Value.Reveal(), "\n") + "\n"
	if err := h.putPrivate(g.kind, machine.File(0o600, text)); err != nil || g.public != nil {
		return err
	}
	return h.put(privateKeyFile(g.kind)+".pub", machine.File(0o644, g.derived.String()+"\n"))
}

// placeCertificate writes a certificate and tells the server to show it.
func (h *hostKeys) placeCertificate(g givenKey) error {
	name := privateKeyFile(g.kind) + "-cert.pub"
	if err := h.put(name, machine.File(0o644, g.certificate.Value.Reveal())); err != nil {
		return err
	}
	_, err := account.AddSSHD(h.Machine.Files, "HostCertificate", name)
	return err
}
