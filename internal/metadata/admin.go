package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// maxImport is the largest body that the admin API takes, in bytes.
const maxImport = 64 << 20

// An Import is a project and instances that are written together, all or none.
type Import struct {
	Project   json.RawMessage            `json:"project,omitempty"`
	Instances map[string]json.RawMessage `json:"instances,omitempty"`
}

// ListenAdmin makes the admin API's socket, for its owner alone. A socket that an earlier process left is removed: who holds
// the store is the only one.
func ListenAdmin(name string) (net.Listener, error) {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the old admin socket cannot be removed: %w", err)
	}
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", name)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("the admin socket cannot be made: %w", err)
	}
	return l, nil
}

// Admin is the admin API: docs/metadata-server.md.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/project", func(w http.ResponseWriter, _ *http.Request) { s.adminGet(w, projectKey) })
	mux.HandleFunc("PUT /v1/project", func(w http.ResponseWriter, r *http.Request) { s.adminPut(w, r, projectKey) })
	mux.HandleFunc("GET /v1/instances", s.adminList)
	mux.HandleFunc("GET /v1/instances/{name}", func(w http.ResponseWriter, r *http.Request) { s.adminGet(w, instancePrefix+r.PathValue("name")) })
	mux.HandleFunc("PUT /v1/instances/{name}", func(w http.ResponseWriter, r *http.Request) { s.adminPut(w, r, instancePrefix+r.PathValue("name")) })
	mux.HandleFunc("DELETE /v1/instances/{name}", s.adminDelete)
	mux.HandleFunc("GET /v1/instances/{name}/written", s.adminWritten)
	mux.HandleFunc("POST /v1/import", s.adminImport)
	mux.HandleFunc("GET /v1/watch", s.adminWatch)
	mux.HandleFunc("GET /v1/requests", s.adminRequests)
	mux.HandleFunc("GET /v1/faults", func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, http.StatusOK, append([]Fault{}, s.faults.list()...))
	})
	mux.HandleFunc("POST /v1/faults", s.adminFault)
	mux.HandleFunc("DELETE /v1/faults", func(w http.ResponseWriter, _ *http.Request) { s.faults.clear(); w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s.writeMetrics(w)
	})
	return mux
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, compact(v)+"\n") // who asked has gone
}

// sendError chooses the status by what is wrong.
func sendError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var conflict *ConflictError
	switch {
	case errors.As(err, &conflict):
		status = http.StatusPreconditionFailed
	case errors.Is(err, errNotThere):
		status = http.StatusNotFound
	case errors.Is(err, syscall.ENOSPC):
		status = http.StatusInsufficientStorage
	}
	sendJSON(w, status, map[string]string{"error": err.Error()})
}

func (s *Server) adminGet(w http.ResponseWriter, key string) {
	e, err := s.catalog.Get(key)
	if err != nil {
		sendError(w, err)
		return
	}
	w.Header().Set("ETag", etag(e.Revision))
	sendJSON(w, http.StatusOK, json.RawMessage(e.Value))
}

func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// precondition reads If-Match and If-None-Match.
func precondition(r *http.Request) (int64, error) {
	match := r.Header.Get("If-Match")
	switch {
	case r.Header.Get("If-None-Match") == "*":
		return Absent, nil
	case match == "" || match == "*":
		return Any, nil
	}
	n, err := strconv.ParseInt(strings.Trim(match, `"`), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("If-Match is %s; it is the ETag of an earlier answer, a revision in quotes", match)
	}
	return n, nil
}

func (s *Server) adminPut(w http.ResponseWriter, r *http.Request, key string) {
	match, err := precondition(r)
	if err != nil {
		sendError(w, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxImport))
	if err != nil {
		sendError(w, err)
		return
	}
	s.adminWrite(w, r, Change{Key: key, Value: body, IfMatch: match})
}

func (s *Server) adminWrite(w http.ResponseWriter, r *http.Request, changes ...Change) {
	revision, err := s.catalog.Write(r.Context(), changes...)
	if err != nil {
		sendError(w, err)
		return
	}
	w.Header().Set("ETag", etag(revision))
	sendJSON(w, http.StatusOK, map[string]int64{"revision": revision})
}

func (s *Server) adminDelete(w http.ResponseWriter, r *http.Request) {
	match, err := precondition(r)
	key := instancePrefix + r.PathValue("name")
	if err == nil {
		_, err = s.catalog.Get(key)
	}
	if err != nil {
		sendError(w, err)
		return
	}
	s.adminWrite(w, r, Change{Key: key, IfMatch: match})
}

func (s *Server) adminList(w http.ResponseWriter, _ *http.Request) {
	type listed struct {
		Name     string `json:"name"`
		Revision int64  `json:"revision"`
	}
	all := []listed{}
	for _, e := range s.catalog.List(-1) {
		if name, ok := strings.CutPrefix(e.Key, instancePrefix); ok {
			all = append(all, listed{name, e.Revision})
		}
	}
	sendJSON(w, http.StatusOK, all)
}

func (s *Server) adminWritten(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	view, ok := s.catalog.View(name)
	if !ok {
		sendError(w, fmt.Errorf("%s%s %w", instancePrefix, name, errNotThere))
		return
	}
	sendJSON(w, http.StatusOK, view.Written)
}

func (s *Server) adminImport(w http.ResponseWriter, r *http.Request) {
	var in Import
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxImport))
	if err == nil {
		err = decodeStrict(body, &in)
	}
	if err != nil {
		sendError(w, err)
		return
	}
	s.adminWrite(w, r, in.changes()...)
}

func (in Import) changes() (all []Change) {
	if in.Project != nil {
		all = append(all, Change{Key: projectKey, Value: in.Project, IfMatch: Any})
	}
	for name, value := range in.Instances {
		all = append(all, Change{Key: instancePrefix + name, Value: value, IfMatch: Any})
	}
	return all
}

// adminWatch sends every object that was written after a revision, and then each that is written, a line of JSON each.
func (s *Server) adminWatch(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.ParseInt(or(r.URL.Query().Get("since"), "-1"), 10, 64)
	if err != nil {
		sendError(w, fmt.Errorf("since is %s; it is a revision", r.URL.Query().Get("since")))
		return
	}
	changes, stop := s.catalog.watch()
	defer stop()
	w.Header().Set("Content-Type", "application/jsonl")
	for {
		for _, e := range s.catalog.List(since) {
			io.WriteString(w, compact(map[string]any{"key": e.Key, "revision": e.Revision, "value": json.RawMessage(e.Value)})+"\n") // the flush says it
			since = max(since, e.Revision)
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-changes:
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) adminRequests(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseUint(or(r.URL.Query().Get("after"), "0"), 10, 64)
	if err != nil {
		sendError(w, fmt.Errorf("after is %s; it is the number of a request", r.URL.Query().Get("after")))
		return
	}
	sendJSON(w, http.StatusOK, s.requests.list(r.URL.Query().Get("instance"), after))
}

func (s *Server) adminFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	if err == nil {
		err = decodeStrict(body, &f)
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		sendError(w, err)
		return
	}
	sendJSON(w, http.StatusOK, s.faults.add(f))
}
