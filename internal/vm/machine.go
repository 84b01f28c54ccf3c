package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"openguest/internal/metadata"
)

// A Machine is one virtual machine: its disks, its network, and QEMU while it is on.
type Machine struct {
	config   Config
	dir      string // everything that is its own
	ctx      context.Context
	end      context.CancelFunc
	key      *Key
	console  *console
	networks []*network
	closers  []io.Closer
	metadata *metadata.Server
	media    []string // files

	mu    sync.Mutex
	qemu  *process    // nil before the first boot
	boots []*process  // all there were, the last one too
	login *ssh.Client // root's, kept from command to command; may be nil
}

// prepare makes everything of a machine but the process.
func prepare(ctx context.Context, c Config) (_ *Machine, err error) {
	m := &Machine{config: c, console: newConsole(c.Console)}
	m.ctx, m.end = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.dir, err = os.MkdirTemp("", "openguest-vm-"); err != nil {
		return nil, fmt.Errorf("make a folder for the machine: %w", err)
	}
	if err := bootRoom.hasRoom(m.dir); err != nil {
		return nil, err
	}
	if m.key, err = NewKey(); err != nil {
		return nil, err
	}
	if err := m.disks(); err != nil {
		return nil, err
	}
	return m, m.connect()
}

// disks makes the root disk, which holds only what differs from the image, the further disks and the media.
func (m *Machine) disks() error {
	_, err := run(m.ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-b", m.config.Image.disk(), "-F", "raw", m.disk(0), m.config.RootSize)
	if err != nil {
		return fmt.Errorf("make the root disk: %w", err)
	}
	for i, size := range m.config.Disks {
		if _, err := run(m.ctx, "qemu-img", "create", "-q", "-f", "qcow2", m.disk(i+1), size); err != nil {
			return fmt.Errorf("make a disk of %s: %w", size, err)
		}
	}
	for i := range m.config.Media {
		name := filepath.Join(m.dir, fmt.Sprintf("medium%d.iso", i))
		if err := m.config.Media[i].write(m.ctx, name); err != nil {
			return err
		}
		m.media = append(m.media, name)
	}
	return nil
}

// connect makes the networks and what listens in them.
func (m *Machine) connect() error {
	for i := range m.config.NICs {
		n, err := newNetwork(m.ctx, m.dir, i)
		if err != nil {
			return err
		}
		m.networks = append(m.networks, n)
	}
	if len(m.networks) > 0 && m.config.SSHPort != 0 {
		l, err := m.networks[0].forward(m.ctx, m.config.SSHPort, sshPort)
		if err != nil {
			return err
		}
		m.closers = append(m.closers, l)
	}
	if len(m.networks) > 0 && m.config.Instance != nil {
		return m.serve()
	}
	return nil
}

// serve starts the metadata server, which tells the machine's instance to whom it sees.
func (m *Machine) serve() error {
	store, err := metadata.OpenFile(filepath.Join(m.dir, "metadata"))
	if err != nil {
		return err
	}
	m.closers = append(m.closers, store)
	s, err := metadata.NewServer(m.ctx, store, 64)
	if err != nil {
		return err
	}
	m.metadata, m.closers = s, append(m.closers, s)
	instance := m.instance()
	value, err := json.Marshal(instance)
	if err != nil {
		return err
	}
	if _, err := s.Catalog().Write(m.ctx, metadata.Change{Key: "instance/" + instance.Name, Value: value, IfMatch: metadata.Any}); err != nil {
		return fmt.Errorf("tell the metadata server of the machine: %w", err)
	}
	l, err := m.networks[0].router.Listen("tcp", net.JoinHostPort(metadataAddress, "80"))
	if err != nil {
		return fmt.Errorf("listen at %s: %w", metadataAddress, err)
	}
	go func() { _ = s.Serve(l, instance.Name) }()
	return nil
}

// instance is what was asked for, with the interfaces that the machine has.
func (m *Machine) instance() *metadata.Instance {
	i := *m.config.Instance
	i.Name = or(i.Name, "vm")
	for n := len(i.NICs); n < m.config.NICs; n++ {
		i.NICs = append(i.NICs, metadata.NIC{MAC: macOf(n), IPs: []string{addressOf(n) + "/24"}, Gateway: gatewayOf(n), MTU: mtu, DNS: []string{gatewayOf(n)}, DHCP: true})
	}
	return &i
}

func (m *Machine) disk(i int) string { return filepath.Join(m.dir, fmt.Sprintf("disk%d.qcow2", i)) }
func (m *Machine) socket() string    { return filepath.Join(m.dir, "qmp.sock") }

// Metadata is the machine's metadata server, to change what it tells or to make it fail; nil where Config.Instance was nil.
func (m *Machine) Metadata() *metadata.Server { return m.metadata }

// Console is the end of what the machine printed.
func (m *Machine) Console(lines int) string { return m.console.tail(lines) }

// WaitConsole waits until the machine has printed a text since it was last switched on.
func (m *Machine) WaitConsole(ctx context.Context, text string) error {
	return m.console.wait(ctx, text, m.Off())
}

// firstBoot boots with the machine's files in a second initrd behind the image's. Where time counts, the system boots after they were
// put on the disk, as if they had always been there.
func (m *Machine) firstBoot() error {
	if !m.config.Counted {
		return m.bringFiles("")
	}
	if err := m.bringFiles(installScript); err != nil {
		return err
	}
	if err := m.Wait(m.ctx); err != nil {
		return err
	}
	if m.qemu.err != nil {
		return m.qemu.because()
	}
	return m.Boot()
}

// bringFiles switches the machine on with the files in its initrd.
func (m *Machine) bringFiles(script string) error {
	files, err := fileArchive(append(m.key.files(), m.config.Files...), script)
	if err != nil {
		return err
	}
	base, err := os.ReadFile(m.config.Image.initrd())
	if err != nil {
		return fmt.Errorf("read the image's initrd: %w; build the image again", err)
	}
	name := filepath.Join(m.dir, "initrd.img")
	if err := os.WriteFile(name, append(base, files...), 0o600); err != nil {
		return fmt.Errorf("write the machine's initrd: %w", err)
	}
	return m.switchOn(name)
}

// Boot switches a machine on that is off. Its disks are as they were left.
func (m *Machine) Boot() error {
	if !m.isOff() {
		return errors.New("the machine is on already")
	}
	m.console.forget()
	return m.switchOn(m.config.Image.initrd())
}

// Sometimes an emulated kernel hangs before its first program, where the host has much else to do. It has changed nothing by then, so
// it is started again.
const (
	starts    = 3
	startWait = 3 * time.Minute // a kernel takes two seconds, and more than a minute where this host has ten times as much to do as it can
)

// switchOn boots, and waits until the initrd has said something.
func (m *Machine) switchOn(initrd string) error {
	for n := 1; ; n++ {
		if err := m.power(initrd); err != nil {
			return err
		}
		ctx, stop := context.WithTimeout(m.ctx, startWait)
		err := m.console.wait(ctx, "initrd: ", m.Off())
		stop()
		switch {
		case err == nil || m.ctx.Err() != nil:
			return err
		case m.isOff():
			return m.offBecause()
		case n == starts:
			return fmt.Errorf("the machine's kernel hangs: %w", err)
		}
		m.config.Progress("the kernel hangs; starting it again")
		if err := m.PowerCut(m.ctx); err != nil {
			return err
		}
	}
}

// power starts QEMU.
func (m *Machine) power(initrd string, more ...string) error {
	m.forgetLogin()
	p, err := startQEMU(m.ctx, append(m.arguments(initrd), more...), m.console, m.config.Keyboard)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.qemu, m.boots = p, append(m.boots, p)
	}
	return err
}

