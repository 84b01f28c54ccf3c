package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// outputs opens what the key "output" names, each once in a process: ">" empties a file only the first time.
type outputs struct {
	files walked
	mutex sync.Mutex
	open  map[string]*sink

	patience time.Duration // how long a text of ours waits for whoever reads it
}

// sayLimit is that, for what we say ourselves. People's programs wait for whom they like.
const sayLimit = 5 * time.Second

// A sink is where one stream of a program goes. A program writes into the file itself, not through us: what it leaves
// running may go on writing when we are gone.
type sink struct {
	file *os.File
	echo *os.File // where what comes into the file is shown too, as tee does; may be nil
	deaf bool     // whoever reads it took nothing for too long
}

// streams are the two sinks of a program.
type streams struct{ out, err *sink }

func (o *outputs) streams(output Output) (s streams, err error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if s.out, err = o.sink(output.Out, os.Stdout); err != nil {
		return s, err
	}
	if strings.TrimSpace(output.Err) == "&1" {
		s.err = s.out
		return s, nil
	}
	s.err, err = o.sink(output.Err, os.Stderr)
	return s, err
}

// say writes a text of ours. A pipe that nobody empties costs the text and the wait once, and not the boot.
func (o *outputs) say(s *sink, text string) error {
	if s.deaf {
		return errDeaf
	}
	written := make(chan error, 1)
	go func() {
		_, err := s.file.WriteString(text)
		written <- err
	}()
	patience := time.NewTimer(o.patience)
	defer patience.Stop()
	select {
	case err := <-written:
		return err
	case <-patience.C:
		s.deaf = true
		return errDeaf
	}
}

var errDeaf = errors.New("print: whoever reads the output takes nothing of it")

// sink opens one spelling: "| tee -a FILE" is so common that we do what it does without a process.
func (o *outputs) sink(spelling string, own *os.File) (*sink, error) {
	spelling = strings.TrimSpace(spelling)
	if spelling == "" {
		return &sink{file: own}, nil
	}
	if s := o.open[spelling]; s != nil {
		return s, nil
	}
	s, err := o.newSink(spelling, own)
	if err != nil {
		return nil, fmt.Errorf("send output to %q: %w", spelling, err)
	}
	o.open[spelling] = s
	return s, nil
}

func (o *outputs) newSink(spelling string, own *os.File) (*sink, error) {
	if command, ok := strings.CutPrefix(spelling, "|"); ok {
		command = strings.TrimSpace(command)
		if name, more, ok := teeOf(command); ok {
			file, err := o.file(name, more)
			return &sink{file: file, echo: own}, err
		}
		return pipeTo(command, own)
	}
	name, more := strings.CutPrefix(spelling, ">>")
	if !more {
		name, more = strings.CutPrefix(spelling, ">")
		more = !more // no prefix means append
	}
	file, err := o.file(strings.TrimSpace(name), more)
	return &sink{file: file}, err
}

// teeOf reads "tee FILE" and "tee -a FILE".
func teeOf(command string) (name string, more, ok bool) {
	words := strings.Fields(command)
	if len(words) == 3 && words[0] == "tee" && (words[1] == "-a" || words[1] == "--append") {
		return words[2], true, !strings.ContainsAny(words[2], "$`'\"*?;&|<>\\")
	}
	if len(words) == 2 && words[0] == "tee" {
		return words[1], false, !strings.HasPrefix(words[1], "-") && !strings.ContainsAny(words[1], "$`'\"*?;&|<>\\")
	}
	return "", false, false
}

// file opens a file to add to. It is made readable for the group adm alone, as cloud-init makes it.
func (o *outputs) file(name string, more bool) (*os.File, error) {
	store, ok := o.files.store.(*disk)
	if !ok {
		return nil, ErrOffline
	}
	return visit(o.files, name, true, func(p place) (*os.File, error) {
		flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT
		if !more {
			flags |= unix.O_TRUNC
		}
		return store.open(p, flags, File(0o640, "").Owned(0, o.adm()))
	})
}

// adm is the group that reads logs.
func (o *outputs) adm() int {
	table, err := o.files.Read("/etc/group")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(table) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && fields[0] == "adm" {
			gid, _ := strconv.Atoi(fields[2])
			return gid
		}
	}
	return 0
}

// pipeTo starts the person's command, as a shell line; it ends when all that write to it have ended.
func pipeTo(command string, own *os.File) (*sink, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, own, os.Stderr
	if err := cmd.Start(); err != nil {
		write.Close()
		return nil, err
	}
	go cmd.Wait()
	return &sink{file: write}, nil
}
