package source

import (
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// gceAccounts are the people of the attributes ssh-keys, as Google's agent reads them: a line is NAME:KEY. The project's
// count too, unless the instance blocks them, or has the old attribute sshKeys. Whether a name and a key are good, and until
// when, is for who makes the accounts. See https://cloud.google.com/compute/docs/connect/add-ssh-keys.
func gceAccounts(own, project *conf.Value) (all []instance.Account) {
	texts := []string{scalar(own.Get("ssh-keys")), scalar(own.Get("sshKeys"))}
	if blocked, _ := strconv.ParseBool(scalar(own.Get("block-project-ssh-keys"))); !blocked && texts[1] == "" {
		texts = append(texts, scalar(project.Get("ssh-keys")), scalar(project.Get("sshKeys")))
	}
	for line := range strings.Lines(strings.Join(texts, "\n")) {
		name, key, ok := strings.Cut(strings.TrimSpace(line), ":")
		if key = strings.TrimSpace(key); !ok || name == "" || key == "" {
			continue
		}
		at := slices.IndexFunc(all, func(a instance.Account) bool { return a.Name == name })
		if at < 0 {
			at, all = len(all), append(all, instance.Account{Name: name})
		}
		if !slices.Contains(all[at].Keys, key) {
			all[at].Keys = append(all[at].Keys, key)
		}
	}
	return all
}
