package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

type setPasswordsKeys struct {
	Password conf.Placed[instance.Secret] `key:"password" doc:"The default user's password: a hash, plain text, or RANDOM. It counts only where chpasswd names nobody."`
	Chpasswd struct {
		Expire conf.Truth                                                                `key:"expire" doc:"Who gets a password here must choose another at the first login; true where it is not given."`
		Users  []conf.Placed[loginKeys]                                                  `key:"users" doc:"Users and their passwords."`
		List   conf.Either[[]conf.Placed[instance.Secret], conf.Placed[instance.Secret]] `key:"list" deprecated:"in 22.3; use users" doc:"Lines of the form user:password, where RANDOM is made up and hashes are told by $1$, $2a$, $2y$, $5$ or $6$."`
	} `key:"chpasswd" doc:"Passwords of other users."`
	SSHAuth string `key:"ssh_pwauth" doc:"Whether the ssh server takes passwords: true, false, or unchanged."`
}

type loginKeys struct {
	Name     string           `key:"name" need:"yes" doc:"The user, who must be there."`
	Password *instance.Secret `key:"password" doc:"The password, or its hash."`
	Type     string           `key:"type" default:"hash" enum:"hash,text,RANDOM" doc:"What password is; RANDOM makes one up and prints it on the console."`
}

var setPasswords = define(Module{
	Name: "set_passwords", Stage: Init, Every: PerInstance, Needs: []string{"chpasswd", "passwd"},
	Doc: "Sets passwords of users who are there, and says whether the ssh server takes passwords. One that cannot be set does not stop the others. " +
		"A password that is made up is printed on the system's console, and nowhere else.",
	Examples: []string{`ssh_pwauth: true
chpasswd:
  expire: false
  users:
    - name: ada
      password: $6$rounds=4096$abc$9eY2R0SkhKN.YdNsKXdT3v0.k9CQSn0h2L0Ofh.3kWcyFQiRLvm1bC0GnW3WqX1TQ2O1
    - {name: bob, type: RANDOM}
`, "password: RANDOM\nssh_pwauth: unchanged\n"},
}, func(ctx context.Context, e *Env, k *setPasswordsKeys) error {
	logins := k.logins(e)
	if logins == nil && !e.password(k).Value.IsEmpty() {
		e.Warn("No default or defined user to change password for.")
	}
	return errors.Join(e.setLogins(ctx, logins, k.Chpasswd.Expire.Or(true)), e.setSSHAuth(ctx, k.SSHAuth))
})

// A wantedLogin is a password that somebody asked for.
type wantedLogin struct {
	account.Login
	random bool
	origin conf.Origin
	key    string
	wrong  error // why it cannot be set
}

// logins are the passwords that the keys ask for: those of chpasswd, or else the default user's.
func (k *setPasswordsKeys) logins(e *Env) (all []wantedLogin) {
	for _, u := range k.Chpasswd.Users {
		l := wantedLogin{Login: account.Login{User: u.Value.Name, Hashed: u.Value.Type == "hash"}, random: strings.EqualFold(u.Value.Type, "RANDOM"), origin: u.Origin, key: u.Path}
		if u.Value.Password != nil {
			l.Password = *u.Value.Password
		}
		if l.Password.IsEmpty() && !l.random {
			l.wrong = errors.New("there is no password; give one, or type: RANDOM")
		}
		all = append(all, l)
	}
	for _, line := range k.lines() {
		l, wrong := account.ReadLogin(line.Value)
		all = append(all, wantedLogin{l, l.IsRandom(), line.Origin, line.Path, wrong})
	}
	given := e.password(k)
	if all != nil || given.Value.IsEmpty() {
		return all
	}
	if user := e.defaultUser(); user != "" {
		l, wrong := account.ReadLogin(instance.Join(user, ":", given.Value))
		all = append(all, wantedLogin{l, l.IsRandom(), given.Origin, "password", wrong})
	}
	return all
}

// laterPasswords are what set_passwords will give to users. One that it will make up is in nobody's hands yet.
func (e *Env) laterPasswords() map[string]*account.Login {
	var k setPasswordsKeys
	conf.Decode(e.Config, &k)
	later, madeUp := map[string]*account.Login{}, map[string]bool{}
	for _, l := range k.logins(&Env{Config: e.Config}) {
		known := later[l.User]
		switch {
		case l.wrong != nil || madeUp[l.User] || known != nil && known.Hashed && !l.Hashed:
		case l.random:
			madeUp[l.User] = true
			delete(later, l.User)
		default:
			later[l.User] = &l.Login
		}
	}
	return later
}

// password is the default user's: the module's first argument, or the key.
func (e *Env) password(k *setPasswordsKeys) conf.Placed[instance.Secret] {
	if len(e.Args) > 0 {
		return conf.Placed[instance.Secret]{Value: instance.Hide(e.Args[0]), Origin: conf.Origin{Part: "arguments"}}
	}
	return k.Password
}

// lines are the lines of chpasswd's list, each where it was written. The list of a single text begins where that does.
func (k *setPasswordsKeys) lines() []conf.Placed[instance.Secret] {
	if k.Chpasswd.List.A != nil {
		return *k.Chpasswd.List.A
	}
	if k.Chpasswd.List.B == nil {
		return nil
	}
	var lines []conf.Placed[instance.Secret]
	whole := *k.Chpasswd.List.B
	for _, line := range account.SplitLines(whole.Value) {
		lines = append(lines, conf.Placed[instance.Secret]{Value: line, Origin: whole.Origin, Path: itemPath(whole.Path, len(lines))})
	}
	return lines
}

