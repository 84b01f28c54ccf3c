package machine

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// liveNet reaches other machines over http and https, and the system's own files.
type liveNet struct {
	files     Files
	ledger    *Ledger
	onlyAsks  bool // who plans tells nobody anything: what tells something is written down, and POST put off
	transport func() http.RoundTripper
}

func newLiveNet(files walked) Net {
	n := liveNet{files: files.quiet(), ledger: files.ledger}
	n.transport = sync.OnceValue(n.newTransport)
	return n
}

// newTransport is made at the first request: a program that asks for nothing need not wait for it.
func (n liveNet) newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:           proxyFor,
		TLSClientConfig: &tls.Config{GetClientCertificate: n.clientCertificate},
		IdleConnTimeout: 10 * time.Second,
	}
}

// A StatusError is an answer that is not the thing asked for. Statuses 404 and 410 are an ErrNone too.
type StatusError struct {
	URL    string // without user and query
	Status int
	Date   time.Time // by the server's clock; zero where it does not say
}

// Error names the URL and the status.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("get %s: the server answered %d %s", e.URL, e.Status, http.StatusText(e.Status)))
}

// Is says that what is not found is not there.
func (e *StatusError) Is(target error) bool {
	return target == ErrNone && (e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

// What a request that sets nothing gets.
const (
	defaultTimeout = 10 * time.Second
	defaultWait    = time.Second
	defaultLimit   = 32 << 20
	longestWait    = 60 * time.Second // whatever a server asks for
	userAgent      = "Cloud-Init/openguest"
	maxRedirects   = 5
)

// Fetch gets what a URL, or the name of a file, stands for. Errors do not show the user and the query of the URL.
func (n liveNet) Fetch(ctx context.Context, r Request) (Response, error) {
	r.Tries, r.Timeout = max(r.Tries, 1), cmp.Or(r.Timeout, defaultTimeout)
	r.Wait, r.Limit = cmp.Or(r.Wait, defaultWait), cmp.Or(r.Limit, defaultLimit)
	r.URL = strings.TrimSpace(r.URL)
	if n.onlyAsks && r.Method == http.MethodPost {
		return Response{}, fmt.Errorf("tell %s: %w", PublicURL(r.URL), ErrDeferred)
	}
	if name, ok := localFile(r.URL); ok {
		return n.readFile(name, r)
	}
	if !strings.Contains(r.URL, "://") {
		r.URL = "http://" + r.URL
	}
	target, err := url.Parse(r.URL)
	switch {
	case err != nil || target.Host == "":
		return Response{}, fmt.Errorf("get %s: this is not a URL", PublicURL(r.URL))
	case target.Scheme != "http" && target.Scheme != "https":
		return Response{}, fmt.Errorf("get %s: %s is not supported yet; use http, https or a file", PublicURL(r.URL), target.Scheme)
	}
	if r.Tells == "" {
		return n.retry(ctx, r, target)
	}
	return n.tell(ctx, r, target)
}

// tell makes a request that changes something at the server, and writes it down.
func (n liveNet) tell(ctx context.Context, r Request, target *url.URL) (answer Response, err error) {
	if !n.onlyAsks {
		answer, err = n.retry(ctx, r, target)
	}
	if err == nil {
		n.ledger.add(Entry{Kind: KindTell, Detail: PublicURL(r.URL) + " " + r.Tells})
	}
	return answer, err
}

// localFile is the name of a file that a URL means.
func localFile(raw string) (name string, ok bool) {
	if strings.HasPrefix(raw, "/") {
		return raw, true
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !strings.EqualFold(scheme, "file") {
		return "", false
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end]
	}
	_, name, _ = strings.Cut(rest, "/") // before it may stand a host
	return "/" + name, true
}

func (n liveNet) readFile(name string, r Request) (Response, error) {
	found, err := lookThrough(n.files, name)
	if err == nil && !found.Mode.IsRegular() {
		err = fmt.Errorf("it is %s", kindOf(found))
	}
	var body string
	if err == nil {
		body, err = n.files.Read(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Response{}, fmt.Errorf("read %s: %w", name, ErrNone)
	case err != nil:
		return Response{}, fmt.Errorf("read %s: %w", name, bare(err))
	case int64(len(body)) > r.Limit:
		return Response{}, fmt.Errorf("read %s: it has more than %d bytes", name, r.Limit)
	}
	return Response{Status: http.StatusOK, Header: map[string]string{}, Body: []byte(body), URL: PublicURL(r.URL)}, nil
}

// A passing error may not be there at the next try.
type passing struct {
	error
	wait time.Duration // what the server asks us to wait; 0 where it does not
}

func (p passing) Unwrap() error { return p.error }

// retry tries as often as the request allows.
func (n liveNet) retry(ctx context.Context, r Request, target *url.URL) (Response, error) {
	for try := 1; ; try++ {
		answer, err := n.try(ctx, r, target)
		var again passing
		switch {
		case ctx.Err() != nil && err != nil:
			return answer, fmt.Errorf("get %s: %w", PublicURL(r.URL), context.Cause(ctx))
		case !errors.As(err, &again):
			return answer, err
		case try >= r.Tries && try > 1:
			return answer, fmt.Errorf("%w (%d tries)", again.error, try)
		case try >= r.Tries:
			return answer, again.error
		}
		Pause(ctx, cmp.Or(again.wait, r.Wait))
	}
}

// try asks once, and goes where it is sent.
func (n liveNet) try(ctx context.Context, r Request, target *url.URL) (Response, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	at := target
	for range maxRedirects + 1 {
		reply, err := n.ask(ctx, r, at, isTold(target, at))
		if err != nil {
			return Response{}, unreached(ctx, r, at, err)
		}
		if location := reply.Header.Get("Location"); isRedirect(reply.StatusCode) && location != "" {
			reply.Body.Close()
			if at, err = follow(target, at, location); err != nil {
				return Response{}, err
			}
			continue
		}
		defer reply.Body.Close()
		return receive(ctx, r, at, reply)
	}
	return Response{}, fmt.Errorf("get %s: it was redirected more than %d times", PublicURL(r.URL), maxRedirects)
}

// isTold says whether what the asker wants said may be said at a place where a redirect led.
func isTold(target, at *url.URL) bool {
	return at.Host == target.Host && (at.Scheme == target.Scheme || at.Scheme == "https")
}

// ask sends a request; told says that it may have the asker's headers.
func (n liveNet) ask(ctx context.Context, r Request, at *url.URL, told bool) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodGet), at.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, errors.New("this is not a URL")
	}
	request.Header.Set("User-Agent", userAgent)
	if at.User != nil {
		password, _ := at.User.Password()
		request.SetBasicAuth(at.User.Username(), password)
	}
	for name, value := range r.Header {
		if told || strings.EqualFold(name, "User-Agent") {
			request.Header.Set(name, value)
		}
	}
	return n.way(r).RoundTrip(request)
}

