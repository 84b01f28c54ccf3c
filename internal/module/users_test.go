package module

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"openguest/internal/conf"
	"openguest/test/peer"
)

// TestPeople asks cloud-init itself, in the root of a Debian, which users and groups it makes of each way to write them: a
// user who is left out cannot log in. Row M25.
func TestPeople(t *testing.T) {
	tree := peer.Tree(t, cloudInit)
	const image = imageUser
	configs := []string{"{}" /* nobody */, "users: []" + image, "users: [default]" + image, "users: default" + image, "users: ada,default,bob" + image,
		"users: [ada, default, bob]" + image, "users: [[ada, bob], default, 'cee,dee', '']" + image, "users: {ada: true, bob: false, cee: {gecos: C}, default: on}" + image,
		"users: {ada: 'yes', bob: 'no', default: on}" + image, "users: [default]", "user: admin" + image, "user: {name: boss, groups: [x]}\nusers: [default]" + image,
		"user: {name: boss}\nusers: [ada]" + image, "user: {gecos: Other}\nusers: []" + image, "user: boss\nusers: {ada: true}" + image, "user: boss\nusers: {default: false}" + image,
		"user: boss\nusers: ada" + image, "user: ''\nusers: [default]" + image, "user: boss",
		"users:\n- {name: debian, groups: 'x,adm', uid: 7}\n- default\n- {name: default, homedir: /srv}" + image,
		"users:\n- {name: ada, gecos: A}\n- {name: bob}\n- {name: ada, gecos: B, uid: 5}" + image, "users:\n- {name: ada, no-create-home: true, ssh-authorized-keys: [k]}" + image,
		"users: null" + image,
		"groups: [a, b: [x, y], c: z, b: [w]]", "groups: a,b", "groups: {b: [y, x, y], a: 'q,p'}", "groups: [a, a]", "groups: []"}
	input, err := json.Marshal(configs)
	if err != nil {
		t.Fatal(err)
	}
	script := `import json, sys, yaml
from cloudinit.distros import ug_util
class Distro:
    def __init__(self, cfg): self.cfg = cfg
    def get_default_user(self): return (self.cfg.get("system_info") or {}).get("default_user")
out = []
for text in json.loads(sys.argv[1]):
    cfg = yaml.safe_load(yaml.dump(yaml.safe_load(text)))  # it reads the file that it wrote, where keys are sorted
    users, groups = ug_util.normalize_users_groups(cfg, Distro(cfg))
    out.append([list(users.items()), list(groups.items())])
print(json.dumps(out))`
	out, err := exec.Command("chroot", tree, "python3", "-c", script, string(input)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []any
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, text := range configs {
		if diff := cmp.Diff(want[i], normalized(t, text)); diff != "" {
			t.Errorf("%s\n(-cloud-init +ours):\n%s", text, diff)
		}
	}
}

// imageUser is how an image describes the default user.
const imageUser = `
system_info: {default_user: {name: debian, groups: [adm, sudo], gecos: Debian, shell: /bin/bash}}`

// TestDefaultUser has what cloud-init makes of the default user since 23: what people say of it comes before what the
// image says, which 22.4 did the other way round. Row M25.
func TestDefaultUser(t *testing.T) {
	for text, want := range map[string]map[string]any{
		"users: {ada: true, default: {gecos: x}}": {"groups": "adm,sudo", "gecos": "x", "shell": "/bin/bash"},
		"users:\n- {name: debian, groups: 'x,adm', gecos: Mine}\n- default\n- {name: default, shell: /bin/zsh, gecos: Yours}": {
			"groups": "adm,sudo,x", "gecos": "Mine", "shell": "/bin/zsh"},
		"users: [{gecos: nameless, groups: [g]}]":                    {"groups": "adm,sudo", "gecos": "nameless", "shell": "/bin/bash"},
		"users: [default, {name: debian, groups: [y], shell: null}]": {"groups": "adm,sudo,y", "gecos": "Debian", "shell": nil},
	} {
		users := normalized(t, text+imageUser).([]any)[0].([]any)
		last := users[len(users)-1].([]any)
		want["default"] = true
		if diff := cmp.Diff([]any{"debian", want}, last); diff != "" {
			t.Errorf("%s\n(-want +got):\n%s", text, diff)
		}
	}
}

// normalized is the people and groups of a configuration in the form that cloud-init has for them.
func normalized(t *testing.T, text string) (result any) {
	config, _, err := conf.Parse("user-data", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := &Env{Config: config}
	users, groups := []any{}, []any{}
	for _, p := range e.people() {
		wanted := p.config.Data().(map[string]any)
		wanted["default"] = p.isDefault
		users = append(users, []any{p.name, wanted})
	}
	for _, g := range e.groups() {
		members := g.members
		if members == nil {
			members = []string{}
		}
		groups = append(groups, []any{g.name, members})
	}
	data, err := json.Marshal([]any{users, groups})
	if err == nil {
		err = json.Unmarshal(data, &result)
	}
	if err != nil {
		t.Fatal(err)
	}
	return result
}
