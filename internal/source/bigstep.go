package source

import (
	"context"
	"fmt"
	"path"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// bigstep is the source of machines on Bigstep.
func bigstep() *Source {
	return &Source{
		Name:  "Bigstep",
		Doc:   "The page of JSON whose address is in the file data/seed/bigstep/url below /var/lib/cloud.",
		Match: matchBigstep,
		Fetch: fetchBigstep,
	}
}

func matchBigstep(f *machine.Facts, e *Env) Match { return anyOf(file(bigstepAddress(e)))(f, e) }

// bigstepAddress is the file with the address to ask. It is no seed folder like the others'.
func bigstepAddress(e *Env) string { return path.Join(path.Dir(e.Seed), "data/seed/bigstep/url") }

// fetchBigstep asks for the page when the machine's own network is up: the address may be anywhere.
func fetchBigstep(ctx context.Context, e *Env) (*instance.Instance, error) {
	text, err := e.Machine.Files.Read(bigstepAddress(e))
	switch address := strings.TrimSpace(text); {
	case isMissing(err) || err == nil && address == "":
		return nil, fmt.Errorf("%w: there is no address in %s", ErrAbsent, bigstepAddress(e))
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSilent, err)
	case e.Stage == Local:
		return nil, ErrNotYet
	default:
		return onePage{source: "Bigstep", cloud: "bigstep", address: address, limits: defaultLimits(), instance: bigstepOf}.fetch(ctx, e)
	}
}

// bigstepOf reads Bigstep's document, which has cloud-init's own names.
func bigstepOf(e *Env, doc map[string]any) *instance.Instance {
	meta := conf.Of(doc["metadata"], conf.Origin{Part: "metadata"})
	in := standard(e, meta)
	in.ID = scalar(meta.Get("instance-id"))
	in.UserData, in.VendorData = bytesAt(doc, "userdata_raw"), bytesAt(doc, "vendordata_raw")
	return in
}