// way is how a request gets to its server.
func (n liveNet) way(r Request) http.RoundTripper {
	switch {
	case r.Socket != "":
		return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.Socket)
		}}
	case r.Low:
		return &http.Transport{DisableKeepAlives: true, DialContext: dialFromLow}
	}
	return n.transport()
}

// dialFromLow connects from the highest free source port below 1024.
func dialFromLow(ctx context.Context, network, address string) (conn net.Conn, err error) {
	for port := 1023; port >= 512; port-- {
		d := net.Dialer{LocalAddr: &net.TCPAddr{Port: port}}
		if conn, err = d.DialContext(ctx, network, address); !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			break
		}
	}
	return conn, err
}

// unreached says why there was no answer.
func unreached(ctx context.Context, r Request, at *url.URL, err error) error {
	if ctx.Err() != nil {
		return passing{error: fmt.Errorf("get %s: no answer within %v", PublicURL(at.String()), r.Timeout)}
	}
	return passing{error: fmt.Errorf("get %s: %w", PublicURL(at.String()), err)}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow is where a redirect leads, if it may: to http and https only, and neither from nor to this machine's own
// neighbourhood unless it stays at one host.
func follow(target, at *url.URL, location string) (*url.URL, error) {
	next, err := at.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("get %s: it was redirected to something that is not a URL", PublicURL(at.String()))
	}
	refused := func(why string) error {
		return fmt.Errorf("get %s: it was redirected to %s, and that is refused: %s", PublicURL(at.String()), PublicURL(next.String()), why)
	}
	switch {
	case next.Scheme != "http" && next.Scheme != "https":
		return nil, refused("only http and https are followed")
	case next.Hostname() != target.Hostname() && (isNear(target.Hostname()) || isNear(next.Hostname())):
		return nil, refused("a local address and another host may not send us to each other")
	}
	return next, nil
}