// setLogins sets the passwords, prints those that were made up, and expires all of them where that is wanted.
func (e *Env) setLogins(ctx context.Context, wanted []wantedLogin, expire bool) error {
	wanted, all := e.makeUp(wanted)
	logins := make([]account.Login, len(wanted))
	var made []any
	for i, w := range wanted {
		logins[i] = w.Login
		if w.random {
			made = append(made, w.User, ":", w.Password, "\n")
		}
	}
	results := account.SetPasswords(ctx, e.Machine, logins)
	if made != nil {
		e.Report.Console("Set the following 'random' passwords\n\n" + instance.Join(made...).Reveal())
	}
	for i, r := range results {
		all = errors.Join(all, e.concludeLogin(ctx, wanted[i], r, expire))
	}
	return all
}

// makeUp fills in the passwords that are to be made up, and leaves out what cannot be set. In a system that does not run
// nobody would learn them: there they wait for its first boot.
func (e *Env) makeUp(wanted []wantedLogin) (ready []wantedLogin, all error) {
	offline := errors.Is(e.Machine.Commands.Can(machine.Change{Argv: []string{"chpasswd"}}), machine.ErrDeferred)
	for _, w := range wanted {
		if w.random && offline {
			w.wrong = fmt.Errorf("make up a password for user %s: %w", w.User, machine.ErrDeferred)
		}
		if w.wrong != nil {
			all = errors.Join(all, e.Item(w.origin, w.key, func() error { return w.wrong }))
			continue
		}
		if w.random {
			w.Login = account.Login{User: w.User, Password: account.RandomPassword()}
		}
		ready = append(ready, w)
	}
	return ready, all
}

// concludeLogin expires a password that was set, and says what became of it.
func (e *Env) concludeLogin(ctx context.Context, w wantedLogin, r account.Result, expire bool) error {
	before := e.Machine.Ledger.Len()
	err := r.Err
	if err == nil && expire {
		err = account.Expire(ctx, e.Machine, w.User)
	}
	v := Verdict{Origin: w.origin.String(), Key: w.key, Verdict: Unchanged, Module: e.Module}
	if r.Changed || e.Machine.Ledger.Len() > before {
		v.Verdict = Applied
	}
	e.Report.Verdict(Judge(v, err))
	if err != nil {
		return fmt.Errorf("%s: %w", w.key, err)
	}
	return nil
}

// setSSHAuth says in the ssh server's configuration whether passwords are taken, and restarts a server that runs.
func (e *Env) setSSHAuth(ctx context.Context, wanted string) error {
	const keyword = "PasswordAuthentication"
	given := e.Config.Get("ssh_pwauth")
	if given.IsNull() {
		e.Debug("Leaving SSH config '%s' unchanged. ssh_pwauth=None", keyword)
		return nil
	}
	if given.Kind == conf.String {
		e.Problem(conf.Problem{Origin: given.Origin, Path: "ssh_pwauth", Level: conf.Deprecated,
			Message: "Using a string value for the 'ssh_pwauth' key is deprecated in 22.2. Use a boolean value with 'ssh_pwauth'."})
	}
	value := "no"
	switch {
	case strings.EqualFold(wanted, "unchanged"):
		e.Debug("Leaving SSH config '%s' unchanged. ssh_pwauth=%s", keyword, wanted)
		return nil
	case given.Truth(true) != given.Truth(false): // neither true nor false
		e.Problem(conf.Problem{Origin: given.Origin, Path: "ssh_pwauth", Level: conf.Rejected, Hint: "write true or false",
			Message: fmt.Sprintf("Leaving SSH config '%s' unchanged. Unrecognized value: ssh_pwauth=%s", keyword, wanted)})
		return nil
	case given.Truth(false):
		value = "yes"
	}
	return e.Item(given.Origin, "ssh_pwauth", func() error {
		changed, err := account.SetSSHD(e.Machine.Files, keyword, value)
		if err == nil && changed {
			e.restartSSH(ctx)
		}
		return err
	})
}

// restartSSH restarts the ssh server where it runs: at boot it comes later, and reads what was written.
func (e *Env) restartSSH(ctx context.Context) {
	if !e.sshRuns(ctx) {
		return
	}
	service := e.Distro.SSHService
	restart := machine.Change{Argv: []string{"service", service, "restart"}, Touches: []string{"/run"}}
	if e.usesSystemd() {
		// Without the option systemd would wait for this very stage, where somebody started that by hand.
		restart.Argv = []string{"systemctl", "restart", service, "--job-mode=ignore-dependencies"}
	}
	if err := e.Machine.Commands.Do(ctx, restart); err != nil {
		e.Warn("'ssh_pwauth' configuration may not be applied. Cloud-init was unable to restart SSH daemon due to error: '%v'", err)
	}
}

// sshRuns asks whether the ssh server runs. Where nobody can say, it does not.
func (e *Env) sshRuns(ctx context.Context) bool {
	service := e.Distro.SSHService
	if !e.usesSystemd() {
		_, err := e.Machine.Commands.Ask(ctx, machine.Question{Argv: []string{"service", service, "status"}})
		return err == nil
	}
	state, err := e.Machine.Commands.Ask(ctx, machine.Question{Argv: []string{"systemctl", "show", "--property", "ActiveState", "--value", service}})
	return err == nil && slices.Contains([]string{"active", "activating", "reloading"}, strings.ToLower(strings.TrimSpace(state)))
}

// usesSystemd says whether systemd runs the services.
func (e *Env) usesSystemd() bool { return machine.Exists(e.Machine.Files, "/run/systemd/system") }
