package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// A table is a program with a flag of each kind; it prints what it was told.
type table struct {
	out    strings.Builder
	force  bool
	wait   bool
	long   bool
	format string
	names  []string
	legs   int
	within time.Duration
	folder string
}

func newTable() (*table, *Command) {
	t := &table{format: "text", names: []string{"none"}, legs: 4, folder: "/"}
	show := func(name string) func(context.Context, []string) error {
		return func(_ context.Context, args []string) error {
			fmt.Fprintf(&t.out, "%s force=%v wait=%v long=%v format=%s names=%v legs=%d within=%v folder=%s args=%q",
				name, t.force, t.wait, t.long, t.format, t.names, t.legs, t.within, t.folder, args)
			return nil
		}
	}
	return t, &Command{Use: "table", Short: "Keep tables", Version: "table 1.2",
		Flags:  []Flag{Bool(&t.force, "force", "", "go on in any case")},
		Shared: []Flag{Text(&t.folder, "folder", "C", "where they stand")},
		Commands: []*Command{
			{Use: "show [NAME]", Short: "Show a table", Aliases: []string{"cat"}, Args: Args{Most: 1, What: "at most one name"}, Run: show("show"),
				Flags: []Flag{
					Bool(&t.wait, "wait", "w", "wait for it"), Bool(&t.long, "long", "l", "all of it"),
					Text(&t.format, "format", "f", "text or json").Of("text", "json"), List(&t.names, "name", "n", "also this one"),
					Int(&t.legs, "legs", "", "how many legs"), Duration(&t.within, "within", "", "how long"),
					{Name: "debug", Short: "d", Usage: "accepted"}, {Name: "old", Usage: "accepted", Deprecated: "does nothing"},
					{Name: "secret", Usage: "nobody's business", Hidden: true},
				}},
			{Use: "leg", Short: "Change legs", Commands: []*Command{
				{Use: "add COUNT", Short: "Add legs", Args: Args{Least: 1, Most: 1, What: "a number"}, Run: show("add")},
				{Use: "all", Short: "Count legs", Run: show("all")},
			}},
			{Use: "set KEY...", Short: "Set keys", Args: Args{Least: 1, Most: Any, What: "keys"}, Run: show("set")},
			{Use: "pack deb|rpm", Short: "Pack tables", Args: Args{Least: 1, Most: 1, What: "deb or rpm", Words: []string{"deb", "rpm"}}, Run: show("pack")},
			{Use: "laid", Short: "Lay it", Deprecated: "use show", Run: show("laid")},
			{Use: "inner", Short: "Only for us", Hidden: true, Run: show("inner")},
		}}
}

