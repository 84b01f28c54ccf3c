package userdata

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
)

// Row U16: who gave a text that means nothing is told what was probably meant, and nobody is told what was in it.
func TestHints(t *testing.T) {
	config := "#cloud-config\npassword: hunter2\n"
	header, late, key := "did you mean #cloud-config?", "the line #cloud-config must be the first", "put #cloud-config in the first line"
	windows := "this is for Windows"
	for _, test := range []struct{ text, hint string }{
		{"# cloud-config\npassword: hunter2\n", header},
		{"#cloud_config\npassword: hunter2\n", header},
		{"#cloudconfig\npassword: hunter2\n", header},
		{"##cloud-config\npassword: hunter2\n", header},
		{"cloud-config:\npassword: hunter2\n", header},
		{"#clod-config\npassword: hunter2\n", header},
		{"#cloud-boot-hook\necho hunter2\n", "did you mean #cloud-boothook?"},
		{"# !/bin/sh\necho hunter2\n", "did you mean #!?"},
		{"##template: jinja\n#cloud-config\npassword: hunter2\n", "did you mean ## template: jinja?"},
		{"---\n" + config, late},
		{"# hunter2's machines\n\n" + config, late},
		{"%YAML 1.1\n---\n" + config, late},
		{"password: hunter2\n", key},
		{"\n# hunter2\nusers:\n- name: hunter2\n", key},
		{`{"users": ["hunter2"]}`, key},
		{"{\n  \"password\": \"hunter2\"\n}", key},
		{`{"hunter2": 1}`, "if this JSON is a configuration, put #cloud-config in a line before it"},
		{"version: 2\nethernets: {}\n# hunter2", "this looks like a network configuration"},
		{"instance-id: hunter2\n", "this looks like meta-data"},
		{"\xef\xbb\xbf" + config, "byte order mark"},
		{"\xff\xfe#\x00c\x00hunter2", "UTF-16"},
		{"\x7fELF\x00hunter2", "binary data"},
		{base64.StdEncoding.EncodeToString([]byte(config)), "base64 of user-data"},
		{packed(config)[:25], "ends too early"},
		{"<!DOCTYPE html>\n<p>hunter2", "HTML page"},
		{"<html>hunter2", "HTML page"},
		{"<powershell>\n$p = 'hunter2'\n</powershell>", windows},
		{"#ps1_sysnative\n$p = 'hunter2'\n", windows},
		{"#upstart-job\nexec hunter2\n", "systemd unit"},
		{`{"ignition": {"version": "3.0.0"}, "x": "hunter2"}`, "Ignition"},
		{"Content-Type: multipart/mixed; boundary=b\n\nhunter2", "MIME-Version: 1.0"},
		{"ssh-ed25519 hunter2", "ssh_authorized_keys"},
		{"hunter2", firstLineIs},
		{"# hunter2\n", firstLineIs},
	} {
		got, err := Process(context.Background(), Document{Name: "user-data", Data: []byte(test.text)}, Outside{})
		if err != nil || len(got.Problems) != 1 || len(got.Parts) != 1 {
			t.Errorf("%q: want one part with one problem, have %v (%v)", test.text, got, err)
			continue
		}
		problem := got.Problems[0].Error()
		if !strings.Contains(problem, test.hint) {
			t.Errorf("%q: want the hint %q, have %s", test.text, test.hint, problem)
		}
		if !strings.Contains(problem, "Unhandled non-multipart (text/x-not-multipart) userdata: '") {
			t.Errorf("%q: tools do not find the warning that they look for in %s", test.text, problem)
		}
		if strings.Contains(problem+got.Parts[0].Reason, "hunter2") {
			t.Errorf("%q: the problem tells the secret: %s", test.text, problem)
		}
	}
}

// What is only nearly right and works must not be complained about.
func TestNoHintForWhatWorks(t *testing.T) {
	for _, text := range []string{"#cloud-config: x\na: 1\n", "#Cloud-Config\na: 1\n", "\n  #cloud-config\na: 1", "#cloud-config   \r\na: 1\r\n", "#! /bin/sh\n", "", " \n"} {
		got, err := Process(context.Background(), Document{Name: "user-data", Data: []byte(text)}, Outside{})
		blank := strings.TrimSpace(text) == "" && text != ""
		if err != nil || (len(got.Problems) != 0) != blank {
			t.Errorf("%q: %v, %v", text, got.Problems, err)
		}
	}
}
