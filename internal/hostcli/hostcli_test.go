package hostcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"openguest/internal/metadata"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"openguest-host": func() { os.Exit(Main(os.Args, os.Stdout, os.Stderr)) }})
}

// The commands as a person types them. $ADDR is an address of the loopback that is free, $DATA a data folder, $BIN the folder of the
// program alone, $PROGRAM a file that passes for the guest's. [root] holds where the test may mount.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Setenv("ADDR", l.Addr().String())
			e.Setenv("DATA", e.WorkDir+"/data")
			bin, _, _ := strings.Cut(e.Getenv("PATH"), string(os.PathListSeparator)) // testscript puts its programs first
			e.Setenv("BIN", bin)
			e.Setenv("PROGRAM", e.WorkDir+"/program")
			return errors.Join(os.WriteFile(e.WorkDir+"/program", staticProgram(), 0o755), l.Close())
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serving": serving, "ask": ask, "put": put, "hold": hold, "held": held, "comes": comes},
	})
}

// staticProgram is as much of a static program for Linux as a package looks at. It cannot be compressed.
func staticProgram() []byte {
	head := []byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 15: 0, 16: 2, 18: 62, 20: 1, 52: 64, 63: 0}
	body := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(body) // it never fails
	return append(head, body...)
}

// patience is how long a test waits for what must come; it is no measure.
const patience = time.Minute

// serving waits until a server answers at a socket.
func serving(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if conn, err := net.Dial("unix", ts.MkAbs(args[0])); err == nil {
			ts.Check(conn.Close())
			return
		}
	}
	ts.Fatalf("nothing answers at %s", args[0])
}

// ask prints a status and a body: ask URL [NAME:VALUE].
func ask(ts *testscript.TestScript, _ bool, args []string) {
	request(ts, http.MethodGet, args[0], "", args[1:])
}

// put does the same for a PUT: put URL BODY [NAME:VALUE].
func put(ts *testscript.TestScript, _ bool, args []string) {
	request(ts, http.MethodPut, args[0], args[1], args[2:])
}

func request(ts *testscript.TestScript, method, url, body string, headers []string) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	ts.Check(err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), a.Status+"\n"+string(got))
	ts.Check(err)
}

// hold asks many times for what is held back: hold URL COUNT.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	u, err := url.Parse(args[0])
	ts.Check(err)
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	for range count {
		conn, err := net.Dial("tcp", u.Host)
		ts.Check(err)
		ts.Defer(func() { conn.Close() }) // the server may have closed it before
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: metadata\r\nMetadata-Flavor: Google\r\n\r\n", u.RequestURI())
		ts.Check(err)
	}
}

// held waits until so many requests are held back: held SOCKET COUNT.
func held(ts *testscript.TestScript, _ bool, args []string) {
	c := metadata.NewClient(ts.MkAbs(args[0]))
	for end := time.Now().Add(patience); time.Now().Before(end); {
		text, err := c.Metrics(context.Background())
		ts.Check(err)
		if strings.Contains(string(text), "\nopenguest_metadata_waiting "+args[1]+"\n") {
			return
		}
	}
	ts.Fatalf("there are never %s held back", args[1])
}

// comes waits until a file has a line: comes FILE PATTERN.
func comes(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
	}
	ts.Fatalf("%s never has %s", args[0], args[1])
}

// A key must land where it says, and nothing else may change.
func TestEdit(t *testing.T) {
	for _, c := range []struct{ edit, key, want string }{
		{"zone=z", "zone", "z"}, {"attributes.a.b=x=y", "attributes.a.b", "x=y"}, {"id=17", "id", "17"},
		{"nics.0.mac=52:54:00:00:00:02", "nics.0.mac", "52:54:00:00:00:02"},
	} {
		object := map[string]any{"nics": []any{map[string]any{"mac": "52:54:00:00:00:01"}}}
		if err := edit(object, c.edit); err != nil {
			t.Errorf("%s: %v", c.edit, err)
		}
		if got, err := pick(object, c.key); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.edit, got, err)
		}
	}
	for edited, want := range map[string]string{
		"zone": "neither KEY=VALUE nor KEY-", "nics.1.mac=x": "no place in a list of 1", "nics.0.mac.x=y": "nothing below", "nics.0-": "cannot be removed",
		"tags=[": "wrong YAML", "user-data=@/does/not/exist": "cannot be read",
	} {
		object := map[string]any{"nics": []any{map[string]any{"mac": "x"}}}
		if err := edit(object, edited); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", edited, err, want)
		}
	}
}
