package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/account"
	"openguest/internal/conf"
	"openguest/internal/instance"
)

// usersGroupsKeys are written in several ways each. What they mean together, people and groups find out.
type usersGroupsKeys struct {
	Groups conf.Either[membersOf, conf.OneOrMany[conf.Either[membersOf, string]]]      `key:"groups" doc:"Groups to make: names, or mappings from a name to its members, who must be there already."`
	User   conf.Either[userKeys, string]                                               `key:"user" doc:"The default user's name, or what differs from the image's description of that user. Better give users."`
	Users  conf.Either[usersByName, conf.OneOrMany[conf.Either[userKeys, conf.Words]]] `key:"users" doc:"Users to make. The entry default stands for the user that the image describes; without it that user is not made."`
}

type (
	membersOf   = conf.Named[conf.Words]
	usersByName = conf.Named[conf.Either[userKeys, string]]
	keyLines    = conf.Either[conf.Named[string], conf.OneOrMany[string]]
	ruleLines   = conf.OneOrMany[string]
)

type userKeys struct {
	Name           string           `key:"name" doc:"The user's name; default where it is not given."`
	Gecos          string           `key:"gecos" doc:"The user's full name, or another comment."`
	Home           string           `key:"homedir" doc:"The home, where it is not /home/NAME."`
	PrimaryGroup   string           `key:"primary_group" doc:"The primary group, where it is not one of the user's own."`
	Groups         conf.Words       `key:"groups" doc:"More groups that the user is in."`
	System         bool             `key:"system" doc:"Make a user for a service: with an id of the system's, and without a home."`
	UID            string           `key:"uid" doc:"The user's number."`
	Shell          string           `key:"shell" doc:"The login shell, where it is not the system's default."`
	ExpireDate     string           `key:"expiredate" doc:"The day on which the account is closed, such as 2032-09-01."`
	Inactive       string           `key:"inactive" doc:"How many days after a password expired the account is closed."`
	SELinuxUser    string           `key:"selinux_user" doc:"The SELinux user for the login."`
	NoCreateHome   bool             `key:"no_create_home" doc:"Make no home."`
	NoUserGroup    bool             `key:"no_user_group" doc:"Make no group with the user's name."`
	NoLogInit      bool             `key:"no_log_init" doc:"Leave the lastlog and faillog databases alone."`
	CreateGroups   conf.Truth       `key:"create_groups" doc:"Make the groups that are missing; true where it is not given."`
	Passwd         *instance.Secret `key:"passwd" doc:"The hash of the password, for a new user only."`
	HashedPasswd   *instance.Secret `key:"hashed_passwd" doc:"The hash of the password, also for a user who is there."`
	PlainPasswd    *instance.Secret `key:"plain_text_passwd" doc:"The password, also for a user who is there. Whoever may read the user-data can read it; a hash is better."`
	LockPasswd     conf.Truth       `key:"lock_passwd" doc:"Let nobody log in with a password; true where it is not given."`
	Sudo           ruleLines        `key:"sudo" doc:"Rules for sudo, such as ALL=(ALL) NOPASSWD:ALL."`
	Doas           ruleLines        `key:"doas" doc:"Rules for doas, such as permit nopass NAME."`
	AuthorizedKeys keyLines         `key:"ssh_authorized_keys" doc:"Public keys that the user may log in with."`
	ImportID       ruleLines        `key:"ssh_import_id" doc:"Accounts to take public keys from, such as gh:NAME; the module ssh_import_id does."`
	RedirectUser   string           `key:"ssh_redirect_user" doc:"true or default: whoever logs in as this user with one of the cloud's keys is told to log in as the default user."`
	SnapUser       string           `key:"snapuser" doc:"An address known to the snap store: make that account with snap, and nothing else."`
}

// TakesDashes says that ssh-authorized-keys means ssh_authorized_keys, as it did long ago.
func (*userKeys) TakesDashes() {}

