package source

import (
	"context"
	"fmt"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

// passwordConfig asks a password server, as CloudStack has it, for a password that was set since somebody last asked, and
// tells it that we have it. It gives the configuration that sets it for the default user; nil where there is none. What
// goes wrong costs the password, and is said. See
// https://docs.cloudstack.apache.org/en/latest/adminguide/templates/_password.html.
func (c *client) passwordConfig(ctx context.Context, address string) []byte {
	password, err := c.passwordServer(ctx, address, "send_my_password")
	if err != nil {
		c.e.warn("no password is set: %v", err)
		return nil
	}
	switch {
	case password == "" || password == "saved_password":
		return nil
	case password == "bad_request" || len(password) > 256 || strings.ContainsAny(password, "\n\r<>"):
		c.e.warn("no password is set: get %s: the answer is no password", machine.PublicURL(address))
		return nil
	}
	if _, err := c.passwordServer(ctx, address, "saved_password"); err != nil {
		c.e.warn("the password server was not told that the password is set, and will give it to whoever asks: %v", err)
	}
	return []byte("#cloud-config\n" + conf.JSON(map[string]any{
		"ssh_pwauth": true, "password": password, "chpasswd": map[string]any{"expire": false},
	}) + "\n")
}

func (c *client) passwordServer(ctx context.Context, address, wish string) (string, error) {
	answer, err := c.e.Machine.Net.Fetch(ctx, machine.Request{
		URL: address, Header: map[string]string{"DomU_Request": wish}, Tries: 3, Timeout: min(c.limits.timeout, treeTimeout), Wait: time.Second, Limit: 64 << 10,
	})
	if err != nil {
		return "", fmt.Errorf("ask the password server: %w", err)
	}
	return strings.TrimSpace(string(answer.Body)), nil
}
