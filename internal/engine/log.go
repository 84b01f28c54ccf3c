package engine

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"openguest/internal/machine"
	"openguest/internal/module"
)

// log is /var/log/cloud-init.log, in the form that tools read, and what of it degrades a boot. Until its file is known it
// keeps the lines.
type log struct {
	machine  machine.Machine
	file     string
	gid, uid int
	waiting  []string
	isBroken bool // it could not be written once
	verdicts []module.Verdict
	// recoverable are the lines of Warning and above of this stage, by level.
	recoverable map[string][]string
	echo        func(line string) // shows warnings to who is looking; may be nil
	source      string            // the file that a line seems to come from
}

func newLog(m machine.Machine) *log {
	return &log{machine: m, recoverable: map[string][]string{}, source: "main.py"}
}

// open names the file; what waited is written.
func (l *log) open(file string, uid, gid int) {
	l.file, l.uid, l.gid = file, uid, gid
	waiting := l.waiting
	l.waiting = nil
	if len(waiting) > 0 {
		l.write(strings.Join(waiting, ""))
	}
}

// Log writes one line. A message of several lines stays one entry.
func (l *log) Log(level module.Level, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	line := fmt.Sprintf("%s - %s[%s]: %s\n", l.machine.Clock.Now().UTC().Format("2006-01-02 15:04:05,000"), l.source, level, message)
	if level == module.Warning || level == module.Error || level == module.Deprecated {
		if !slices.Contains(l.recoverable[string(level)], message) {
			l.recoverable[string(level)] = append(l.recoverable[string(level)], message)
		}
		if l.echo != nil {
			l.echo(line)
		}
	}
	l.write(line)
}

// event writes a line that says when something began or ended. cloud-init's analyze looks for the file that it seems to
// come from.
func (l *log) event(format string, args ...any) {
	source := l.source
	l.source = "handlers.py"
	l.Log(module.Debug, format, args...)
	l.source = source
}

// write adds to the file. A log that cannot be written must not stop a boot: that is shown once to who is looking.
func (l *log) write(lines string) {
	if l.file == "" {
		l.waiting = append(l.waiting, lines)
		return
	}
	err := l.machine.Files.Append(l.file, lines, machine.File(0o640, "").Owned(l.uid, l.gid))
	if err != nil && !l.isBroken && l.echo != nil {
		l.echo(fmt.Sprintf("write the log: %v; what it lacks is not kept anywhere\n", err))
	}
	l.isBroken = l.isBroken || err != nil
}

// Verdict keeps a verdict, and says whether it is news. Several modules may read one key, and stages follow each other: what
// was wrong with it is kept once, and that one of them did something counts more than that another had nothing to do.
func (l *log) Verdict(v module.Verdict) bool {
	for i, old := range l.verdicts {
		if old.Origin != v.Origin || old.Key != v.Key {
			continue
		}
		same := v
		same.Module = old.Module
		switch {
		case old == same, v.Verdict == module.Unchanged && old.Verdict == module.Applied:
			return false
		case v.Verdict == module.Applied && old.Verdict == module.Unchanged && old.Reason == "":
			l.verdicts[i] = v
			return true
		}
	}
	l.verdicts = append(l.verdicts, v)
	return true
}

// Console prints on the system's console, and where there is none, as in many containers, where the stage's own output goes.
func (l *log) Console(text string) {
	if !machine.Exists(l.machine.Files, "/dev/console") {
		l.machine.Commands.Say(machine.Output{}, text)
		return
	}
	l.machine.Files.Append("/dev/console", text, machine.File(0o600, ""))
}

// openLog finds the log's file and gives it to the first owner that there is.
func (e *Engine) openLog() {
	file := e.config.Get("def_log_file").Str("/var/log/cloud-init.log")
	machine.MakeFolders(e.state.Files, path.Dir(file), machine.Folder(0o755))
	uid, gid := e.logOwner()
	if !e.options.Terminal {
		e.log.echo = func(line string) { e.say(line) }
	}
	e.log.open(file, uid, gid)
	e.tightenLog(file, uid, gid)
}

// tightenLog takes the rights of others off the log, and gives it to its owner.
func (e *Engine) tightenLog(file string, uid, gid int) {
	n, err := e.state.Files.Look(file)
	if err != nil || !n.Mode.IsRegular() || n.Mode&^0o640 == 0 && n.UID == uid && n.GID == gid {
		return
	}
	n, err = machine.Get(e.state.Files, file)
	if err != nil {
		return
	}
	n.Mode &= 0o640
	e.state.Files.Put(file, n.Owned(uid, gid))
}
