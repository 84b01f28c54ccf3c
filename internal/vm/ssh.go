package vm

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Key is a person's ssh key, made for one machine.
type Key struct{ signer ssh.Signer }

// NewKey makes a key.
func NewKey() (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an ssh key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, fmt.Errorf("make an ssh key: %w", err)
	}
	return &Key{signer}, nil
}

// Authorized is the key's line in authorized_keys, without the end of the line.
func (k *Key) Authorized() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signer.PublicKey())))
}

// files let root in with the key, past everything that the guest says of root's keys and without touching it.
func (k *Key) files() []File {
	const name = "/usr/share/openguest-lab/key"
	return []File{
		{Name: name, Data: []byte(k.Authorized() + "\n")},
		{Name: "/etc/ssh/sshd_config.d/99-lab.conf", Data: []byte("Match User root\n\tPermitRootLogin prohibit-password\n" +
			"\tAuthorizedKeysCommand /usr/bin/cat " + name + "\n\tAuthorizedKeysCommandUser root\n")},
	}
}

const (
	sshPort  = 22
	sshTry   = 20 * time.Second       // for one login; emulated machines are slow
	sshPause = 200 * time.Millisecond // between two tries
)

// client logs in.
func (m *Machine) client(ctx context.Context, user string, key *Key) (*ssh.Client, error) {
	if len(m.networks) == 0 {
		return nil, errNoNetwork
	}
	ctx, stop := context.WithTimeout(ctx, sshTry)
	defer stop()
	c, err := m.networks[0].dial(ctx, 0, sshPort)
	if err != nil {
		return nil, fmt.Errorf("connect to the machine's ssh server: %w", err)
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	conn, channels, requests, err := ssh.NewClientConn(c, "machine", &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key.signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // the network is inside this process: nobody can stand between
		// What takes an emulated processor the least time.
		Config: ssh.Config{KeyExchanges: []string{"curve25519-sha256"}, Ciphers: []string{"aes128-ctr"}},
	})
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("log in as %s: %w", user, err)
	}
	return ssh.NewClient(conn, channels, requests), nil
}

// session opens a session of who is to log in, on the login that it returns. Root's is kept for the next time: a login takes an emulated
// machine seconds.
func (m *Machine) session(ctx context.Context, who Login) (s *ssh.Session, c *ssh.Client, err error) {
	if c = m.kept(who); c != nil {
		if s, err = open(ctx, c); err == nil {
			return s, c, nil
		}
		m.forgetLogin()
	}
	if c, err = m.client(ctx, or(who.User, "root"), or(who.Key, m.key)); err != nil {
		return nil, nil, err
	}
	if s, err = open(ctx, c); err != nil {
		c.Close()
		return nil, nil, fmt.Errorf("open a session of ssh: %w", err)
	}
	m.keep(who, c)
	return s, c, nil
}

// open opens a session of a login, which may be dead without our knowing.
func open(ctx context.Context, c *ssh.Client) (*ssh.Session, error) {
	ctx, stop := context.WithTimeout(ctx, sshTry)
	defer stop()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	return c.NewSession()
}

// kept is root's login, where there is one and it is root who wants it.
func (m *Machine) kept(who Login) *ssh.Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	if who != (Login{}) {
		return nil
	}
	return m.login
}

// keep keeps a login, if it is root's and there is none yet.
func (m *Machine) keep(who Login, c *ssh.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if who == (Login{}) && m.login == nil {
		m.login = c
	}
}

// leave ends a session, and its login unless that is kept.
func (m *Machine) leave(s *ssh.Session, c *ssh.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c == m.login {
		s.Close()
	} else {
		c.Close()
	}
}

// forgetLogin ends root's login. It does not outlive the system that it was made with.
func (m *Machine) forgetLogin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.login != nil {
		m.login.Close()
		m.login = nil
	}
}

// WaitSSH waits until root can log in.
func (m *Machine) WaitSSH(ctx context.Context) error {
	tick := time.NewTicker(sshPause)
	defer tick.Stop()
	for {
		s, c, err := m.session(ctx, Login{})
		if err == nil {
			m.leave(s, c)
			return nil
		}
		if errors.Is(err, errNoNetwork) {
			return err
		}
		select {
		case <-tick.C:
		case <-m.Off():
			return fmt.Errorf("the machine went off before root could log in: %w", m.offBecause())
		case <-ctx.Done():
			return fmt.Errorf("root cannot log in: %w (%w)", context.Cause(ctx), err)
		}
	}
}

// A Login says who runs a command in the machine. The zero value is root.
type Login struct {
	User string
	Key  *Key
}

// Exec runs a command for a shell in the machine, by ssh. It returns the command's exit status.
func (m *Machine) Exec(ctx context.Context, who Login, command string, stdout, stderr io.Writer) (int, error) {
	s, c, err := m.session(ctx, who)
	if err != nil {
		return 0, fmt.Errorf("run %q in the machine: %w", command, err)
	}
	defer m.leave(s, c)
	defer context.AfterFunc(ctx, func() { c.Close() })()
	s.Stdout, s.Stderr = stdout, stderr
	err = s.Run(command)
	var status *ssh.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &status):
		return status.ExitStatus(), nil
	case ctx.Err() != nil:
		return 0, fmt.Errorf("%q did not end: %w", command, context.Cause(ctx))
	}
	return 0, fmt.Errorf("run %q in the machine: %w", command, err)
}

// Run runs a command as root and gives what it printed. A status other than 0 is an error.
func (m *Machine) Run(ctx context.Context, command string) (string, error) {
	var out, problems strings.Builder
	status, err := m.Exec(ctx, Login{}, command, &out, &problems)
	if err == nil && status != 0 {
		err = fmt.Errorf("%q ended with status %d: %s", command, status, strings.TrimSpace(problems.String()))
	}
	return out.String(), err
}

// WaitBoot waits until the machine has done all that belongs to its boot, and says how systemd calls its state: running, or degraded
// where a unit failed.
func (m *Machine) WaitBoot(ctx context.Context) (state string, err error) {
	if err := m.WaitSSH(ctx); err != nil {
		return "", err
	}
	var out strings.Builder
	if _, err = m.Exec(ctx, Login{}, "systemctl is-system-running --wait", &out, io.Discard); err != nil {
		return "", fmt.Errorf("wait for the end of the boot: %w", err)
	}
	return strings.TrimSpace(out.String()), nil
}
