package source

import (
	"strings"
	"testing"

	"openguest/internal/instance"
)

// inWSL is a system in WSL with files below the folder of Windows' user.
func inWSL(t *testing.T, system string, files map[string]string) *world {
	says := windowsSays(`C:\Users\me`, "//wsl.localhost/Noble-MLKit/")
	says["landscape-config --help"] = "usage\n  --installation-request-id ID\n"
	return identifyCase{files: windows + drive + system + seedFiles(home, files), says: says}.world(t)
}

// Rows D23, D26. A system in WSL is given what its Windows user wrote for it: the file for this system before those for its
// release, its distribution and all, whatever letters are capitals.
func TestWSL(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"for this system": {".cloud-init/NOBLE-mlkit.user-data": "#!/bin/sh", ".cloud-init/ubuntu-24.04.user-data": "other", ".cloud-init/Noble-MLKit.meta-data": "instance-id: wsl-1\nlocal-hostname: pc"},
		"for the release": {".cloud-init/ubuntu-24.04.user-data": "#!/bin/sh", ".cloud-init/default.user-data": "other", ".ubuntupro/.cloud-init/Noble-MLKit.meta-data": "{instance-id: wsl-1, local-hostname: pc}", ".cloud-init/Noble-MLKit.meta-data": "instance-id: other"},
	} {
		w := inWSL(t, ubuntu, files)
		in, err := fetchWSL(t.Context(), w.env)
		if err != nil || in.ID != "wsl-1" || in.Hostname != "pc" || strings.TrimSpace(string(in.UserData)) != "#!/bin/sh" || w.warned() {
			t.Errorf("%s: it is %+v, %v, %q", name, in, err, w.logged)
			continue
		}
		if in.Detail != "DataSourceWSL" || in.CloudID() != "wsl" || in.Subplatform != "unknown" {
			t.Errorf("%s: it calls itself %q, %q, %q", name, in.Detail, in.CloudID(), in.Subplatform)
		}
		if !wsl().Check(t.Context(), w.env, in) || wsl().Check(t.Context(), w.env, &instance.Instance{ID: "other"}) || wsl().Check(t.Context(), w.env, &instance.Instance{}) {
			t.Errorf("%s: it is not known again, or another is", name)
		}
	}
}

// What Ubuntu Pro manages on a system comes from its agent and from Landscape, which know it by its id.
func TestWSLPro(t *testing.T) {
	const agent = "#cloud-config\nubuntu_pro: {token: t}\nlandscape: {client: {account_name: a, tags: theirs}}\n"
	const pro = ".ubuntupro/.cloud-init/"
	for name, c := range map[string]struct {
		system string
		files  map[string]string
		want   string
	}{
		"the agent alone": {ubuntu, map[string]string{pro + "agent.yaml": "#cloud-config\na: 1\n"}, "#cloud-config\na: 1\n"},
		"both": {ubuntu, map[string]string{pro + "agent.yaml": agent, ".cloud-init/default.user-data": "#cloud-config\nb: 1\nlandscape: {client: {tags: mine}}\n"},
			`{"b": 1, "ubuntu_pro": {"token": "t"}, "landscape": {"client": {"account_name": "a", "tags": "mine"}}}`},
		"Landscape in place of the user's": {ubuntu, map[string]string{pro + "agent.yaml": agent, pro + "Noble-MLKit.user-data": "#cloud-config\nc: 1\n", ".cloud-init/default.user-data": "#cloud-config\nb: 1\n"},
			`{"c": 1, "ubuntu_pro": {"token": "t"}, "landscape": {"client": {"account_name": "a", "tags": "theirs"}}}`},
		"a system with an id": {ubuntu, map[string]string{pro + "agent.yaml": agent, ".cloud-init/Noble-MLKit.meta-data": "instance-id: wsl-1"},
			`{"ubuntu_pro": {"token": "t"}, "landscape": {"client": {"account_name": "a", "tags": "theirs", "installation_request_id": "wsl-1"}}}`},
		"a script": {ubuntu, map[string]string{pro + "agent.yaml": agent, ".cloud-init/default.user-data": "#!/bin/sh\n"},
			"#include\n" + home + pro + "agent.yaml\n" + home + ".cloud-init/default.user-data\n"},
		"another distribution": {debian, map[string]string{pro + "agent.yaml": agent, ".cloud-init/default.user-data": "#!/bin/sh\n"}, "#!/bin/sh\n"},
	} {
		in, err := fetchWSL(t.Context(), inWSL(t, c.system, c.files).env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := string(in.UserData)
		if strings.HasPrefix(c.want, "{") {
			wantJSON(t, name, []byte(strings.TrimPrefix(text, "#cloud-config\n")), c.want)
		} else if strings.TrimSpace(text) != strings.TrimSpace(c.want) {
			t.Errorf("%s: it is %q, want %q", name, text, c.want)
		}
	}
}

// Where Windows says nothing, or nothing that makes sense, the system stays what it was.
func TestWSLInTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing is there": {map[string]string{".cloud-init/other": "x"}, "absent"},
		"no id":            {map[string]string{".cloud-init/default.user-data": "x", ".cloud-init/Noble-MLKit.meta-data": "a: 1"}, "silent"},
		"broken metadata":  {map[string]string{".cloud-init/default.user-data": "x", ".cloud-init/Noble-MLKit.meta-data": "["}, "silent"},
	} {
		if in, err := fetchWSL(t.Context(), inWSL(t, ubuntu, c.files).env); isOneOf(err) != c.want {
			t.Errorf("%s: it is %+v, %v", name, in, err)
		}
	}
	w := inWSL(t, ubuntu, nil)
	w.env.Machine.Commands = platform{w.env.Machine.Commands, nil}
	if _, err := fetchWSL(t.Context(), w.env); isOneOf(err) != "silent" || wsl().Check(t.Context(), w.env, &instance.Instance{ID: wslID}) {
		t.Errorf("with a Windows that does not answer: %v", err)
	}
	if _, err := fetchWSL(t.Context(), newWorld(t, "", "").env); isOneOf(err) != "absent" {
		t.Errorf("elsewhere: %v", err)
	}
}
