package engine

import (
	"encoding/json"
	"path"

	"openguest/internal/conf"
	"openguest/internal/machine"
	"openguest/internal/module"
)

// status is status.json: what each stage came to.
type status struct {
	Datasource string
	Stage      string // the one that runs
	Stages     map[Stage]*Record
}

// A Record is one stage in status.json. Times are seconds since the kernel started.
type Record struct {
	Start       *float64            `json:"start"`
	Finished    *float64            `json:"finished"`
	Errors      []string            `json:"errors"`
	Recoverable map[string][]string `json:"recoverable_errors"`
}

// openStatus begins a stage. The first stage of a boot begins status.json anew.
func (e *Engine) openStatus(stage Stage) *status {
	s := &status{Stages: map[Stage]*Record{}}
	if stage == Local {
		for _, name := range []string{"status.json", "result.json"} {
			e.state.Files.Remove(path.Join(e.paths.Run, name))
			e.state.Files.Remove(e.paths.Data(name))
		}
		e.log.verdicts = nil
	} else {
		s = e.readStatus()
		e.log.verdicts = ReadVerdicts(e.state)
	}
	for _, name := range Stages() {
		if s.Stages[name] == nil {
			s.Stages[name] = &Record{Errors: []string{}, Recoverable: map[string][]string{}}
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
	for level, lines := range e.log.recoverable {
		r.Recoverable[level] = append(r.Recoverable[level], lines...)
	}
	e.log.recoverable = map[string][]string{}
	e.saveStatus(e.status, "")
	e.saveVerdicts()
	if stage == Final {
		e.saveResult()
	}
}

func (e *Engine) saveResult() {
	all := []any{}
	for _, name := range Stages() {
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

func (e *Engine) readStatus() *status {
	s, _ := ReadStatus(e.state, e.paths)
	return s
}

// ReadStatus reads status.json; a missing or broken one is an empty one.
func ReadStatus(m machine.Machine, p module.Paths) (s *status, ok bool) {
	s = &status{Stages: map[Stage]*Record{}}
	text, err := m.Files.Read(p.Data("status.json"))
	if err != nil {
		return s, false
	}
	var file struct {
		V1 map[string]json.RawMessage `json:"v1"`
	}
	if json.Unmarshal([]byte(text), &file) != nil {
		return s, false
	}
	json.Unmarshal(file.V1["datasource"], &s.Datasource)
	json.Unmarshal(file.V1["stage"], &s.Stage)
	for _, name := range Stages() {
		r := &Record{}
		if json.Unmarshal(file.V1[string(name)], r) == nil {
			if r.Recoverable == nil {
				r.Recoverable = map[string][]string{}
			}
			s.Stages[name] = r
		}
	}
	return s, true
}

// saveVerdicts keeps the verdicts of the boot for status and why.
func (e *Engine) saveVerdicts() {
	text, err := json.Marshal(e.log.verdicts)
	if err == nil {
		e.put(path.Join(OwnState, "verdicts.json"), 0o600, string(text))
	}
}

// ReadVerdicts are the verdicts of the last boot so far.
func ReadVerdicts(m machine.Machine) (all []module.Verdict) {
	text, err := m.Files.Read(path.Join(OwnState, "verdicts.json"))
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
