package source

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"sync"
	"time"

	"openguest/internal/conf"
	"openguest/internal/instance"
	"openguest/internal/machine"
)

// A client asks one cloud.
type client struct {
	e      *Env
	base   string            // the address that answers, without a slash at its end
	method string            // empty: GET
	header map[string]string // of every request
	low    bool              // ask as only root can, see machine.Request
	limits limits
	ahead  []string // folders that are likely in meta-data: they are asked for before it has named them

	// sign, where it is set, gives the headers of each single request.
	sign func() map[string]string

	// renew, where it is set, gives other headers for the time after an answer 401: a token may expire while we ask.
	renew    func(ctx context.Context) (map[string]string, error)
	renewing sync.Mutex
}

// request is a question for what is below the base.
func (c *client) request(name string) machine.Request {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	header := c.header
	if c.sign != nil {
		header = c.sign()
	}
	return machine.Request{URL: join(c.base, name), Method: c.method, Header: header, Low: c.low, Tries: c.limits.tries, Timeout: c.limits.timeout, Wait: c.limits.pause}
}

// join puts a name behind an address.
func join(base, name string) string {
	return strings.TrimSuffix(base, "/") + "/" + strings.TrimPrefix(name, "/")
}

// headStartOfAddress is how long the first of several addresses is alone, as in RFC 8305.
const headStartOfAddress = 150 * time.Millisecond

// first asks for one name at several addresses, each a little later than the one before it, and settles on the first that
// answers. It asks again until the wait is over; an answer that refuses ends the asking at its address.
func (c *client) first(ctx context.Context, name string, bases ...string) (machine.Response, error) {
	ctx, cancel := within(ctx, c.limits.opening())
	defer cancel()
	type outcome struct {
		base   string
		answer machine.Response
		err    error
	}
	outcomes := make(chan outcome, len(bases))
	for i, base := range bases {
		go func() {
			if err := machine.Pause(ctx, time.Duration(i)*headStartOfAddress); err != nil {
				outcomes <- outcome{base: base, err: err}
				return
			}
			r := (&client{base: base, method: c.method, header: c.header, sign: c.sign, limits: c.limits}).request(name)
			if r.Tries = 1; c.limits.wait > 0 {
				r.Tries = 1 << 20
			}
			answer, err := c.e.Machine.Net.Fetch(ctx, r)
			outcomes <- outcome{base, answer, err}
		}()
	}
	var errs []error
	for range bases {
		o := <-outcomes
		if o.err == nil {
			c.base = o.base
			return o.answer, nil
		}
		if errs = append(errs, o.err); c.method != "" && isRefusal(o.err) {
			break // who refuses a token speaks for the other addresses too
		}
	}
	return machine.Response{}, fmt.Errorf("%w: %w", ErrSilent, inALine(errs))
}

// inALine are several errors as one that has no line break in it.
func inALine(errs []error) (all error) {
	for _, err := range errs {
		if all == nil {
			all = err
			continue
		}
		all = fmt.Errorf("%w; %w", all, err)
	}
	return all
}

// isRefusal says that a server answered, and will answer so again.
func isRefusal(err error) bool {
	var status *machine.StatusError
	return errors.As(err, &status) && status.Status/100 == 4 && status.Status != 408 && status.Status != 429
}

// nearAddresses are where most clouds have their metadata, through a network that early made. IPv4 comes first: where the
// link's own addresses lead nowhere, asking there costs a head start.
func (e *Env) nearAddresses(n *Early) (addresses []string) {
	link := n.Link
	if nics := machine.FallbackNICs(e.Machine.Facts.NICs()); link == "" && len(nics) > 0 {
		link = nics[0].Name
	}
	if n.Link == "" || n.Lease != nil {
		addresses = append(addresses, linkLocalBase)
	}
	if link != "" && (n.Link == "" || n.LinkLocal.IsValid()) {
		addresses = append(addresses, "http://[fe80::a9fe:a9fe%25"+link+"]")
	}
	return addresses
}

// get is what the cloud says under a name. Where there is no such thing the error is an ErrNone.
func (c *client) get(ctx context.Context, name string) ([]byte, error) {
	r := c.request(name)
	answer, err := c.e.Machine.Net.Fetch(ctx, r)
	var status *machine.StatusError
	if c.renew != nil && errors.As(err, &status) && status.Status == 401 {
		if r.Header, err = c.renewed(ctx, r.Header); err == nil {
			answer, err = c.e.Machine.Net.Fetch(ctx, r)
		}
	}
	return answer.Body, err
}

