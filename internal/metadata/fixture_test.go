package metadata

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// web1 is an instance with some of everything.
const web1 = `{
	"id": "i-0123456789abcdef0", "ids": {"gce": "4520031799277581759", "openstack": "83679162-1378-4288-a2d4-70e13ec132aa", "digitalocean": "2756294", "hetzner": "42"},
	"hostname": "web1.lab.example", "zone": "lab1-a", "machine-type": "small", "image": "ami-5fb8c835", "tags": ["bread", "butter"],
	"labels": {"role": "web"}, "attributes": {"enable-guest-attributes": "TRUE", "snake_case": "x", "kebab-case": "a & <b>"},
	"ssh-keys": ["ssh-ed25519 AAAAC3 alice@desk", "bob:ssh-ed25519 AAAAC4 bob"], "user-data": "#cloud-config\n{}\n", "vendor-data": "#cloud-config\nv: 1\n",
	"network-config": "version: 2\n", "token": "seed-token-1",
	"nics": [
		{"mac": "52:54:00:AB:CD:01", "ips": ["10.0.0.5/24", "2001:db8::5/64"], "gateway": "10.0.0.1", "gateway6": "2001:db8::1", "dns": ["10.0.0.2"], "public-ip": "192.0.2.5",
		 "aliases": ["10.1.0.0/28"], "forwarded-ips": ["192.0.2.9"]},
		{"mac": "52:54:00:ab:cd:02", "ips": ["172.16.0.5/16"], "dhcp": true}],
	"disks": [{"name": "boot", "device": "/dev/sda1"}, {"name": "scratch", "device": "/dev/sdb", "kind": "ephemeral0"}],
	"files": [{"path": "/etc/motd", "content": "hello"}], "service-account": {"email": "robot@lab.example", "scopes": ["s1", "s2"], "token": "secret"}
}`

const lab = `{"id": "lab", "number": 129303, "account": "123456789012", "attributes": {"p": "1"}, "ssh-keys": ["ssh-ed25519 AAAAC5 all@lab"]}`

// serveIn makes a server over a store in a folder, with objects in it.
func serveIn(t testing.TB, dir string, limit int, objects map[string]string) *Server {
	t.Helper()
	store, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(t.Context(), store, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	var changes []Change
	for key, value := range objects {
		changes = append(changes, Change{Key: key, Value: []byte(value), IfMatch: Any})
	}
	if _, err := s.catalog.Write(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	return s
}

// listenFor serves an instance on a port of the loopback, and gives its URL.
func listenFor(t testing.TB, s *Server, instance string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l, instance) // the test's end closes it
	return "http://" + l.Addr().String()
}

// childEnv says that the test binary is to be a server: its value is the data folder, and the address to listen on.
const childEnv = "OPENGUEST_METADATA_CHILD"

func TestMain(m *testing.M) {
	if arguments := os.Getenv(childEnv); arguments != "" {
		if err := beServer(strings.Fields(arguments)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// beServer is the child: a folder, an address and, where there is one, the instance that everybody is. It prints its address.
func beServer(arguments []string) error {
	store, err := OpenFile(arguments[0])
	if err != nil {
		return err
	}
	s, err := NewServer(context.Background(), store, 1<<20)
	if err != nil {
		return err
	}
	admin, err := ListenAdmin(filepath.Join(arguments[0], "admin.sock"))
	if err != nil {
		return err
	}
	go http.Serve(admin, s.Admin()) // the process is killed
	l, err := net.Listen("tcp", arguments[1])
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return s.Serve(l, strings.Join(arguments[2:], ""))
}

// A child is a server in a process of its own.
type child struct {
	command *exec.Cmd
	addr    string
	admin   *Client
}

// childCommand is a server in a process of its own that nobody has started.
func childCommand(t testing.TB, dir, addr string, instance ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), childEnv+"="+strings.Join(append([]string{dir, addr}, instance...), " "))
	return c
}

func startChild(t testing.TB, dir, addr string, instance ...string) *child {
	t.Helper()
	c := &child{command: childCommand(t, dir, addr, instance...), admin: NewClient(filepath.Join(dir, "admin.sock"))}
	c.command.Stderr = os.Stderr
	out, err := c.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	if _, err := fmt.Fscanln(out, &c.addr); err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	return c
}

// kill ends it as a power cut would.
func (c *child) kill() {
	c.command.Process.Kill() // it may have been killed before
	c.command.Wait()         // that it was killed is known
}

// fields reads JSON of which only some is looked at.
func fields(t testing.TB, data []byte) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return m
}

// patience is how long a test waits for what must come; it is no measure.
const patience = time.Minute
