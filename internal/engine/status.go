package engine

import (
	"encoding/json"
	"maps"
	"path"
	"slices"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// status is status.json: what each stage came to.
type status struct {
	Datasource string
	Stages     map[Stage]*record
}

// A record is one stage in status.json. Times are seconds since the kernel started.
type record struct {
	Start       *float64            `json:"start"`
	Finished    *float64            `json:"finished"`
	Errors      []string            `json:"errors"`
	Recoverable map[string][]string `json:"recoverable_errors"`
}

// openStatus begins a stage. The first stage of a boot begins status.json anew.
func (e *Engine) openStatus(stage Stage) *status {
	s := &status{Stages: map[Stage]*record{}}
	if stage == Local {
		for _, name := range []string{"status.json", "result.json"} {
			e.state.Files.Remove(path.Join(e.paths.Run, name))
			e.state.Files.Remove(e.paths.Data(name))
		}
		e.log.verdicts = nil
	} else {
		s = e.readStatus()
		e.log.verdicts = readVerdicts(e.state, bootVerdicts)
	}
	for _, name := range Stages() {
		if s.Stages[name] == nil {
			s.Stages[name] = &record{Errors: []string{}, Recoverable: map[string][]string{}}
		}
	}
	if r := s.Stages[stage]; r.Start != nil && r.Finished == nil {
		e.log.Log(module.Warning, "Unexpected start time found for %s. Was this stage restarted?", stage)
	}
	up := e.machine.Clock.Uptime().Seconds()
	s.Stages[stage].Start = &up
	e.folder(e.paths.Data(""), 0o755)
	e.folder(e.paths.Run, 0o755)
	e.saveStatus(s, string(stage))
	e.link(path.Join(e.paths.Run, "status.json"), relative(e.paths.Run, e.paths.Data("status.json")))
	return s
}

// finish ends a stage, and after the last one writes result.json.
func (e *Engine) finish(stage Stage, errs []string) {
	r := e.status.Stages[stage]
	up := e.machine.Clock.Uptime().Seconds()
	r.Finished = &up
	r.Errors = append(r.Errors, errs...)
	maps.Copy(r.Recoverable, e.log.recoverable)
	e.log.recoverable = map[string][]string{}
	e.saveStatus(e.status, "")
	e.saveVerdicts(bootVerdicts)
	if stage == Final {
		e.saveResult()
	}
}

// amend adds to a stage that has ended what came of work that it left.
func (e *Engine) amend(stage Stage, errs []string) {
	s := e.readStatus()
	if r := s.Stages[stage]; r != nil && (len(errs) > 0 || len(e.log.recoverable) > 0) {
		r.Errors = append(r.Errors, errs...)
		for level, lines := range e.log.recoverable {
			for _, line := range lines {
				if !slices.Contains(r.Recoverable[level], line) {
					r.Recoverable[level] = append(r.Recoverable[level], line)
				}
			}
		}
		e.saveStatus(s, "")
	}
	e.saveVerdicts(bootVerdicts)
}

// saveResult writes result.json, with the errors of the stages in the order of their names, as cloud-init does.
func (e *Engine) saveResult() {
	all := []any{}
	for _, name := range []Stage{Network, Local, Config, Final} {
		for _, text := range e.status.Stages[name].Errors {
			all = append(all, text)
		}
	}
	e.putJSON(e.paths.Data("result.json"), map[string]any{"v1": map[string]any{"datasource": orNil(e.status.Datasource), "errors": all}})
	e.link(path.Join(e.paths.Run, "result.json"), relative(e.paths.Run, e.paths.Data("result.json")))
}

func (e *Engine) saveStatus(s *status, running string) {
	v1 := map[string]any{"datasource": orNil(s.Datasource), "stage": orNil(running)}
	for name, r := range s.Stages {
		v1[string(name)] = plain(r)
	}
	e.putJSON(e.paths.Data("status.json"), map[string]any{"v1": v1})
}

// putJSON writes plain data as cloud-init does.
func (e *Engine) putJSON(name string, data any) error {
	return e.put(name, 0o644, conf.JSON(data)+"\n")
}

// plain is a value as plain data.
func plain(v any) (data any) {
	text, err := json.Marshal(v)
	if err == nil {
		json.Unmarshal(text, &data)
	}
	return data
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// readStatus reads what the stages before this one wrote; a missing or broken status.json is an empty one.
func (e *Engine) readStatus() *status {
	s := &status{Stages: map[Stage]*record{}}
	text, err := e.state.Files.Read(e.paths.Data("status.json"))
	var file struct {
		V1 map[string]json.RawMessage `json:"v1"`
	}
	if err != nil || json.Unmarshal([]byte(text), &file) != nil {
		return s
	}
	json.Unmarshal(file.V1["datasource"], &s.Datasource)
	for _, name := range Stages() {
		r := &record{}
		if json.Unmarshal(file.V1[string(name)], r) == nil {
			if r.Recoverable == nil {
				r.Recoverable = map[string][]string{}
			}
			s.Stages[name] = r
		}
	}
	return s
}

// The files of verdicts: those of the boot, and those of what follows the cloud since.
const (
	bootVerdicts = "verdicts.json"
	liveVerdicts = "live-verdicts.json"
)

// saveVerdicts keeps verdicts for status and why.
func (e *Engine) saveVerdicts(file string) {
	text, err := json.Marshal(e.log.verdicts)
	if err == nil {
		e.put(path.Join(OwnState, file), 0o600, string(text))
	}
}

// ReadVerdicts are the verdicts of the last boot so far, and of what followed the cloud since.
func ReadVerdicts(m machine.Machine) []module.Verdict {
	return append(readVerdicts(m, bootVerdicts), readVerdicts(m, liveVerdicts)...)
}

func readVerdicts(m machine.Machine, file string) (all []module.Verdict) {
	text, err := m.Files.Read(path.Join(OwnState, file))
	if err == nil {
		json.Unmarshal([]byte(text), &all)
	}
	return all
}

// Verdicts are those of the stages that this engine ran.
func (e *Engine) Verdicts() []module.Verdict { return e.log.verdicts }

// relative is the way from a folder to a file.
func relative(from, to string) string {
	up := ""
	for dir := path.Clean(from); dir != "/"; dir = path.Dir(dir) {
		up += "../"
	}
	return path.Clean(up + to)
}
