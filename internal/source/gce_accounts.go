package source

import (
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/instance"
)

// gceKeyLines are the lines NAME:KEY of the attributes ssh-keys that count, in cloud-init's order. The project's count too, unless
// the instance blocks them, or has the old attribute sshKeys. See https://cloud.google.com/compute/docs/connect/restrict-ssh-keys.
func gceKeyLines(own, project *conf.Value) (lines []string) {
	texts := []string{scalar(own.Get("sshKeys")), scalar(own.Get("ssh-keys"))}
	if texts[0] == "" && !isBlocked(scalar(own.Get("block-project-ssh-keys"))) {
		texts = append(texts, scalar(project.Get("ssh-keys")), scalar(project.Get("sshKeys")))
	}
	for _, text := range texts {
		lines = append(lines, strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })...)
	}
	return lines
}

// isBlocked reads block-project-ssh-keys as Google's agent does, which takes 1, t and T as well, and as cloud-init and Google's older
// agent, for which "true" is so in whatever case.
func isBlocked(text string) bool {
	blocked, _ := strconv.ParseBool(strings.ToLower(text))
	return blocked
}

// gceAccounts are the people of these lines, as Google's agent reads them. Whether a name and a key are good, and until when, is
// for who makes the accounts.
func gceAccounts(lines []string) (all []instance.Account) {
	for _, line := range lines {
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