// receive reads what came back.
func receive(ctx context.Context, r Request, at *url.URL, reply *http.Response) (Response, error) {
	if status := reply.StatusCode; status < 200 || status > 299 {
		err := &StatusError{URL: PublicURL(at.String()), Status: status}
		err.Date, _ = http.ParseTime(reply.Header.Get("Date"))
		if status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests {
			return Response{}, passing{err, retryAfter(reply.Header.Get("Retry-After"))}
		}
		return Response{}, err
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, r.Limit+1))
	switch {
	case int64(len(body)) > r.Limit:
		return Response{}, fmt.Errorf("get %s: the answer has more than %d bytes", PublicURL(at.String()), r.Limit)
	case err != nil:
		return Response{}, unreached(ctx, r, at, err)
	}
	answer := Response{Status: reply.StatusCode, Header: map[string]string{}, Body: body, URL: PublicURL(at.String())}
	for name := range reply.Header {
		answer.Header[name] = reply.Header.Get(name)
	}
	return answer, nil
}

// retryAfter reads how long a server asks us to wait: seconds or a date; see RFC 9110, 10.2.3.
func retryAfter(value string) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		wait = time.Duration(min(seconds, longestWait.Seconds()) * float64(time.Second))
	} else if date, err := http.ParseTime(value); err == nil {
		wait = time.Until(date)
	}
	return min(max(wait, 0), longestWait)
}

// isNear says that a host is this machine, or the host that it runs on: an address of the link or one that clouds keep
// for their metadata.
func isNear(host string) bool {
	switch strings.ToLower(strings.TrimSuffix(host, ".")) {
	case "localhost", "metadata.google.internal", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd00:42::42", "fd00:c1::a9fe:a9fe", "fd00:a9fe:a9fe::1":
		return true
	}
	address, err := netip.ParseAddr(host)
	address = address.Unmap()
	return err == nil && (address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsUnspecified())
}

// proxyFor is the proxy that the environment names. What is near is asked without one.
func proxyFor(request *http.Request) (*url.URL, error) {
	if isNear(request.URL.Hostname()) {
		return nil, nil
	}
	proxy, err := http.ProxyFromEnvironment(request)
	if err != nil {
		return nil, errors.New("the proxy that the environment names is not a URL")
	}
	return proxy, nil
}

// clientCertificate is what we show to a server that asks who we are.
func (n liveNet) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	certificate := n.sslFile("cert.pem")
	if certificate == "" {
		return &tls.Certificate{}, nil
	}
	key := cmp.Or(n.sslFile("key.pem"), certificate) // one file may hold both
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("use the client certificate below /var/lib/cloud: %w", err)
	}
	return &pair, nil
}

func (n liveNet) sslFile(name string) string {
	for _, folder := range []string{"/var/lib/cloud/instance/data/ssl", "/var/lib/cloud/data/ssl"} {
		if text, err := n.files.Read(path.Join(folder, name)); err == nil {
			return text
		}
	}
	return ""
}

// PublicURL is a URL as it may be shown: without user, password, query and fragment.
func PublicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		scheme, _, _ := strings.Cut(raw, ":")
		if !slices.Contains([]string{"http", "https", "ftp", "ftps", "file"}, scheme) {
			return "(not a URL)" // what stands before the colon may be a user
		}
		return scheme + ":… (not a URL)"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	shown := u.String()
	if again, err := url.Parse(shown); err != nil || again.User != nil {
		return "(not a URL)" // a path such as //@ reads as a user once what stood before it is gone
	}
	return shown
}
