package source

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// treeServer serves a tree of metadata as EC2 does. Of a server with a token, requests without one are refused.
type treeServer struct {
	root    map[string]any // folders are maps, values texts; a list is served line by line
	header  string         // the token's; empty: it has none
	expires int            // the first token is good for so many requests; 0: for all
	status  int            // of the token's request, where it is refused

	mutex  sync.Mutex
	asked  []string
	tokens int
	used   int
}

func (s *treeServer) start(t *testing.T) (address string) {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL
}

func (s *treeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	switch {
	case r.Method == http.MethodPut && s.status != 0:
		w.WriteHeader(s.status)
	case r.Method == http.MethodPut && s.header != "" && r.Header.Get(s.header+"-ttl-seconds") == "21600":
		s.tokens++
		s.used = 0
		fmt.Fprintf(w, "token-%d==", s.tokens)
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case s.header != "" && !s.lets(r.Header.Get(s.header)):
		w.WriteHeader(http.StatusUnauthorized)
	default:
		s.read(w, r)
	}
}

// lets says whether a token is good.
func (s *treeServer) lets(token string) bool {
	s.used++
	return token == fmt.Sprintf("token-%d==", s.tokens) && (s.expires == 0 || s.tokens > 1 || s.used <= s.expires)
}

func (s *treeServer) read(w http.ResponseWriter, r *http.Request) {
	var at any = s.root
	for name := range strings.SplitSeq(strings.Trim(r.URL.Path, "/"), "/") {
		folder, _ := at.(map[string]any)
		if names := slices.Sorted(maps.Keys(folder)); at != nil && strings.Contains(r.URL.Path, "/public-keys/") && folder[name] == nil {
			if i, err := strconv.Atoi(name); err == nil && i < len(names) {
				at = map[string]any{"openssh-key": folder[names[i]]}
				continue
			}
		}
		at = folder[name]
	}
	switch at := at.(type) {
	case nil:
		http.NotFound(w, r)
	case string:
		fmt.Fprint(w, at)
	case []any:
		for _, line := range at {
			fmt.Fprintln(w, line)
		}
	case map[string]any:
		fmt.Fprint(w, listing(r.URL.Path, at))
	}
}

// listing are the names in a folder.
func listing(path string, folder map[string]any) string {
	var lines []string
	for i, name := range slices.Sorted(maps.Keys(folder)) {
		switch _, deep := folder[name].(map[string]any); {
		case strings.HasSuffix(path, "/public-keys/"):
			name = fmt.Sprintf("%d=%s", i, name)
		case deep:
			name += "/"
		}
		lines = append(lines, name)
	}
	return strings.Join(lines, "\n")
}

// count is how often something was asked.
func (s *treeServer) count(request string) (n int) {
	for _, asked := range s.asked {
		if strings.HasPrefix(asked, request) {
			n++
		}
	}
	return n
}

// A person's names for tags, of which each character is their own, do not break the crawl of a whole machine.
func TestTreeOfOddNames(t *testing.T) {
	odd := map[string]any{"50%": "a", "a b": "b", "what?": "c", "#1": "d", "a=b": "e", "ü": "f", "empty": "", "x:y": "g"}
	s := &treeServer{root: map[string]any{"v": map[string]any{"tags": odd}}}
	w := newWorld(t, "", "")
	w.env.Machine.Net = liveNet(t)
	got, err := (&client{e: w.env, base: s.start(t), limits: limits{tries: 1}}).tree(t.Context(), "v", nil)
	if tags, _ := got["tags"].(map[string]any); err != nil || !maps.Equal(tags, odd) {
		t.Errorf("it gives %v, %v", got, err)
	}
}

// What cloud-init makes of a leaf: templates that people wrote for it see the same.
func TestLeaf(t *testing.T) {
	for text, want := range map[string]string{
		"":                 `""`,
		"a":                `"a"`,
		" a ":              `" a "`,
		"a\n":              `[]interface {}{"a"}`,
		"a\r\nb":           `[]interface {}{"a", "b"}`,
		` {"a": 1}` + "\n": `map[string]interface {}{"a":1}`,
		"{a}":              `"{a}"`,
		"[1]":              `"[1]"`,
	} {
		if got := fmt.Sprintf("%#v", leaf([]byte(text))); got != want {
			t.Errorf("%q gives %s, want %s", text, got, want)
		}
	}
}

// FuzzEntry: whatever stands in a folder's list, what is asked for stays below the folder, and what comes back can be kept.
func FuzzEntry(f *testing.F) {
	for _, line := range []string{"ami-id", "placement/", "0=my key", "a=b", "../x", "..", "50%", "a?b#c", "//host/", "x y\x00"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		key, name, _ := entryOf(strings.TrimSpace(line))
		if key == "" {
			return
		}
		u, err := url.Parse("http://169.254.169.254/v/" + escapeName(name))
		if err != nil || u.Host != "169.254.169.254" || u.RawQuery != "" || u.Fragment != "" || !strings.HasPrefix(path.Clean(u.Path), "/v/") {
			t.Errorf("%q leads to %v, %v", line, u, err)
		}
		if _, err := json.Marshal(map[string]any{key: leaf([]byte(line))}); err != nil {
			t.Error(err)
		}
	})
}
