package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"openguest/internal/command"
	"openguest/internal/engine"
	"openguest/internal/machine"
)

// collectLogsCommand puts all that tells of a boot into one archive, as people attach it to a report.
func (p *program) collectLogsCommand() *command.Command {
	archive := "cloud-init.tar.gz"
	redact, verbose := false, false
	return &command.Command{Use: "collect-logs", Short: "Put the logs and the state of this machine's boot into an archive",
		Flags: []command.Flag{
			p.rootFlag(),
			command.Text(&archive, "tarfile", "t", "the archive to write"),
			command.Bool(&redact, "redact-sensitive", "r", "leave out what not everyone may read, but for the logs and verdicts, which hold no secrets of ours"),
			{Name: "include-userdata", Short: "u", Usage: "accepted; user-data is in it unless --redact-sensitive is given", Deprecated: "does nothing"},
			command.Bool(&verbose, "verbose", "v", "say what is collected"),
		},
		Run: func(ctx context.Context, _ []string) error {
			if p.isLive() && os.Geteuid() != 0 {
				return errors.New("This command must be run as root.")
			}
			m, err := p.machine()
			if err != nil {
				return err
			}
			return p.collectLogs(ctx, m, archive, redact, verbose)
		}}
}

const mayBeSensitive = `WARNING:
Sensitive data may have been included in the collected logs.
Please review the contents of the tarball before sharing or
rerun with --redact-sensitive to redact sensitive data.`

// inPlace makes a file beside the place of an archive, which only its owner may read, has it filled, and puts it there: whatever
// link somebody left at that name is replaced, and not followed.
func inPlace(archive string, fill func(file string) error) error {
	f, err := os.CreateTemp(path.Dir(archive), ".openguest-logs-")
	if err != nil {
		return err
	}
	err = errors.Join(f.Close(), fill(f.Name()))
	if err == nil {
		err = os.Rename(f.Name(), archive)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func (p *program) collectLogs(ctx context.Context, m machine.Machine, archive string, redact, verbose bool) error {
	here, err := machine.Live()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "openguest-logs-")
	if err != nil {
		return fmt.Errorf("make a folder to collect the logs in: %w", err)
	}
	defer os.RemoveAll(work)
	name := "cloud-init-logs-" + here.Clock.Now().UTC().Format("2006-01-02")
	c := collection{from: m, here: here, folder: path.Join(work, name), redact: redact}
	if verbose {
		c.say = func(text string) { fmt.Fprintln(p.stderr, text) }
	}
	c.version(ctx, p.name)
	if p.isLive() {
		c.system(ctx)
	}
	c.files()
	err = inPlace(archive, func(file string) error {
		return errors.Join(c.err, here.Commands.Do(ctx, machine.Change{Argv: []string{"tar", "czf", file, "-C", work, name}, Limit: machine.NoLimit, Touches: []string{file}}))
	})
	if err != nil {
		return fmt.Errorf("write the archive %s: %w", archive, err)
	}
	if !path.IsAbs(archive) {
		folder, _ := os.Getwd() // where it is not known, the name alone must do
		archive = path.Join(folder, archive)
	}
	fmt.Fprintln(p.stderr, "Wrote "+archive)
	if !redact {
		fmt.Fprintln(p.stderr, mayBeSensitive)
	}
	return nil
}

// A collection is the folder that becomes the archive. Files lie in it under their names in the system.
type collection struct {
	from   machine.Machine // whose logs these are
	here   machine.Machine // where programs run and the archive is written
	folder string
	redact bool
	say    func(string) // may be nil
	err    error        // the first file that could not be written
}

// put writes a file of the archive.
func (c *collection) put(name string, data string) {
	file := path.Join(c.folder, name)
	err := os.MkdirAll(path.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(data), 0o600)
	}
	if c.err == nil {
		c.err = err
	}
	if c.say != nil {
		c.say("collected file: /" + name)
	}
}