// Row C20. What people and units write on a command line means what it meant to argparse: a unit that is refused is a boot that is not
// configured.
func TestExecute(t *testing.T) {
	const rest = "names=[none] legs=4 within=0s folder=/"
	for line, want := range map[string]string{
		"show":                                   "show force=false wait=false long=false format=text " + rest + " args=[]",
		"show --wait --long":                     "show force=false wait=true long=true format=text " + rest + " args=[]",
		"show -wl":                               "show force=false wait=true long=true format=text " + rest + " args=[]",
		"show -wl=false":                         "show force=false wait=true long=false format=text " + rest + " args=[]",
		"show --wait=false":                      "show force=false wait=false long=false format=text " + rest + " args=[]",
		"show --format json":                     "show force=false wait=false long=false format=json " + rest + " args=[]",
		"show --format=json oak":                 "show force=false wait=false long=false format=json " + rest + ` args=["oak"]`,
		"show oak --format json":                 "show force=false wait=false long=false format=json " + rest + ` args=["oak"]`,
		"show -fjson":                            "show force=false wait=false long=false format=json " + rest + " args=[]",
		"show -f=json":                           "show force=false wait=false long=false format=json " + rest + " args=[]",
		"show -wf json":                          "show force=false wait=true long=false format=json " + rest + " args=[]",
		"show -d --debug --secret":               "show force=false wait=false long=false format=text " + rest + " args=[]",
		"cat -":                                  `show force=false wait=false long=false format=text ` + rest + ` args=["-"]`,
		"show -- --wait":                         "show force=false wait=false long=false format=text " + rest + ` args=["--wait"]`,
		"--force show":                           "show force=true wait=false long=false format=text " + rest + " args=[]",
		"show -n a --name b --legs 0x3":          "show force=false wait=false long=false format=text names=[a b] legs=3 within=0s folder=/ args=[]",
		"show --within 1500ms --format=":         "error: argument -f/--format: invalid choice: '' (choose from 'text', 'json')",
		"show --within 1500ms":                   "show force=false wait=false long=false format=text names=[none] legs=4 within=1.5s folder=/ args=[]",
		"--folder a leg all":                     "all force=false wait=false long=false format=text names=[none] legs=4 within=0s folder=a args=[]",
		"leg --folder=a all":                     "all force=false wait=false long=false format=text names=[none] legs=4 within=0s folder=a args=[]",
		"leg add 2 -C --wait":                    "add force=false wait=false long=false format=text names=[none] legs=4 within=0s folder=--wait args=[\"2\"]",
		"set show leg":                           "set force=false wait=false long=false format=text " + rest + ` args=["show" "leg"]`,
		"pack deb":                               "pack force=false wait=false long=false format=text " + rest + ` args=["deb"]`,
		"inner":                                  "inner force=false wait=false long=false format=text " + rest + " args=[]",
		"laid":                                   "notes: The command laid is deprecated: use show.\nlaid force=false wait=false long=false format=text " + rest + " args=[]",
		"show --old":                             "notes: The --old flag is deprecated and does nothing.\nshow force=false wait=false long=false format=text " + rest + " args=[]",
		"--version":                              "table 1.2\n",
		"-v show":                                "table 1.2\n",
		"":                                       "error: a command is needed; --help lists them",
		"leg":                                    "error: a command is needed; --help lists them",
		"laedn":                                  `error: there is no command "laedn"; --help lists them`,
		"lgae --wait":                            `error: there is no command "lgae"; --help lists them`,
		"sohw":                                   `error: there is no command "sohw"; did you mean show?`,
		"sh":                                     `error: there is no command "sh"; did you mean show?`,
		"leg ad":                                 `error: there is no command "ad"; did you mean add?`,
		"show --fromat json":                     "error: unrecognized arguments: --fromat; did you mean --format?",
		"show --secrte":                          "error: unrecognized arguments: --secrte; --help lists the flags",
		"show --force":                           "error: unrecognized arguments: --force; --help lists the flags",
		"show --wai":                             "error: unrecognized arguments: --wai; did you mean --wait?",
		"show -wx":                               "error: unrecognized arguments: -x; --help lists the flags",
		"show -é":                                "error: unrecognized arguments: -é; --help lists the flags",
		"show --wait=maybe":                      "error: argument -w/--wait: invalid choice: 'maybe' (choose from 'true', 'false')",
		"show --format xml":                      "error: argument -f/--format: invalid choice: 'xml' (choose from 'text', 'json')",
		"show --format":                          "error: argument -f/--format: expected one argument",
		"show -wf":                               "error: argument -f/--format: expected one argument",
		"show --legs three":                      "error: argument --legs: invalid int value: 'three'",
		"show --within 3":                        "error: argument --within: invalid duration value: '3'; write it as 1500ms or 2s",
		"show oak elm ash":                       "error: unrecognized arguments: elm ash; show takes at most one name",
		"leg all 2":                              "error: unrecognized arguments: 2; all takes no arguments",
		"leg add":                                "error: add takes a number",
		"pack tar":                               "error: argument pack: invalid choice: 'tar' (choose from 'deb', 'rpm')",
		"show --legs 99999999999999999999999999": "error: argument --legs: invalid int value: '99999999999999999999999999'",
	} {
		if got := executed(t, strings.Fields(line)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", line, got, want)
		}
	}
}

// executed is what a command line comes to, as a text.
func executed(t *testing.T, words []string) string {
	t.Helper()
	var out, notes bytes.Buffer
	tables, root := newTable()
	err := root.Execute(t.Context(), &out, &notes, words)
	if notes.Len() > 0 {
		return "notes: " + notes.String() + tables.out.String()
	}
	if err == nil {
		return out.String() + tables.out.String()
	}
	if mistake := asMistake(err); mistake == nil || mistake.Command == nil {
		t.Errorf("%v: %v is no mistake of a known command, so the exit status would be 1 and no usage shown", words, err)
	}
	return "error: " + err.Error()
}