// renewed are the headers that take the place of refused ones. Of several requests that were refused at the same time,
// only the first asks for them.
func (c *client) renewed(ctx context.Context, refused map[string]string) (map[string]string, error) {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	if maps.Equal(c.header, refused) {
		header, err := c.renew(ctx)
		if err != nil {
			return nil, err
		}
		c.header = header
	}
	return c.header, nil
}

// each is what the cloud says under each of several names, asked for at the same time: a body or an error.
func (c *client) each(ctx context.Context, names ...string) ([][]byte, []error) {
	bodies, errs := make([][]byte, len(names)), make([]error, len(names))
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() { bodies[i], errs[i] = c.get(ctx, name) })
	}
	asking.Wait()
	return bodies, errs
}

// all is what the cloud says under several names, asked for at the same time. What is not there is left out; the error is
// that of the first name which could not be had for another reason.
func (c *client) all(ctx context.Context, names ...string) (map[string][]byte, error) {
	bodies, errs := c.each(ctx, names...)
	found := map[string][]byte{}
	for i, name := range names {
		switch {
		case errs[i] == nil:
			found[name] = bodies[i]
		case !errors.Is(errs[i], machine.ErrNone):
			return nil, fmt.Errorf("%w: %w", ErrSilent, errs[i])
		}
	}
	return found, nil
}

// object reads a JSON object out of an answer. A page of a captive portal is none.
func object(where string, body []byte) (map[string]any, error) {
	data, err := conf.ReadJSON(body)
	m, ok := data.(map[string]any)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: read %s: %w", ErrSilent, where, err)
	case !ok:
		return nil, fmt.Errorf("%w: read %s: it should be a JSON object, but is another value", ErrSilent, where)
	}
	return m, nil
}

// The limits of a tree of metadata: no cloud comes near them, and nobody in its place can fill the memory.
const (
	treeNames    = 2000
	treeDepth    = 12
	treeRequests = 32 // at the same time: a machine with two interfaces has some 80 names, seven folders deep
)

// A walk reads a tree of metadata as EC2 serves it: a folder lists its names line by line, those of folders with a slash.
type walk struct {
	client *client
	ctx    context.Context
	slots  chan struct{}
	mutex  sync.Mutex
	names  int
	err    error
	skip   func(name string) bool
	ahead  map[string]func() ([]byte, error) // what was asked for already
}

// tree is all that is below a folder: folders as maps, values as texts, lists of lines, or what their JSON says. What skip
// names is left out; nil skips nothing. Folders that are likely there are asked for ahead of their names.
func (c *client) tree(ctx context.Context, root string, skip func(name string) bool, ahead ...string) (map[string]any, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what was asked for in vain
	w := &walk{client: c, ctx: ctx, slots: make(chan struct{}, treeRequests), skip: skip, ahead: map[string]func() ([]byte, error){}}
	for _, name := range ahead {
		w.askAhead(path.Join(root, name) + "/")
	}
	m := w.folder(strings.TrimSuffix(root, "/")+"/", 0)
	return m, w.err
}

// askAhead asks for a name that the tree may have. Where it has not, the answer is never looked at.
func (w *walk) askAhead(name string) {
	answered := make(chan struct{})
	var body []byte
	var err error
	go func() {
		defer close(answered)
		body, err = w.client.get(w.ctx, name)
	}()
	w.ahead[name] = func() ([]byte, error) {
		<-answered
		return body, err
	}
}

// get is what stands under a name, asked for now or before.
func (w *walk) get(name string) ([]byte, error) {
	if answer := w.ahead[name]; answer != nil {
		return answer()
	}
	w.slots <- struct{}{}
	defer func() { <-w.slots }()
	return w.client.get(w.ctx, name)
}

func (w *walk) fail(err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.err = cmp.Or(w.err, fmt.Errorf("%w: %w", ErrSilent, err))
}

// read asks for one name, when it is its turn.
func (w *walk) read(name string) ([]byte, bool) {
	w.mutex.Lock()
	w.names++
	failed, many := w.err != nil, w.names > treeNames
	w.mutex.Unlock()
	if many {
		w.fail(fmt.Errorf("read the tree below %s: it has more than %d names", w.client.base, treeNames))
	}
	if failed || many {
		return nil, false
	}
	body, err := w.get(name)
	if err != nil && !errors.Is(err, machine.ErrNone) {
		w.fail(err)
	}
	return body, err == nil
}