// version writes which version this is, and of which package.
func (c *collection) version(ctx context.Context, name string) {
	c.put("version", fmt.Sprintf("%s %s\n", name, compatible()))
	answer, err := c.from.Commands.Ask(ctx, machine.Question{Argv: []string{"dpkg-query", "--show", "-f=${Version}\n", "openguest"}, Reads: []string{"/var/lib/dpkg/status"}})
	if err != nil {
		answer = err.Error() + "\n"
	}
	c.put("dpkg-version", answer)
}

// system collects what the kernel and the journal say. A journal may be large: it goes into its file as it comes.
func (c *collection) system(ctx context.Context) {
	programs := []struct {
		file string
		argv []string
	}{
		{"dmesg.txt", []string{"dmesg"}},
		{"journal.txt", []string{"journalctl", "--boot=0", "-o", "short-precise"}},
		{"journal-previous.txt", []string{"journalctl", "--boot=-1", "-o", "short-precise"}},
	}
	for _, program := range programs {
		if c.redact && program.file == "dmesg.txt" { // only root may read it
			continue
		}
		c.put(program.file, "")
		file := path.Join(c.folder, program.file)
		err := c.here.Commands.Do(ctx, machine.Change{Argv: program.argv, Limit: machine.NoLimit, Touches: []string{file},
			Shown: true, Output: machine.Output{Out: ">> " + file, Err: "&1"}})
		if err != nil {
			c.note(file, err)
		}
	}
}

// note writes why a file of the archive is not whole, at its end.
func (c *collection) note(file string, why error) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(why.Error() + "\n")
		err = errors.Join(err, f.Close())
	}
	if c.err == nil {
		c.err = err
	}
}

// files collects the logs, the configuration and the state.
func (c *collection) files() {
	for _, name := range engine.LogFiles(c.from) {
		c.file(name, true)
	}
	for _, name := range []string{"verdicts.json", "live-verdicts.json", "network.json"} {
		c.file(path.Join(engine.OwnState, name), true)
	}
	c.file(path.Join(engine.OwnState, "instance.json"), false)
	c.tree("/etc/cloud", "keys", "templates")
	paths := engine.Paths(c.from)
	for _, dir := range []string{paths.Run, path.Join(paths.Cloud, "data"), path.Join(paths.Cloud, "handlers"), path.Join(paths.Cloud, "seed"), path.Join(paths.Cloud, "instance")} {
		c.folderOf(dir)
	}
}

// tree collects the files of a folder and of those in it, but for some.
func (c *collection) tree(dir string, but ...string) {
	names, _ := c.from.Files.List(dir)
	for _, name := range names {
		if slices.Contains(but, name) {
			continue
		}
		if n, err := c.from.Files.Look(path.Join(dir, name)); err == nil && n.Mode.IsDir() {
			c.tree(path.Join(dir, name))
			continue
		}
		c.file(path.Join(dir, name), false)
	}
}

// folderOf collects the files of one folder.
func (c *collection) folderOf(dir string) {
	names, _ := c.from.Files.List(dir)
	for _, name := range names {
		c.file(path.Join(dir, name), false)
	}
}

// file collects one file, or what a link leads to. With redact only those count that everyone may read, or that hold no secret.
func (c *collection) file(name string, isHarmless bool) {
	at := name
	n, err := c.from.Files.Look(at)
	if err == nil && n.Mode.Type() == fs.ModeSymlink {
		if at = n.Data; !path.IsAbs(at) {
			at = path.Join(path.Dir(name), n.Data)
		}
		n, err = c.from.Files.Look(at)
	}
	if err != nil || !n.Mode.IsRegular() || c.redact && !isHarmless && n.IsPrivate() {
		return
	}
	text, err := c.from.Files.Read(at)
	if err != nil {
		text = err.Error() + "\n"
	}
	c.put(name[1:], text)
}