var usersGroups = define(Module{
	Name: "users_groups", Stage: Init, Every: PerInstance, Needs: []string{"groupadd", "useradd", "usermod", "passwd", "chpasswd"},
	Doc: "Makes groups and users. A user who is there keeps all but the password, its lock, the sudo and doas rules, and the keys, which are added. " +
		"One that cannot be made does not stop the others.",
	Examples: []string{`groups:
  - admingroup: [root, sys]
  - cloud-users
users:
  - default
  - name: ada
    gecos: Ada Lovelace
    groups: [users, admingroup]
    sudo: ALL=(ALL) NOPASSWD:ALL
    shell: /bin/bash
    ssh_authorized_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUAAHaFPpjFc3OoMFY7t6lSkXdJfVfSBdMoCmbGyGYJ ada@example
  - name: backup
    system: true
`, "user: admin\n", "users: []\n"},
}, func(ctx context.Context, e *Env, _ *usersGroupsKeys) error {
	e.oldSpellings()
	e.emptyItems("groups")
	e.emptyItems("users")
	var all error
	for _, g := range e.groups() {
		all = errors.Join(all, e.Item(g.origin, g.key, func() error {
			notes, err := account.EnsureGroup(ctx, e.Machine, g.name, g.members)
			e.note(notes)
			return err
		}))
	}
	people, later := e.people(), e.laterPasswords()
	for _, p := range people {
		all = errors.Join(all, e.Item(p.origin, p.key, func() error { return e.ensure(ctx, p, people, later[p.name]) }))
	}
	return all
})

// ensure makes one user so. The password that another module will set later is not set twice.
func (e *Env) ensure(ctx context.Context, p person, people []person, later *account.Login) error {
	var k userKeys
	conf.Decode(e.onlyTexts(p), &k) // what is wrong with it is said already
	if err := k.check(p.name); err != nil {
		return err
	}
	a := k.account(p.name)
	a.Version, a.Later = e.Version, later
	if to := e.redirect(p, k, people); to != "" {
		a.Redirect, a.CloudKeys = to, e.Instance.PublicKeys()
	}
	notes, err := account.Ensure(ctx, e.Machine, a)
	e.note(notes)
	for _, r := range notes.Rejected {
		e.rejectKey(p, r)
	}
	return err
}

// rejectKey says which key was not taken: one of the user's, or one of the cloud's.
func (e *Env) rejectKey(p person, r account.Rejected) {
	problem := conf.Problem{Origin: p.origin, Path: p.key + ".ssh_redirect_user", Message: "among the cloud's keys, " + r.String(), Level: conf.Rejected}
	if own := p.config.Get("ssh_authorized_keys"); own != nil {
		problem.Origin, problem.Path, problem.Message = own.Origin, itemPath(p.key+".ssh_authorized_keys", r.Position-1), r.String()
		if own.Kind == conf.List && r.Position <= len(own.Items) {
			problem.Origin = own.Items[r.Position-1].Origin
		}
	}
	e.Problem(problem)
}

// note passes on what there is to say of a change.
func (e *Env) note(n account.Notes) {
	for _, info := range n.Infos {
		e.Info("%s", info)
	}
	for _, warning := range n.Warnings {
		e.Warn("%s", warning)
	}
}

// onlyTexts leaves out of what is wanted of a user what useradd could not be given: true and false where a text belongs.
func (e *Env) onlyTexts(p person) *conf.Value {
	texts := []string{"gecos", "homedir", "primary_group", "uid", "shell", "expiredate", "inactive", "selinux_user", "sudo", "groups"}
	config := p.config
	for _, pair := range p.config.Pairs {
		if pair.Value.Kind != conf.Bool || !slices.Contains(texts, pair.Key.Text) {
			continue
		}
		problem := conf.Problem{Origin: pair.Value.Origin, Path: p.key + "." + pair.Key.Text, Message: "want a string, have a boolean; it is left out", Level: conf.Warning}
		if pair.Key.Text == "sudo" && !pair.Value.Truth(true) {
			problem.Level, problem.Message = conf.Deprecated, fmt.Sprintf("The value of 'false' in user %s's 'sudo' config is deprecated in 22.2. Use 'null' instead.", p.name)
		}
		e.Problem(problem)
		config = without(config, pair.Key.Text)
	}
	return config
}