// folder reads a folder and, all at the same time, what is in it.
func (w *walk) folder(at string, depth int) map[string]any {
	body, ok := w.read(at)
	if !ok || depth > treeDepth {
		return map[string]any{}
	}
	if depth == 0 && strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
		w.fail(fmt.Errorf("read %s: it should be a list of names, but is a web page", join(w.client.base, at)))
		return map[string]any{}
	}
	all := map[string]any{}
	var mutex sync.Mutex
	var reading sync.WaitGroup
	entries := 0
	for line := range strings.Lines(string(body)) {
		key, name, folder := entryOf(strings.TrimSpace(line))
		if key == "" || w.skip != nil && w.skip(path.Join(at, name)) {
			continue
		}
		name = escapeName(name)
		if entries++; entries > treeNames {
			w.fail(fmt.Errorf("read %s: it lists more than %d names", at, treeNames))
			break
		}
		reading.Go(func() {
			value, ok := w.value(at+name, folder, depth)
			mutex.Lock()
			defer mutex.Unlock()
			if _, there := all[key]; ok && (folder || !there) {
				all[key] = value
			}
		})
	}
	reading.Wait()
	return all
}

// entryOf is what a line of a folder stands for: the key that it gets, and the name that it is asked by. A line "0=name" is
// a public key, which is one folder deeper.
func entryOf(line string) (key, name string, folder bool) {
	if number, key, ok := strings.Cut(line, "="); ok && number != "" && strings.Trim(number, "0123456789") == "" {
		return key, number + "/openssh-key", false
	}
	key = strings.TrimSuffix(line, "/")
	if strings.Contains(key, "/") || key == "." || key == ".." {
		return "", "", false
	}
	return key, line, strings.HasSuffix(line, "/")
}

func (w *walk) value(name string, folder bool, depth int) (any, bool) {
	if folder {
		return w.folder(name, depth+1), true
	}
	body, ok := w.read(name)
	return leaf(body), ok
}

// escapeName writes a name, such as a person's own for a tag, as it may stand in an address.
func escapeName(name string) string {
	return escapeIllegal(strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(name))
}

// leaf is the value that a text stands for: what its JSON says, a list of its lines, or the text itself.
func leaf(body []byte) any {
	text := strings.ToValidUTF8(string(body), "\uFFFD")
	if inside := strings.TrimSpace(text); strings.HasPrefix(inside, "{") {
		if data, err := conf.ReadJSON([]byte(inside)); err == nil {
			return data
		}
	}
	if !strings.Contains(text, "\n") {
		return text
	}
	var lines []any
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines
}

// vendorData is what a cloud's JSON means for us: a text is the data; of an object the value of "cloud-init" is; a list is an
// archive of parts. What says nothing is nil.
func vendorData(e *Env, where string, data any) []byte {
	if m, ok := data.(map[string]any); ok {
		data = m["cloud-init"]
	}
	switch data := data.(type) {
	case nil:
		return nil
	case string:
		return []byte(data)
	case []any:
		return []byte("#cloud-config-archive\n" + conf.JSON(data) + "\n")
	}
	e.warn("Invalid content in vendor-data: %s: what stands at cloud-init should be a text or a list", where)
	return nil
}

// keyLines are public keys out of plain data: a text with a line for each, a list, or a map from names to either.
func keyLines(e *Env, where string, data any) []instance.Key {
	return keysOf(e, conf.Of(data, conf.Origin{Part: where}))
}

// isIdentity says whether what a cloud gave as the id of a machine can be one. A web page or a sentence is none.
func isIdentity(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' })
}

// unbase64 is what data stands for that some people give encoded and others as it is. Only what is base64 to the last byte
// is taken for it.
func unbase64(data []byte) []byte {
	plain, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil || bytes.ContainsAny(data, "\r\n") {
		return data
	}
	return plain
}

// detail is how a source describes itself that says no more than its name. cloud-init has a second class of it for the
// time before the network is up.
func (e *Env) detail(name string) string {
	if e.Stage == Local {
		name += "Local"
	}
	return "DataSource" + name
}
