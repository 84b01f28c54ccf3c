package source

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// oldest is the version of EC2's tree that clouds have which serve no other.
const oldest = "2009-04-04"

// awaitsKeys says whether an instance of a cloud that serves only the oldest version is to be given its key later: it is a new
// one without a key, or nobody has put the key in its place since.
func (e *Env) awaitsKeys(in *instance.Instance) bool {
	if e.Last == nil || e.Last.ID != in.ID {
		return len(in.Keys) == 0
	}
	return e.Last.AwaitsKeys
}

// askForKeys asks for the first key at the addresses of a source, once. Some servers list no keys, or only when there is one.
func askForKeys(source string, own ...string) func(context.Context, *Env) ([]instance.Key, error) {
	return func(ctx context.Context, e *Env) ([]instance.Key, error) {
		c := &client{e: e, limits: limits{timeout: treeTimeout}}
		answer, err := c.first(ctx, oldest+"/meta-data/public-keys/0/openssh-key", e.addresses(source, own...)...)
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(string(answer.Body))
		switch {
		case text == "":
			return nil, fmt.Errorf("get %s: the answer is empty", answer.URL)
		case text[0] == '<':
			return nil, fmt.Errorf("get %s: the answer is a web page", answer.URL)
		}
		return keyLines(e, answer.URL, text), nil
	}
}

// KeyTries are how often the keys of a source are asked for again, and how long to wait in between: key_retries and
// sec_between_key_retries of its configuration.
func KeyTries(e *Env, source string) (tries int, pause time.Duration) {
	c := e.config(source)
	tries = 30
	if n, err := strconv.Atoi(scalar(c.Get("key_retries"))); err == nil && n >= 0 {
		tries = n
	}
	return tries, seconds(c.Get("sec_between_key_retries"), 5*time.Second)
}

// speaksEC2 says whether a cloud without OpenStack's own tree has EC2's, in its oldest version.
func (c *client) speaksEC2(ctx context.Context, addresses []string) bool {
	_, err := c.first(ctx, oldest+"/meta-data/instance-id", addresses...)
	return err == nil
}

// openStackOfEC2 is the instance that EC2's tree describes where OpenStack's own is not there. A machine that was somebody
// else before stays it: the tree may only be gone for a moment, and has other ids.
func (c *client) openStackOfEC2(ctx context.Context) (*instance.Instance, error) {
	t, err := c.newest(ctx, false, oldest)
	if err != nil {
		return nil, err
	}
	in := t.instance(c.e, "OpenStack", c)
	if last := c.e.Last; last != nil && last.Source == in.Source && last.ID != in.ID {
		return nil, fmt.Errorf("%w: %s has no tree /openstack any more, and EC2's has another instance than %s", ErrSilent, machine.PublicURL(c.base), last.ID)
	}
	in.Keys = keyLines(c.e, in.Subplatform, t.meta["public-keys"])
	in.LaunchIndex = indexOf(conf.Of(t.meta["ami-launch-index"], conf.Origin{}))
	in.Tree = map[string]any{"ec2_metadata": t.meta}
	in.AwaitsKeys = c.e.awaitsKeys(in)
	return in, nil
}