// check refuses what cannot go together: keys need a home, and a user whose logins are redirected has no keys.
func (k *userKeys) check(name string) error {
	var noHome, needHome []string
	for _, c := range []struct {
		list *[]string
		key  string
		set  bool
	}{
		{&noHome, "no_create_home", k.NoCreateHome}, {&noHome, "system", k.System},
		{&needHome, "ssh_authorized_keys", len(k.keys()) > 0}, {&needHome, "ssh_import_id", len(k.ImportID) > 0}, {&needHome, "ssh_redirect_user", k.redirects()},
	} {
		if c.set {
			*c.list = append(*c.list, c.key)
		}
	}
	switch {
	case noHome != nil && needHome != nil:
		return fmt.Errorf("Not creating user %s. Key(s) %s cannot be provided with %s", name, strings.Join(needHome, ", "), strings.Join(noHome, ", "))
	case k.redirects() && (k.keys() != nil || k.ImportID != nil):
		return fmt.Errorf("Not creating user %s. ssh_redirect_user cannot be provided with ssh_import_id or ssh_authorized_keys", name)
	case k.redirects() && k.RedirectUser != "True" && k.RedirectUser != "default":
		return fmt.Errorf("Not creating user %s. Invalid value of ssh_redirect_user: %s. Expected values: true, default or false.", name, k.RedirectUser)
	}
	return nil
}

// keys are the user's public keys; nil where none are given, and empty where a list without any is.
func (k *userKeys) keys() []string {
	if k.AuthorizedKeys.B != nil {
		return *k.AuthorizedKeys.B
	}
	if k.AuthorizedKeys.A == nil || *k.AuthorizedKeys.A == nil {
		return nil
	}
	lines := []string{}
	for _, named := range *k.AuthorizedKeys.A {
		lines = append(lines, named.Value)
	}
	return lines
}

func (k *userKeys) redirects() bool { return k.RedirectUser != "" && k.RedirectUser != "False" }

// redirect is whom those who use the cloud's keys for this user are told to log in as.
func (e *Env) redirect(p person, k userKeys, people []person) string {
	if !k.redirects() {
		return ""
	}
	for _, other := range people {
		if other.isDefault {
			return other.name
		}
	}
	e.Warn("Ignoring ssh_redirect_user: %s for %s. No default_user defined. Perhaps missing cloud configuration users:  [default, ..].", k.RedirectUser, p.name)
	return ""
}

// account is what the keys mean.
func (k *userKeys) account(name string) account.Account {
	return account.Account{Name: name, Gecos: k.Gecos, Home: k.Home, PrimaryGroup: k.PrimaryGroup, Groups: k.Groups, UID: k.UID, Shell: k.Shell,
		ExpireDate: k.ExpireDate, Inactive: k.Inactive, SELinuxUser: k.SELinuxUser, System: k.System, NoCreateHome: k.NoCreateHome, NoUserGroup: k.NoUserGroup,
		NoLogInit: k.NoLogInit, KeepGroups: !k.CreateGroups.Or(true), Passwd: k.Passwd, HashedPasswd: k.HashedPasswd, PlainPasswd: k.PlainPasswd,
		Unlocked: !k.LockPasswd.Or(true), Sudo: k.Sudo, Doas: k.Doas, Keys: k.keys(), SnapUser: k.SnapUser}
}

// oldSpellings says which spellings are deprecated.
func (e *Env) oldSpellings() {
	say := func(key, message string) {
		e.Problem(conf.Problem{Origin: e.Config.Get(key).Origin, Path: key, Message: message, Level: conf.Deprecated})
	}
	if v := e.Config.Get("user"); v != nil && v.Kind == conf.String {
		say("user", "'user' of type string is deprecated in 22.2. Use 'users' list instead.")
	}
	if v := e.Config.Get("users"); v != nil && (v.Kind == conf.String || v.Kind == conf.Map) {
		say("users", "'users' of this type is deprecated in 22.2. Use 'users' as a list.")
	}
}

// emptyItems says which items of a list are nothing.
func (e *Env) emptyItems(key string) {
	v := e.Config.Get(key)
	if v == nil || v.Kind != conf.List {
		return
	}
	for i, item := range v.Items {
		if item.IsNull() {
			e.Problem(conf.Problem{Origin: item.Origin, Path: itemPath(key, i), Message: "want a name or a mapping, have null", Level: conf.Rejected})
		}
	}
}

// itemPath is the path of an item in a list.
func itemPath(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }
