package metadata

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// A Client talks to the admin API of a server that runs.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client for a socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// ErrChanged says that an object is not as it was when it was read.
var ErrChanged = errors.New("it was changed meanwhile")

// call sends one request and gives the body and the revision.
func (c *Client) call(ctx context.Context, method, path string, body []byte, match string) ([]byte, int64, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	a, err := c.http.Do(r)
	if err != nil {
		return nil, 0, fmt.Errorf("nothing answers at %s: %w; start `openguest-host serve` with the same --data", c.socket, errors.Unwrap(err))
	}
	defer a.Body.Close() // it was read
	got, err := io.ReadAll(a.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("the server's answer broke off: %w", err)
	}
	if a.StatusCode >= http.StatusBadRequest {
		return nil, 0, refusal(a.StatusCode, got)
	}
	tag, err := strconv.Unquote(a.Header.Get("ETag"))
	if err != nil {
		return got, 0, nil // not every answer has a revision
	}
	revision, err := strconv.ParseInt(tag, 10, 64)
	return got, revision, err
}

// refusal is what the server said is wrong.
func refusal(status int, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("the server answered %d", status)
	}
	if status == http.StatusPreconditionFailed {
		return fmt.Errorf("%s (%w)", said.Error, ErrChanged)
	}
	return errors.New(said.Error)
}

// place is an object's path: the project's, where the name is "project".
func place(name string) string {
	if name == projectKey {
		return "/v1/project"
	}
	return "/v1/instances/" + url.PathEscape(name)
}

// Get reads an instance, or the project, and its revision.
func (c *Client) Get(ctx context.Context, name string) ([]byte, int64, error) {
	return c.call(ctx, http.MethodGet, place(name), nil, "")
}

// Put writes an instance, or the project, where it still has the revision.
func (c *Client) Put(ctx context.Context, name string, value []byte, revision int64) error {
	_, _, err := c.call(ctx, http.MethodPut, place(name), value, etag(revision))
	return err
}

// Written reads what an instance said of itself.
func (c *Client) Written(ctx context.Context, name string) ([]byte, error) {
	got, _, err := c.call(ctx, http.MethodGet, place(name)+"/written", nil, "")
	return got, err
}

// Instances lists the names of all instances.
func (c *Client) Instances(ctx context.Context) (names []string, err error) {
	got, _, err := c.call(ctx, http.MethodGet, "/v1/instances", nil, "")
	var all []struct{ Name string }
	if err == nil {
		err = json.Unmarshal(got, &all)
	}
	for _, one := range all {
		names = append(names, one.Name)
	}
	return names, err
}

// Delete removes an instance and what it said of itself.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, _, err := c.call(ctx, http.MethodDelete, place(name), nil, "")
	return err
}

// Import writes many objects, all or none.
func (c *Client) Import(ctx context.Context, in Import) error {
	body, err := json.Marshal(in)
	if err == nil {
		_, _, err = c.call(ctx, http.MethodPost, "/v1/import", body, "")
	}
	return err
}

// Requests lists what an instance asked for (all of them where the name is empty) after a number.
func (c *Client) Requests(ctx context.Context, instance string, after uint64) (all []Request, err error) {
	query := url.Values{"instance": {instance}, "after": {strconv.FormatUint(after, 10)}}
	got, _, err := c.call(ctx, http.MethodGet, "/v1/requests?"+query.Encode(), nil, "")
	if err == nil {
		err = json.Unmarshal(got, &all)
	}
	return all, err
}

// Faults lists the faults that are set.
func (c *Client) Faults(ctx context.Context) (all []Fault, err error) {
	got, _, err := c.call(ctx, http.MethodGet, "/v1/faults", nil, "")
	if err == nil {
		err = json.Unmarshal(got, &all)
	}
	return all, err
}

// AddFault sets one.
func (c *Client) AddFault(ctx context.Context, f Fault) error {
	body, err := json.Marshal(f)
	if err == nil {
		_, _, err = c.call(ctx, http.MethodPost, "/v1/faults", body, "")
	}
	return err
}

// ClearFaults removes all.
func (c *Client) ClearFaults(ctx context.Context) error {
	_, _, err := c.call(ctx, http.MethodDelete, "/v1/faults", nil, "")
	return err
}

// Metrics reads the numbers, in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	got, _, err := c.call(ctx, http.MethodGet, "/metrics", nil, "")
	return got, err
}
