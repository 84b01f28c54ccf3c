package metadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

const (
	headerTime = 10 * time.Second // for a guest to send its request
	idleTime   = 90 * time.Second // for which a connection may do nothing between two requests
	writeTime  = 30 * time.Second // for a guest to take an answer that was held back
	closeTime  = 2 * time.Second  // for answers under way when the server is told to stop
)

// A Server tells guests what a catalog has.
type Server struct {
	catalog  *Catalog
	dialects []dialect
	tokens   *tokens
	lobby    *lobby
	recent   recent
	faults   faults
	requests requestLog
	metrics  metrics
	http     *http.Server
}

// NewServer makes a server for a store. It holds back at most limit answers at the same time.
func NewServer(ctx context.Context, store Store, limit int) (*Server, error) {
	s := &Server{dialects: dialects(), tokens: newTokens(), lobby: newLobby(limit)}
	catalog, err := NewCatalog(ctx, store, s.lobby.ring)
	if err != nil {
		return nil, err
	}
	s.catalog = catalog
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.answer), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: 32 << 10,
		BaseContext: func(l net.Listener) context.Context { return context.WithValue(ctx, boundTo{}, bound(l)) },
	}
	return s, nil
}

// boundTo is the context's key for the instance of a listener.
type boundTo struct{}

// A boundListener is one that only one instance reaches.
type boundListener struct {
	net.Listener
	instance string
}

func bound(l net.Listener) string {
	if b, ok := l.(boundListener); ok {
		return b.instance
	}
	return ""
}

// Serve answers guests on a listener until the server is closed. All who reach it are the instance, where one is named.
func (s *Server) Serve(l net.Listener, instance string) error {
	err := s.http.Serve(boundListener{l, instance})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s cannot be served any longer: %w", l.Addr(), err)
}

// Catalog is what the server tells.
func (s *Server) Catalog() *Catalog { return s.catalog }

// Close ends all connections: what is being answered may take a moment, what is held back is dropped.
func (s *Server) Close() error {
	ctx, stop := context.WithTimeout(context.Background(), closeTime)
	defer stop()
	s.lobby.close()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}

// answer is one request of a guest from its beginning to its end.
func (s *Server) answer(w http.ResponseWriter, hr *http.Request) {
	began := time.Now()
	name, path := s.identify(hr)
	note := Request{Time: began, Instance: name, From: hr.RemoteAddr, Method: hr.Method, Path: pathForLog(hr), Agent: hr.UserAgent()}
	f := s.faults.take(name, hr.URL.Path)
	note.Fault = f.String()
	if !f.pause(hr.Context()) {
		note.Status = statusGone
		s.finish(note)
		return
	}
	r, refused := s.read(hr, name, path)
	a := refused
	if f.Status != 0 {
		note.Dialect, a = "fault", f.reply()
	} else if r != nil {
		note.Dialect, a = dispatch(s.dialects, r)
	}
	if a.wait != nil {
		s.hold(w, hr, r, a, note, f)
		return
	}
	note.Status, note.Bytes = a.status, f.send(w, hr, a)
	s.finish(note)
}

// finish writes a request down.
func (s *Server) finish(note Request) {
	note.Seconds = time.Since(note.Time).Seconds()
	s.requests.add(note)
	s.metrics.count(note)
}

// read makes the request that the dialects see. Where that cannot be, it gives the answer instead.
func (s *Server) read(hr *http.Request, name, path string) (*request, reply) {
	view, ok := s.catalog.View(name)
	if !ok {
		return nil, answer(http.StatusNotFound, unknown(hr, name), "text/plain; charset=utf-8")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, hr.Body, maxValue))
	if err != nil {
		return nil, answer(http.StatusRequestEntityTooLarge, "the body is larger than 256 KiB\n", "text/plain; charset=utf-8")
	}
	r := &request{
		method: hr.Method, path: path, query: hr.URL.Query(), header: hr.Header, body: body, host: hr.Host, now: time.Now(), view: view, tokens: s.tokens,
		write: func(edit func(*Written) error) error { return s.catalog.WriteBack(hr.Context(), name, edit) },
	}
	if a, ok := hr.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		r.local = addressOf(a.String())
	}
	return r, reply{}
}

func unknown(hr *http.Request, name string) string {
	if name != "" {
		return "there is no instance " + name + "\n"
	}
	return "no instance has the address " + addressOf(hr.RemoteAddr).String() + "\n"
}

// identify says which instance asks, by the listener, the source address or a token, and nothing that a header says. The path
// is given without the token.
func (s *Server) identify(hr *http.Request) (name, path string) {
	name, _ = hr.Context().Value(boundTo{}).(string)
	if name == "" {
		name = s.catalog.ByAddress(addressOf(hr.RemoteAddr))
	}
	token, without, ok := nocloudToken(hr.URL.Path)
	if !ok {
		return name, hr.URL.Path
	}
	owner := s.catalog.ByToken(token)
	if owner == "" || name != "" && name != owner {
		return name, hr.URL.Path
	}
	return owner, without
}

// addressOf is the address without the port.
func addressOf(hostPort string) netip.Addr {
	a, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

// pathForLog is what was asked for, without the token that names the instance.
func pathForLog(hr *http.Request) string {
	path := hr.URL.EscapedPath()
	if token, without, ok := nocloudToken(path); ok && tokenForm.MatchString(token) {
		path = strings.Replace(without, "/nocloud/", "/nocloud/TOKEN/", 1)
	}
	if hr.URL.RawQuery != "" {
		path += "?" + hr.URL.RawQuery
	}
	return path
}
