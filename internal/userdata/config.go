package userdata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"openguest/internal/conf"
)

// A config is what the cloud-config parts of a document merge to.
type config struct {
	value  *conf.Value // nil until the first part
	names  []string    // of the parts that are in it
	failed []string    // of those that are not, where the file says so
}

// text is the file cloud-config.txt as cloud-init writes it; tools read its comments.
func (c *config) text() string {
	if c.value == nil {
		return ""
	}
	lines := []string{"#cloud-config", ""}
	if len(c.names) > 0 {
		lines = append(lines, fmt.Sprintf("# from %d files", len(c.names)))
		for _, name := range c.names {
			lines = append(lines, "# "+name)
		}
		lines = append(lines, "")
	}
	for _, name := range c.failed {
		lines = append(lines, "# Cloud-config part ignored SCHEMA_ERROR: "+name)
	}
	return strings.Join(append(lines, conf.Dump(c.value)), "\n")
}

// merge adds a cloud-config part to the configuration.
func (h *handler) merge(p *part, text string) {
	c := &h.config
	if c.value == nil {
		c.value = &conf.Value{Kind: conf.Map}
	}
	value, problems, err := conf.Parse(h.origin(p), []byte(text))
	h.result.Problems = append(h.result.Problems, problems...)
	name := strings.TrimSpace(oneLine(p.name))
	if err != nil || value.IsNull() || value.Kind != conf.Map {
		c.failed = append(c.failed, name)
		h.badConfig(p, value, err, text)
		return
	}
	value, merger, err := h.mergerOf(p, value)
	if err != nil {
		if !errors.Is(err, conf.ErrMergerUnknown) {
			c.failed = append(c.failed, name)
		}
		h.refuse(conf.Problem{Origin: value.Origin, Path: "merge_how",
			Message: fmt.Sprintf("Failed at merging in cloud config part from %s: %v", p.name, err)})
		return
	}
	c.value = merger.Merge(c.value, value)
	c.names = append(c.names, name)
}

// badConfig says why a part is no configuration. The words up to "empty cloud config" are cloud-init's for all such cases.
func (h *handler) badConfig(p *part, value *conf.Value, err error, text string) {
	problem := conf.Problem{Origin: conf.Origin{Part: h.origin(p)}}
	why := ""
	switch {
	case err != nil:
		if place := (conf.Problem{}); errors.As(err, &place) {
			problem.Origin, problem.Hint = place.Origin, place.Hint
		}
		why = ": " + problemText(err)
	case value.IsNull():
		problem.Hint = "it has nothing but comments"
	default:
		problem.Origin = value.Origin
		why = ": it should be a mapping, but is " + value.Kind.String()
	}
	if kind := kindOf(text); kind != "" && kind != typeConfig {
		problem.Hint = fmt.Sprintf("it is declared %s, but begins like %s", typeConfig, kind)
	}
	problem.Message = fmt.Sprintf("Failed at merging in cloud config part from %s: empty cloud config%s", p.name, why)
	h.refuse(problem)
}

// problemText is what is wrong, without the place, which stands beside it.
func problemText(err error) string {
	var p conf.Problem
	if errors.As(err, &p) {
		return p.Message
	}
	return err.Error()
}

// mergerOf is how a part wants to be merged, and the part without the key that says so. A key and a header add up; where
// there is neither, later keys replace earlier ones.
func (h *handler) mergerOf(p *part, value *conf.Value) (rest *conf.Value, merger conf.Merger, err error) {
	rest, how := without(value, "merge_how")
	if how.IsNull() {
		rest, how = without(rest, "merge_type")
	}
	header, _ := p.message.header("Merge-Type")
	if header == "" {
		header, _ = p.message.header("X-Merge-Type")
	}
	if !how.IsNull() && how.Kind != conf.String && (how.Kind != conf.List || len(how.Items) > 0) {
		if header != "" {
			h.warn(p, "write merge_how as one string, and both count", "%s has its header Merge-Type ignored, since merge_how is %s", p.name, how.Kind)
		}
		merger, err = conf.ParseMerger(how)
		return rest, merger, err
	}
	spelled := strings.Trim(how.Str("")+"+"+header, "+ \t")
	if spelled == "" {
		return rest, conf.PartMerger(), nil
	}
	merger, err = conf.ParseMergerHeader(spelled)
	return rest, merger, err
}

// without is a mapping without a key, and what was there.
func without(value *conf.Value, key string) (rest, taken *conf.Value) {
	taken = value.Get(key)
	if taken == nil {
		return value, nil
	}
	less := *value
	less.Pairs = slices.DeleteFunc(slices.Clone(value.Pairs), func(p conf.Pair) bool { return p.Key.Kind == conf.String && p.Key.Text == key })
	return &less, taken
}
