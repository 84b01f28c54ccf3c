package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// googleAccountsKeys are options of Google's instance_configs.cfg, section by section; see its README.
type googleAccountsKeys struct {
	Configs struct {
		Accounts struct {
			Remove conf.Truth `key:"deprovision_remove" doc:"Delete users whom the metadata no longer names, with their homes, as far as this program made them."`
			Groups conf.Words `key:"groups" doc:"Groups of new users, as far as they are there; adm,dip,docker,lxd,plugdev,video where nothing is given."`
		} `key:"accounts" doc:"People with keys in the metadata."`
		Daemons struct {
			Accounts conf.Truth `key:"accounts_daemon" doc:"Keep accounts in line with the metadata; true where it is not given."`
		} `key:"daemons" doc:"What runs for as long as the machine does."`
	} `key:"instance_configs" doc:"Google's instance_configs.cfg, section by section."`
}

var googleAccounts = define(Module{
	Name: "google_accounts", Stage: Live, Every: Always,
	Follows: func(in *instance.Instance) any { return in.Accounts },
	Doc: "Keeps accounts in line with the ssh-keys of Google's metadata: makes people who are not there, gives them their keys until these " +
		"expire, and lets them become root. When somebody's last key goes, the keys and that right go; the account stays. What people " +
		"themselves wrote into authorized_keys is theirs.",
	Examples: []string{"instance_configs:\n  accounts: {deprovision_remove: true, groups: 'adm,video'}\n"},
	Needs:    []string{"useradd", "usermod", "gpasswd", "userdel", "groupadd"},
}, func(ctx context.Context, e *Env, k *googleAccountsKeys) error {
	if !k.Configs.Daemons.Accounts.Or(true) {
		return Skip("accounts_daemon is false")
	}
	a := googlers{e: e, groups: k.Configs.Accounts.Groups, remove: k.Configs.Accounts.Remove.Or(false)}
	if a.groups == nil {
		a.groups = strings.Split("adm,dip,docker,lxd,plugdev,video", ",")
	}
	return a.follow(ctx)
})

// What Google's agent has names for; people and other programs know them.
const (
	googleMarker  = "# Added by Google"
	googleSudoers = "google-sudoers"
	googleRules   = "/etc/sudoers.d/google_sudoers"
	googleUsers   = "/var/lib/google/google_users"         // who has, or had, keys of the metadata: a name in each line
	googleMade    = "/var/lib/openguest/google_users_made" // whom this program made, and so may delete
)

// googlers are the people of the metadata.
type googlers struct {
	e           *Env
	groups      []string // of new users
	remove      bool     // users whom nobody names any more are deleted
	known, made []string // as googleUsers and googleMade have them
	nextExpiry  time.Time
}

// follow makes the accounts what the metadata says. Who is about to get keys is written down before, so that whoever has some
// is known to lose them, whenever the power goes.
func (a *googlers) follow(ctx context.Context) error {
	var err error
	if a.known, err = a.names(googleUsers); err != nil {
		return err
	}
	if a.made, err = a.names(googleMade); err != nil {
		return err
	}
	wanted, keys := a.wanted()
	before := a.known
	a.known = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(before), wanted...))))
	if err := a.keep(googleUsers, a.known); err != nil {
		return err
	}
	for _, name := range wanted {
		err = errors.Join(err, a.e.Item(metadataOrigin(), "ssh-keys."+name, func() error { return a.ensure(ctx, name, keys[name]) }))
	}
	for _, name := range before {
		if !slices.Contains(wanted, name) {
			err = errors.Join(err, a.e.Item(metadataOrigin(), "ssh-keys."+name, func() error { return a.dismiss(ctx, name) }))
		}
	}
	if !a.nextExpiry.IsZero() && a.e.Again != nil {
		a.e.Again(a.nextExpiry)
	}
	return errors.Join(err, a.keep(googleUsers, a.known))
}

func metadataOrigin() conf.Origin { return conf.Origin{Part: "metadata"} }

// wanted are the people with at least one key that counts now, and these keys. It notes when the next key expires.
func (a *googlers) wanted() (names []string, keys map[string][]string) {
	keys = map[string][]string{}
	for _, person := range a.e.Instance.Accounts {
		if !isGoogleName(person.Name) {
			a.reject(person.Name, "a name has letters, digits, dots, dashes and underscores, 32 at most, and begins with no dash")
			continue
		}
		for _, line := range person.Keys {
			counts, err := a.counts(line)
			if err != nil {
				a.reject(person.Name, err.Error())
			}
			if counts {
				keys[person.Name] = append(keys[person.Name], line)
			}
		}
		if keys[person.Name] != nil {
			names = append(names, person.Name)
		}
	}
	return names, keys
}

// reject says that a name, or a key of somebody, is left out.
func (a *googlers) reject(name, why string) {
	v := Verdict{Origin: metadataOrigin().String(), Key: fmt.Sprintf("ssh-keys.%q", name), Verdict: Rejected, Reason: why, Module: a.e.Module}
	if a.e.Report.Verdict(v) {
		a.e.Info("the metadata's key of %q is left out: %s", name, why)
	}
}

