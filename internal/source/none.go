package source

import (
	"context"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// none is the source of a machine that no cloud speaks for: what the image itself says in datasource.None, or nothing.
func none() *Source {
	return &Source{
		Name: "None",
		Doc: "The last resort: it always answers. The instance is named iid-datasource-none, and what it is told comes from " +
			"the configuration of the image, datasource.None: userdata_raw and metadata.",
		Fallback: true,
		Fetch:    fetchNone,
	}
}

// fetchNone answers in the network stage: until then a cloud may still turn up.
func fetchNone(_ context.Context, e *Env) (*instance.Instance, error) {
	if e.Stage == Local {
		return nil, ErrNotYet
	}
	config := e.config("None")
	meta := config.Get("metadata")
	if !meta.IsNull() && meta.Kind != conf.Map {
		e.warn("%s: datasource.None.metadata should be a mapping, but is %v; it is left out", meta.Origin, meta.Kind)
		meta = nil
	}
	in := standard(e, meta)
	in.Source, in.Detail = "None", "DataSourceNone"
	in.ID = "iid-datasource-none"
	in.Platform, in.Subplatform, in.Mode = "none", "config", modeNet
	if in.Cloud == "" {
		in.Cloud = "none"
	}
	in.UserData = []byte(textOf(e, config.Get("userdata_raw"), "datasource.None.userdata_raw"))
	return in, nil
}
