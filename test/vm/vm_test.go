// Package vm boots the guest in virtual machines, as its package installs it. Each test needs minutes, so they run where
// OPENGUEST_VM is 1, one machine at a time.
package vm

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"openguest/internal/hostcli"
	"openguest/internal/vm"
)

// patience is for one boot, emulated, on a machine that has other work. It is no expectation: what hangs is to end at some time.
const patience = 6 * time.Minute

// consoleLines is how much of the console a failed test shows.
const consoleLines = 40

// guestBuild builds the guest once for all tests.
var guestBuild = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "openguest-test-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "openguest")
	c := exec.Command("go", "build", "-tags=nethttpomithttp2", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", name, "openguest/cmd/openguest")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	c.Stderr = os.Stderr
	return dir, c.Run()
})

func TestMain(m *testing.M) {
	status := m.Run()
	if os.Getenv("OPENGUEST_VM") == "1" {
		if dir, _ := guestBuild(); dir != "" {
			os.RemoveAll(dir)
		}
	}
	os.Exit(status)
}

// within ends with the test and with our patience.
func within(t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), patience)
	t.Cleanup(stop)
	return ctx
}

// image is that of a release. Without one there is nothing to test on.
func image(t *testing.T, release string) *vm.Image {
	t.Helper()
	if os.Getenv("OPENGUEST_VM") != "1" {
		t.Skip("OPENGUEST_VM is not 1: virtual machines take minutes")
	}
	if err := vm.Need("qemu-system-x86_64", "qemu-img", "genisoimage"); err != nil {
		t.Skip(err)
	}
	i, err := vm.Builder{Release: release, Progress: func(text string) { t.Log(text) }}.Build(t.Context())
	if err != nil {
		t.Skipf("there is no image to boot: %v", err)
	}
	return i
}

// machine is a configuration with the guest in it.
func machine(t *testing.T, release, cloud, userData string) vm.Config {
	t.Helper()
	c := vm.Config{Image: image(t, release)}
	if err := c.InCloud(cloud, vm.Seed{UserData: []byte(userData)}); err != nil {
		t.Fatal(err)
	}
	dir, err := guestBuild()
	if err != nil {
		t.Fatalf("build the guest: %v", err)
	}
	if c.Files, err = hostcli.InstalledGuest(filepath.Join(dir, "openguest")); err != nil {
		t.Fatal(err)
	}
	return c
}

// start boots a machine that ends with the test.
func start(t *testing.T, c vm.Config) *vm.Machine {
	t.Helper()
	m, err := vm.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, m)
	return m
}

// watch ends a machine with the test, and shows its console if the test failed.
func watch(t *testing.T, m *vm.Machine) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the console's last lines:\n%s", m.Console(consoleLines))
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

// booted waits for the end of the boot.
func booted(t *testing.T, m *vm.Machine) {
	t.Helper()
	state, err := m.WaitBoot(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if state != "running" {
		out, _ := m.Run(within(t), "systemctl --failed --plain --no-legend; journalctl -b -p warning --no-pager | tail -n 30")
		t.Errorf("the system is %s:\n%s", state, out)
	}
}

// ask runs a command as root.
func ask(t *testing.T, m *vm.Machine, command string) string {
	t.Helper()
	out, err := m.Run(within(t), command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
