// Package netns gives a test a network of its own: a namespace with links to a second one, where servers run.
package netns

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// inside says, in the environment, that the test runs in its namespace already.
const inside = "OPENGUEST_TEST_NETNS"

// Enter runs the test again in new namespaces for the network and for mounts, with a /sys that shows the first and an empty
// /run. It is true there; where it is false, the test has run and should return. The namespaces, and all processes that were
// started in them, end with the test.
func Enter(t *testing.T, tools ...string) bool {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		prepare(t)
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	for _, tool := range append(tools, "ip") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs ", tool, ", see scripts/tools")
		}
	}
	again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=120s")
	again.Env = append(os.Environ(), inside+"="+t.Name())
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := again.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip("network namespaces cannot be made here: ", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// server is the name of the other namespace.
const server = "server"

// prepare makes the second namespace.
func prepare(t *testing.T) {
	t.Helper()
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip("mounts cannot be made private here: ", err)
	}
	for dir, kind := range map[string]string{"/sys": "sysfs", "/run": "tmpfs"} {
		if err := syscall.Mount(kind, dir, kind, 0, ""); err != nil {
			t.Skip(kind, " cannot be mounted here: ", err)
		}
	}
	Run(t, "ip", "netns", "add", server)
	Run(t, "ip", "link", "set", "lo", "up")
}

// Run runs a command in the test's namespace and returns what it prints.
func Run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// Serve runs a command in the server's namespace and returns what it prints.
func Serve(t *testing.T, argv ...string) string {
	t.Helper()
	return Run(t, append([]string{"ip", "netns", "exec", server}, argv...)...)
}

// Link makes a link that is switched off here, with its other end among the servers under the name "to-NAME", switched on
// and with addresses.
func Link(t *testing.T, name string, addresses ...string) {
	t.Helper()
	Run(t, "ip", "link", "add", name, "type", "veth", "peer", "name", "to-"+name, "netns", server)
	for _, a := range addresses {
		Serve(t, "ip", "address", "add", a, "dev", "to-"+name, "nodad")
	}
	Serve(t, "ip", "link", "set", "to-"+name, "up")
}

// DHCP serves leases on the other end of a link, with dnsmasq and what is added to its arguments.
func DHCP(t *testing.T, name string, arguments ...string) {
	t.Helper()
	Serve(t, append([]string{"dnsmasq", "--port=0", "--no-ping", "--dhcp-authoritative", "--conf-file=/dev/null", "--user=root", "--leasefile-ro",
		"--interface=to-" + name, "--bind-interfaces", "--pid-file=/run/dnsmasq-" + name}, arguments...)...)
}

// queues are what the kernel gives a link when it is first switched on, and leaves there.
var queues = regexp.MustCompile(`qdisc \S+`)

// A Trace is all that is set in the test's namespace, a line each: links, addresses and routes, without counters and queues.
type Trace []string

// Look takes a trace.
func Look(t *testing.T) (all Trace) {
	t.Helper()
	for _, command := range []string{"-details -oneline link", "-oneline address", "route show table all", "-6 route show table all"} {
		out := Run(t, append([]string{"ip"}, strings.Fields(command)...)...)
		all = append(all, slices.Collect(strings.Lines(queues.ReplaceAllString(out, "qdisc")))...)
	}
	return all
}

// Compare says what is different now.
func (before Trace) Compare(t *testing.T) {
	t.Helper()
	after := Look(t)
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("this is gone: %s", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("this is left: %s", line)
		}
	}
}
