// Package vm boots the guest in virtual machines, as its package installs it. Each test needs minutes, so they run where OPENGUEST_VM
// is 1, or all of them where it is all; as many machines at a time as -parallel says. What needs no kernel of its own is tested in a
// container, in test/pack.
package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"openguest/internal/hostcli"
	"openguest/internal/pack"
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
	args := append([]string{"build", "-buildvcs=false", "-o", name}, pack.BuildFlags()...)
	c := exec.Command("go", append(args, "openguest/cmd/openguest")...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	c.Stderr = os.Stderr
	return dir, c.Run()
})

func TestMain(m *testing.M) {
	if level() == "" {
		os.Exit(m.Run())
	}
	folder, err := ownFolder()
	if err != nil {
		fmt.Fprintf(os.Stderr, "make a folder for the tests: %v\n", err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(folder)
	if testing.Verbose() {
		fmt.Printf("all of it took %.0f s of the processor\n", (processor(syscall.RUSAGE_SELF) + processor(syscall.RUSAGE_CHILDREN)).Seconds())
	}
	os.Exit(status)
}

// processor is what this process took, or its children that have ended.
func processor(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// ownFolder makes the folder for all that the tests make, once no other process runs them: more machines at a time than processors are
// only slower. What a run left that was killed goes then.
func ownFolder() (string, error) {
	folder := filepath.Join(os.TempDir(), "openguest-vm-tests")
	lock, err := syscall.Open(folder+".lock", syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600) // open until the process ends
	if err != nil {
		return "", err
	}
	if err := syscall.Flock(lock, syscall.LOCK_EX); err != nil {
		return "", err
	}
	return folder, errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o700), os.Setenv("TMPDIR", folder))
}

// level is how much is tested: "" for nothing, 1, or all.
func level() string { return os.Getenv("OPENGUEST_VM") }

// thorough is for what takes longer than continuous integration has.
func thorough(t *testing.T) {
	t.Helper()
	if level() != "all" {
		t.Skip("OPENGUEST_VM is not all: this takes longer than continuous integration has")
	}
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
	if level() == "" {
		t.Skip("OPENGUEST_VM is neither 1 nor all: virtual machines take minutes")
	}
	if err := vm.Need("qemu-system-x86_64", "qemu-img", "genisoimage"); err != nil {
		t.Skip(err)
	}
	i, err := vm.Builder{Cache: os.Getenv("OPENGUEST_IMAGES"), Release: release, Progress: func(text string) { t.Log(text) }}.Build(t.Context())
	if err != nil {
		t.Skipf("there is no image to boot: %v", err)
	}
	return i
}

// machine is a configuration with the guest in it, of a system that has nothing but what the tests look at.
func machine(t *testing.T, release, cloud, userData string) vm.Config {
	t.Helper()
	c := wholeMachine(t, release, cloud, userData)
	c.Files = append(c.Files, lean()...)
	return c
}

// wholeMachine is a configuration with the guest in it, of a system as the image has it.
func wholeMachine(t *testing.T, release, cloud, userData string) vm.Config {
	t.Helper()
	t.Logf("a machine of %s in the cloud %s", release, cloud)
	c := vm.Config{Image: image(t, release)}
	if err := c.InCloud(cloud, vm.Seed{UserData: []byte(userData)}); err != nil {
		t.Fatal(err)
	}
	c.CPUs = 1 // the other machine has the other one
	dir, err := guestBuild()
	if err != nil {
		t.Fatalf("build the guest: %v", err)
	}
	if c.Files, err = hostcli.InstalledGuest(filepath.Join(dir, "openguest")); err != nil {
		t.Fatal(err)
	}
	return c
}

// leanUnits are units whose work no test here looks at, beside those that the lab's images leave out.
var leanUnits = strings.Fields(`dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount
	proc-sys-fs-binfmt_misc.automount getty@tty1.service kmod-static-nodes.service modprobe@dm_mod.service modprobe@loop.service
	systemd-ask-password-console.path systemd-ask-password-wall.path systemd-fsck-root.service systemd-fsckd.socket systemd-initctl.socket
	systemd-journal-flush.service systemd-modules-load.service systemd-sysctl.service systemd-update-utmp-runlevel.service
	systemd-update-utmp.service`)

// leanGenerators make units of what no machine here has: systemd runs each of them at its start.
var leanGenerators = strings.Fields(`bless-boot cryptsetup debug gpt-auto hibernate-resume integritysetup rc-local run system-update sysv veritysetup`)

// leanSession has no service manager of a person's own.
const leanSession = `session [default=1] pam_permit.so
session requisite pam_deny.so
session required pam_permit.so
session required pam_unix.so
`

// leanTrigger has udev look at disks, network cards, the serial console and the power button, not at every device that a PC has. What
// comes later is not touched by it.
const leanTrigger = `[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=block --subsystem-match=net --subsystem-match=virtio
ExecStart=-udevadm trigger --type=devices --action=add --sysname-match=ttyS0 --sysname-match=LNXPWRBN:*
`

// leanLibraries loads the C library before other libraries, so that it lies at the same address in all programs. QEMU translates code
// anew for each address where it finds it, which is half of what a boot costs.
const leanLibraries = "libc.so.6\n"

// lean are files that take out of a system what takes an emulated processor seconds and changes nothing for what is tested here.
func lean() []vm.File {
	files := []vm.File{
		{Name: "/etc/pam.d/common-session", Data: []byte(leanSession)},
		{Name: "/etc/systemd/system/systemd-udev-trigger.service.d/lean.conf", Data: []byte(leanTrigger)},
		{Name: "/etc/systemd/journald.conf.d/lean.conf", Data: []byte("[Journal]\nStorage=volatile\n")},
		{Name: "/etc/ld.so.preload", Data: []byte(leanLibraries)},
	}
	for _, unit := range leanUnits {
		files = append(files, vm.File{Name: "/etc/systemd/system/" + unit, Link: "/dev/null"})
	}
	for _, name := range leanGenerators {
		files = append(files, vm.File{Name: "/etc/systemd/system-generators/systemd-" + name + "-generator", Link: "/dev/null"})
	}
	return files
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
		t.Logf("the machine cost: %v", m.Spent())
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
