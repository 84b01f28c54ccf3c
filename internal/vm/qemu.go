package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is QEMU while the machine is on.
type process struct {
	done     chan struct{}
	problems bytes.Buffer // what QEMU complains of; to be read when done
	err      error

	on, processor time.Duration // what it cost; to be read when done
}

// fast is the kernel command line that saves an emulated machine the most time. A quiet console costs nothing to find out with:
// the kernel's messages are in the journal. QEMU translates a program again at each address that it is loaded to: without norandmaps
// that is every time that it starts.
const fast = "quiet loglevel=3 mitigations=off audit=0 nokaslr cryptomgr.notests no_timer_check tsc=reliable rcupdate.rcu_expedited=1 " +
	"fsck.mode=skip norandmaps random.trust_cpu=on 8250.nr_uarts=1 noresume apparmor=0 systemd.show_status=false"

// hotplugPorts is how many PCI devices can be added while the machine runs: buses hot0, hot1 and so on.
const hotplugPorts = 4

// arguments are QEMU's.
func (m *Machine) arguments(initrd string) []string {
	c := m.config
	args := []string{
		"-M", "q35", "-m", fmt.Sprint(c.Memory), "-smp", fmt.Sprint(c.CPUs), "-nodefaults", "-no-user-config", "-display", "none",
		"-serial", "stdio", "-qmp", "unix:" + m.socket() + ",server=on,wait=off",
		"-kernel", c.Image.kernel(), "-initrd", initrd,
		"-append", strings.Join(append([]string{"console=ttyS0 root=/dev/vda1 ro", fast}, c.Kernel...), " "),
		"-device", "virtio-rng-pci",
	}
	args = append(args, c.processor()...)
	for i := range len(c.Disks) + 1 {
		args = append(args, "-drive", fmt.Sprintf("file=%s,if=none,id=disk%d,format=qcow2,cache=unsafe,discard=unmap", m.disk(i), i),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d,serial=disk%d", i, i))
	}
	for i, name := range m.media {
		args = append(args, "-drive", fmt.Sprintf("file=%s,if=none,id=medium%d,format=raw,readonly=on", name, i),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=medium%d,serial=medium%d", i, i))
	}
	for i, n := range m.networks {
		args = append(args, "-netdev", fmt.Sprintf("stream,id=net%d,server=off,addr.type=unix,addr.path=%s", i, n.path),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=net%d,mac=%s,host_mtu=%d", i, macOf(i), mtu))
	}
	for i := range hotplugPorts {
		args = append(args, "-device", fmt.Sprintf("pcie-root-port,id=hot%d,slot=%d,chassis=%d", i, i+1, i+1))
	}
	for _, s := range c.SMBIOS {
		args = append(args, "-smbios", s)
	}
	return append(args, c.QEMU...)
}

// startQEMU starts it. It dies with the context, and with this program however that ends.
func startQEMU(ctx context.Context, args []string, console io.Writer, keyboard io.Reader) (*process, error) {
	p := &process{done: make(chan struct{})}
	c := command(ctx, "qemu-system-x86_64", args...)
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	c.Stdout, c.Stderr = console, &p.problems
	if err := p.connectKeyboard(c, keyboard); err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread ends that started the process, so this one must stay.
		runtime.LockOSThread()
		began, err := time.Now(), c.Start()
		started <- err
		if err == nil {
			p.err = c.Wait()
			p.on, p.processor = time.Since(began), c.ProcessState.UserTime()+c.ProcessState.SystemTime()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("QEMU cannot be started: %w", err)
	}
	return p, nil
}

// connectKeyboard leads the keyboard to the console. The program's end must not wait for a key.
func (p *process) connectKeyboard(c *exec.Cmd, keyboard io.Reader) error {
	if keyboard == nil {
		return nil
	}
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(in, keyboard) }()
	return nil
}

// because says why QEMU ended.
func (p *process) because() error {
	<-p.done
	if text := strings.TrimSpace(p.problems.String()); text != "" {
		return fmt.Errorf("QEMU says: %s", lastLines(text, 3))
	}
	if p.err != nil {
		return fmt.Errorf("QEMU ended: %w", p.err)
	}
	return errors.New("the system switched itself off")
}

// kvmWait is how long a kernel may take to its first line where KVM is worth using. It takes a tenth of it on real hardware.
const kvmWait = 3 * time.Second

// kvmWorks is found out once.
var kvmWorks struct {
	once sync.Once
	yes  bool
}

// processor is what instructions run on. Where time is counted in instructions, what it shows does not depend on what else this host
// does, and two boots differ by a hundredth.
func (c *Config) processor() []string {
	if c.Counted {
		return []string{"-accel", "tcg,thread=single", "-cpu", emulated, "-icount", "shift=0,sleep=on"}
	}
	return accelerator(c.Image.kernel())
}

// emulated is a processor without AVX, which is slow to emulate.
const emulated = "Nehalem"

// accelerator decides between KVM and emulation. That /dev/kvm opens proves nothing: some clouds' KVM has no hardware below and is a
// hundred times slower than emulation. So a kernel must have shown its first line.
func accelerator(kernel string) []string {
	kvmWorks.once.Do(func() { kvmWorks.yes = probeKVM(kernel) })
	if kvmWorks.yes {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi", "-cpu", emulated}
}

func probeKVM(kernel string) bool {
	hardware, _ := filepath.Glob("/sys/module/kvm_[ia]*")
	if _, err := os.Stat("/dev/kvm"); err != nil || len(hardware) == 0 {
		return false
	}
	ctx, stop := context.WithTimeout(context.Background(), kvmWait)
	defer stop()
	c := newConsole(nil)
	p, err := startQEMU(ctx, []string{"-M", "q35", "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
		"-serial", "stdio", "-no-reboot", "-kernel", kernel, "-append", "console=ttyS0 earlyprintk=serial panic=-1"}, c, nil)
	if err != nil {
		return false
	}
	err = c.wait(ctx, "Linux version", p.done)
	stop()
	<-p.done
	return err == nil
}
