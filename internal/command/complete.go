package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// completer is the hidden command that the script of a shell asks.
const completer = "__complete"

// BashCompletion is what bash reads to complete the command line of a program. It asks the program itself; where that has nothing to
// offer, bash completes names of files.
func BashCompletion(program string) string {
	function := "_" + strings.NewReplacer("-", "_", ".", "_").Replace(program)
	return "# bash completion for " + program + "\n" + function + `() {
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" ` + completer + ` "${COMP_TYPE:-9}" "${COLUMNS:-80}" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F ` + function + " " + program + "\n"
}

// completions are the hidden commands for shells: one prints the script, and the other is what the script asks.
func (c *Command) completions(out io.Writer) []*Command {
	return []*Command{{
		Use: "completion bash", Short: "Print what a shell reads to complete command lines", Hidden: true,
		Args: Args{Least: 1, Most: 1, What: "the name of the shell, bash", Words: []string{"bash"}},
		Run: func(context.Context, []string) error {
			_, err := io.WriteString(out, BashCompletion(c.Name()))
			return err
		},
	}, {
		Use: completer + " TYPE COLUMNS WORD...", Hidden: true, isRaw: true, Args: Args{Least: 3, Most: Any, What: "what bash completes"},
		Run: func(_ context.Context, words []string) error {
			columns, _ := strconv.Atoi(words[1])
			offered := c.complete(joined(words[2:]))
			for _, line := range offered.lines(words[0], columns) {
				fmt.Fprintln(out, line)
			}
			return nil
		},
	}}
}

// joined puts together what bash takes apart: it sees three words in --name=value, of which the last is the one to complete.
func joined(words []string) (all []string, isApart bool) {
	for i, word := range words {
		isApart = word == "=" || i > 0 && words[i-1] == "="
		if n := len(all); n > 0 && isApart && strings.HasPrefix(all[n-1], "--") {
			all[n-1] += word
			continue
		}
		isApart = false
		all = append(all, word)
	}
	return all, isApart
}

// offers are what the last word of a command line can become, each with what it means.
type offers []row

// complete is what the last of the words can become. The value of a flag is offered alone where it is apart from its flag.
func (c *Command) complete(words []string, isApart bool) offers {
	l := &line{notes: io.Discard}
	l.enter(c)
	last := len(words) - 1
	waits := l.follow(words[:last])
	word := words[last]
	name, value, hasValue := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	switch {
	case waits != nil:
		return wordsOf(waits.Words, word, "")
	case hasValue && strings.HasPrefix(word, "--"):
		before := "--" + name + "="
		if isApart {
			before = ""
		}
		i := slices.IndexFunc(l.flags, func(f Flag) bool { return f.Name == name })
		if i < 0 {
			return nil
		}
		return wordsOf(l.flags[i].Words, value, before)
	case strings.HasPrefix(word, "-"):
		return l.flagsFor(word)
	}
	return append(l.commandsFor(word), wordsOf(l.command.Args.Words, word, "")...)
}

// follow goes down to the command that the words name, and returns the flag that waits for its value behind them, or nil. Mistakes are
// passed over: somebody is still typing.
func (l *line) follow(words []string) (waits *Flag) {
	for _, word := range words {
		switch {
		case waits != nil:
			waits = nil
		case strings.HasPrefix(word, "-"):
			waits = l.waiting(word)
		case len(l.args) > 0 || l.command.below(word) == nil:
			l.args = append(l.args, word)
		default:
			l.enter(l.command.below(word))
		}
	}
	return waits
}

// waiting is the flag that wants the next word as its value.
func (l *line) waiting(word string) *Flag {
	for i, f := range l.flags {
		if f.Kind != "" && (word == "--"+f.Name || word == "-"+f.Short) {
			return &l.flags[i]
		}
	}
	return nil
}

func (l *line) flagsFor(word string) (all offers) {
	for _, f := range shown(l.flags) {
		if name := "--" + f.Name; strings.HasPrefix(name, word) {
			all = append(all, row{name, f.Usage})
		}
	}
	return all
}

func (l *line) commandsFor(word string) (all offers) {
	if len(l.args) > 0 {
		return nil
	}
	for _, sub := range l.command.Visible() {
		if strings.HasPrefix(sub.Name(), word) {
			all = append(all, row{sub.Name(), sub.Short})
		}
	}
	return all
}

// wordsOf are those of the words that begin so, each with the text that stands before it.
func wordsOf(words []string, part, before string) (all offers) {
	for _, word := range words {
		if strings.HasPrefix(word, part) {
			all = append(all, row{before + word, ""})
		}
	}
	return all
}

// lines are the offers as bash takes them. Where it only lists them, because there are several, what they mean stands behind them: as
// much of it as fits.
func (o offers) lines(kind string, columns int) (all []string) {
	width := 0
	for _, offer := range o {
		width = max(width, len(offer.name))
	}
	for _, offer := range o {
		line := offer.name
		if len(o) > 1 && offer.text != "" && isList(kind) {
			line = fmt.Sprintf("%-*s  (%s)", width, offer.name, offer.text)
			if len(line) > columns && columns > width+8 {
				line = line[:columns-4] + "...)"
			}
		}
		all = append(all, line)
	}
	return all
}

// isList says that bash shows a list: for a second tab, or at once where several are possible. All else puts the offers into the line.
func isList(kind string) bool {
	return kind == "63" || kind == "33" || kind == "64"
}