// counts says whether a key is to be installed now. One that cannot be read is not: nobody would know when it ends.
func (a *googlers) counts(line string) (bool, error) {
	k, err := account.ParseKey(line)
	if err != nil {
		return false, err
	}
	end, err := googleExpiry(k.Comment)
	switch {
	case err != nil:
		return false, err
	case end.IsZero():
		return true, nil
	case !a.e.Machine.Clock.Now().Before(end):
		return false, nil
	case a.nextExpiry.IsZero() || end.Before(a.nextExpiry):
		a.nextExpiry = end
	}
	return true, nil
}

// googleExpiry reads when a key ends of its comment `google-ssh {"userName": NAME, "expireOn": DATE}`; zero for any other
// comment. See https://cloud.google.com/compute/docs/connect/add-ssh-keys.
func googleExpiry(comment string) (time.Time, error) {
	text, ok := strings.CutPrefix(comment, "google-ssh")
	if !ok || text != "" && !strings.HasPrefix(text, " ") {
		return time.Time{}, nil
	}
	data, err := conf.ReadJSON([]byte(text))
	if err != nil {
		return time.Time{}, errors.New("what is behind google-ssh is no JSON")
	}
	date := conf.Of(data, conf.Origin{}).Get("expireOn").Str("")
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if end, err := time.Parse(layout, date); err == nil {
			return end, nil
		}
	}
	return time.Time{}, errors.New("expireOn is no time such as 2030-01-02T15:04:05+0000")
}

// isGoogleName says whether somebody may have an account of a name.
func isGoogleName(name string) bool {
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}
	return name != "" && len(name) <= 32 && name[0] != '-' && strings.Trim(name, ".") != "" && !strings.ContainsFunc(name, strange)
}

// ensure makes somebody's account, keys and rights. The keys come first: whoever was given one waits for it.
func (a *googlers) ensure(ctx context.Context, name string, keys []string) error {
	switch u, err := account.User(ctx, a.e.Machine, name); {
	case errors.Is(err, machine.ErrNone):
		if err := a.make(ctx, name); err != nil {
			return err
		}
	case err != nil:
		return err
	case strings.HasSuffix(u.Shell, "/nologin") || path.Base(u.Shell) == "false":
		return Skip("the shell " + u.Shell + " lets nobody in")
	}
	return errors.Join(account.SetMarked(ctx, a.e.Machine, name, googleMarker, keys), a.maySudo(ctx, name))
}

// make makes an account in those groups that are there; that of all who may become root is, from the second account on.
func (a *googlers) make(ctx context.Context, name string) error {
	var groups []string
	for _, group := range append(slices.Clone(a.groups), googleSudoers) {
		switch _, err := account.Group(ctx, a.e.Machine, group); {
		case err == nil:
			groups = append(groups, group)
		case !errors.Is(err, machine.ErrNone):
			return err
		}
	}
	_, err := account.Ensure(ctx, a.e.Machine, account.Account{Name: name, Shell: "/bin/bash", Groups: groups, KeepGroups: true, NoPassword: true})
	if err != nil {
		return err
	}
	a.made = append(a.made, name)
	return a.keep(googleMade, a.made)
}

// maySudo lets somebody become root, without a password, as all of a group may.
func (a *googlers) maySudo(ctx context.Context, name string) error {
	files := a.e.Machine.Files
	if !machine.Exists(files, googleRules) {
		err := machine.MakeFolders(files, path.Dir(googleRules), machine.Folder(0o750))
		if err == nil {
			_, err = files.Put(googleRules, machine.File(0o440, "%"+googleSudoers+" ALL=(ALL:ALL) NOPASSWD:ALL\n"))
		}
		if err != nil {
			return fmt.Errorf("let the group %s become root: %w", googleSudoers, err)
		}
	}
	return account.Join(ctx, a.e.Machine, googleSudoers, name)
}

// dismiss takes away what somebody has of us. The account stays, unless it was made here and is to be deleted.
func (a *googlers) dismiss(ctx context.Context, name string) error {
	isMade := slices.Contains(a.made, name)
	var err error
	switch _, missing := account.User(ctx, a.e.Machine, name); {
	case errors.Is(missing, machine.ErrNone):
	case missing != nil:
		return missing
	case a.remove && isMade:
		err = account.Delete(ctx, a.e.Machine, name)
	default:
		isMade = false
		err = errors.Join(account.SetMarked(ctx, a.e.Machine, name, googleMarker, nil), account.Leave(ctx, a.e.Machine, googleSudoers, name))
	}
	if err != nil {
		return err
	}
	without := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(other string) bool { return other == name })
	}
	a.known = without(a.known)
	if !isMade {
		return nil
	}
	a.made = without(a.made)
	return a.keep(googleMade, a.made)
}

// names reads a list of names; there may be none.
func (a *googlers) names(file string) ([]string, error) {
	text, err := a.e.Machine.Files.Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read whom the metadata gave keys: %w", err)
	}
	return strings.Fields(text), nil
}

// keep writes a list of names, where there is something to write.
func (a *googlers) keep(file string, names []string) error {
	text := strings.Join(names, "\n")
	if text == "" && !machine.Exists(a.e.Machine.Files, file) {
		return nil
	}
	if text != "" {
		text += "\n"
	}
	m := a.e.Machine.Quiet()
	if err := machine.MakeFolders(m.Files, path.Dir(file), machine.Folder(0o700)); err != nil {
		return fmt.Errorf("write down whom the metadata gives keys: %w", err)
	}
	if err := a.e.Remember(file, text, machine.File(0o600, "")); err != nil {
		return fmt.Errorf("write down whom the metadata gives keys: %w", err)
	}
	return nil
}