// Off is closed when the machine is off.
func (m *Machine) Off() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.qemu == nil {
		off := make(chan struct{})
		close(off)
		return off
	}
	return m.qemu.done
}

func (m *Machine) isOff() bool {
	select {
	case <-m.Off():
		return true
	default:
		return false
	}
}

func (m *Machine) offBecause() error { return m.qemu.because() }

// Wait waits until the machine is off.
func (m *Machine) Wait(ctx context.Context) error {
	select {
	case <-m.Off():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// PowerCut switches the machine off as if its plug was pulled: what it has not written to its disks is lost.
func (m *Machine) PowerCut(ctx context.Context) error {
	if _, err := m.QMP(ctx, "quit", nil); err != nil {
		return err
	}
	return m.Wait(ctx)
}

// PowerOff asks the system to switch itself off, and waits until it has.
func (m *Machine) PowerOff(ctx context.Context) error {
	if _, err := m.QMP(ctx, "system_powerdown", nil); err != nil {
		return err
	}
	return m.Wait(ctx)
}

// Insert puts another medium in the place of the first one of a machine that is off.
func (m *Machine) Insert(d Medium) error {
	if !m.isOff() || len(m.media) == 0 {
		return errors.New("a medium is changed in a machine that is off and has one")
	}
	return d.write(m.ctx, m.media[0])
}

// Snapshot keeps the whole state of the machine, memory and disks, under a name. The machine runs on.
func (m *Machine) Snapshot(ctx context.Context, name string) error {
	return m.monitor(ctx, "savevm "+name)
}

// Clone starts another machine from a snapshot, with a network of its own. It has no metadata server and no port on the host.
func (m *Machine) Clone(ctx context.Context, snapshot string) (*Machine, error) {
	c, err := m.Twin(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.power(c.config.Image.initrd(), "-loadvm", snapshot); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Twin gives another machine, which is off, with what stands on the disks of this one at this moment: as if this one's plug was pulled.
// It has a network of its own, no metadata server and no port on the host.
func (m *Machine) Twin(ctx context.Context) (*Machine, error) {
	c := m.config
	c.Instance, c.SSHPort = nil, 0
	twin := &Machine{config: c, console: newConsole(c.Console), key: m.key}
	twin.ctx, twin.end = context.WithCancel(ctx)
	err := m.paused(ctx, func() error { return twin.copyOf(m) })
	if err == nil {
		err = twin.connect()
	}
	if err != nil {
		twin.Close()
		return nil, fmt.Errorf("copy the machine: %w", err)
	}
	return twin, nil
}

// paused does something while the machine stands still, if it is on. QEMU then holds nothing back that belongs on the disks.
func (m *Machine) paused(ctx context.Context, do func() error) error {
	if m.isOff() {
		return do()
	}
	if _, err := m.QMP(ctx, "stop", nil); err != nil {
		return err
	}
	err := do()
	_, cont := m.QMP(ctx, "cont", nil)
	return errors.Join(err, cont)
}

// copyOf copies disks and media.
func (m *Machine) copyOf(origin *Machine) (err error) {
	if m.dir, err = os.MkdirTemp("", "openguest-vm-"); err != nil {
		return err
	}
	files := slices.Clone(origin.media)
	for i := range len(m.config.Disks) + 1 {
		files = append(files, origin.disk(i))
	}
	for _, name := range files {
		if _, err := run(m.ctx, "cp", "--reflink=auto", name, m.dir); err != nil {
			return err
		}
	}
	for _, name := range origin.media {
		m.media = append(m.media, filepath.Join(m.dir, filepath.Base(name)))
	}
	return nil
}

// Close switches the machine off and removes everything that it left.
func (m *Machine) Close() error {
	m.end()
	<-m.Off()
	m.forgetLogin()
	for _, c := range slices.Backward(m.closers) {
		c.Close()
	}
	for _, n := range m.networks {
		n.close()
	}
	if m.dir == "" {
		return nil
	}
	return os.RemoveAll(m.dir)
}
