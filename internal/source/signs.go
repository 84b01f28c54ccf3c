package source

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/machine"
)

// A sign is one thing that speaks for a cloud.
type sign struct {
	what string                                     // what is looked for, in a few words
	seen func(f *machine.Facts, e *Env) (at string) // where it was seen; empty: it is not there
}

// anyOf matches where one of the signs is there.
func anyOf(signs ...sign) func(*machine.Facts, *Env) Match {
	return func(f *machine.Facts, e *Env) Match {
		var none []string
		for _, s := range signs {
			if at := s.seen(f, e); at != "" {
				return Match{Found: true, Why: at}
			}
			none = append(none, "no "+s.what)
		}
		return Match{Why: strings.Join(none, ", ")}
	}
}

// dmi is a value that the firmware gives. A pattern is the value itself, or ends or begins with a star for the rest of it.
func dmi(name string, patterns ...string) sign {
	return sign{"DMI " + name + " " + strings.Join(patterns, " or "), func(f *machine.Facts, _ *Env) string {
		value := f.DMI(name)
		if !slices.ContainsFunc(patterns, func(pattern string) bool { return isLike(value, pattern) }) {
			return ""
		}
		return fmt.Sprintf("DMI %s is %q", name, value)
	}}
}

// isLike compares a value with a pattern: "name", "begin*" or "*end".
func isLike(value, pattern string) bool {
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(value, begin)
	}
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(value, end)
	}
	return value == pattern
}

// label is the label of a file system. The disks that a container sees are not its own.
func label(names ...string) sign {
	return sign{"file system labelled " + strings.Join(names, " or "), func(f *machine.Facts, e *Env) string {
		for _, d := range labelled(f, e, names...) {
			return d.Path + " is labelled " + d.Label
		}
		return ""
	}}
}

// labelled are the devices with one of the labels; none in a container.
func labelled(f *machine.Facts, e *Env, labels ...string) []machine.Device {
	if f.IsContainer() {
		return nil
	}
	devices, err := e.Machine.Disks.Labelled(labels...)
	if err != nil {
		e.warn("look for file systems labelled %s: %v", strings.Join(labels, " or "), err)
	}
	return slices.DeleteFunc(devices, func(d machine.Device) bool { return !slices.Contains(labels, d.Label) })
}

// seeded is a folder below that of seeds, with all of the files in it.
func seeded(folder string, files ...string) sign {
	return sign{"seed folder " + folder, func(_ *machine.Facts, e *Env) string {
		for _, name := range files {
			if !machine.Exists(e.Machine.Files, path.Join(e.Seed, folder, name)) {
				return ""
			}
		}
		return "the seed folder " + path.Join(e.Seed, folder)
	}}
}

// file is a file that the cloud's images have.
func file(name string) sign {
	return sign{name, func(_ *machine.Facts, e *Env) string {
		if !machine.Exists(e.Machine.Files, name) {
			return ""
		}
		return "there is " + name
	}}
}

// word is a word of the kernel's command line.
func word(text string) sign {
	return sign{"word " + text + " on the kernel command line", func(f *machine.Facts, _ *Env) string {
		if !slices.Contains(machine.ParseCommandLine(f.CommandLine()), text) {
			return ""
		}
		return "the kernel command line says " + text
	}}
}

// askLimit is how long a program of the platform may take to say what the machine was given. It answers at once, but a machine on a
// loaded host needs seconds to start it.
const askLimit = 20 * time.Second

// ask is what a program of the platform says. Only VMware and WSL are asked so, after the facts named them: what they
// gave a machine is in no file.
func ask(e *Env, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	return e.Machine.Commands.Ask(ctx, machine.Question{Argv: argv})
}

// firstLine is the first line of a file without the white space around it; empty where there is none.
func firstLine(e *Env, name string) string {
	text, _ := e.Machine.Files.Read(name)
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// looksFor says whether a source is among those that are looked at.
func (e *Env) looksFor(name string) bool {
	return slices.ContainsFunc(e.List, func(other string) bool { return strings.EqualFold(name, other) })
}