// Who made a mistake sees how the command is written that the mistake was made in, and not another one.
func TestUsageOfMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"": "table [flags] [command]", "leg": "table leg [flags] [command]", "leg add": "table leg add COUNT [flags]", "show --x": "table show [NAME] [flags]",
	} {
		_, root := newTable()
		mistake := asMistake(root.Execute(t.Context(), io.Discard, io.Discard, strings.Fields(line)))
		if mistake == nil || mistake.Command.UsageLine() != want {
			t.Errorf("%q: %+v, want the usage %q", line, mistake, want)
		}
	}
	own := errors.New("no legs are left")
	failing := &Command{Use: "saw", Run: func(context.Context, []string) error { return own }}
	if err := failing.Execute(t.Context(), io.Discard, io.Discard, nil); !errors.Is(err, own) || asMistake(err) != nil {
		t.Errorf("an error of the work became %v", err)
	}
}

// The context that a program was started with ends its work when it is told to stop.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &Command{Use: "wait", Run: func(ctx context.Context, _ []string) error { return ctx.Err() }}
	if err := c.Execute(ctx, io.Discard, io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the work ended with %v", err)
	}
}

func TestFind(t *testing.T) {
	_, root := newTable()
	for words, want := range map[string]string{"show": "table show", "cat oak": "table show", "leg add 2": "table leg add", "oak": "", "": ""} {
		got := ""
		if found := root.Find(strings.Fields(words)...); found != nil {
			got = found.path()
		}
		if got != want {
			t.Errorf("%q leads to %q, want %q", words, got, want)
		}
	}
}

const help = `Keep tables

Usage:
  table [flags] [command]

Available Commands:
  laid        Lay it
  leg         Change legs
  pack        Pack tables
  set         Set keys
  show        Show a table

Flags:
  -C, --folder text   where they stand (default /)
      --force         go on in any case
  -h, --help          help for table
  -v, --version       print the version

Use "table [command] --help" for more information about a command.
`

const showHelp = `Show a table

Usage:
  table show [NAME] [flags]

Aliases:
  show, cat

Flags:
  -d, --debug             accepted
  -f, --format text       text or json (default text)
  -h, --help              help for show
      --legs int          how many legs (default 4)
  -l, --long              all of it
  -n, --name text         also this one (default none)
      --old               accepted
  -w, --wait              wait for it
      --within duration   how long

Global Flags:
  -C, --folder text   where they stand (default /)
`

// People learn the commands from their help. What stood before --help has no part in it.
func TestHelp(t *testing.T) {
	for line, want := range map[string]string{"--help": help, "-h leg": help, "show --format json -h": showHelp, "show --help --bogus": showHelp} {
		if got := executed(t, strings.Fields(line)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", line, got, want)
		}
	}
	c := &Command{Use: "a", Short: "short", Long: "long\ntext", Example: "  a b", Run: func(context.Context, []string) error { return nil }, Commands: []*Command{{Use: "b", Short: "B"}}}
	var got strings.Builder
	c.WriteHelp(&got)
	const want = "long\ntext\n\nUsage:\n  a\n  a [command]\n\nExamples:\n  a b\n\nAvailable Commands:\n  b           B\n\nFlags:\n  -h, --help   help for a\n\n" +
		"Use \"a [command] --help\" for more information about a command.\n"
	if got.String() != want {
		t.Errorf("%s\nwant\n%s", got.String(), want)
	}
}

// Whatever stands on a command line costs no more than reading it, and ends with a result or a sentence.
func FuzzExecute(f *testing.F) {
	for _, line := range []string{"show -wl=x --format=json", "--folder a leg add 2", "__complete 63 80 show --format = j", "__complete 9 80 leg", "-", "-- --", "--=", "-=", "completion bash", "show -\xff"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 4096 {
			return
		}
		_, root := newTable()
		if err := root.Execute(t.Context(), io.Discard, io.Discard, strings.Split(line, " ")); err != nil && err.Error() == "" {
			t.Error("the error says nothing")
		}
	})
}
