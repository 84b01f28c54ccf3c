package metadata

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
	"time"
)

// maxTokenLife is how long a session token may be asked for, in seconds: six hours, EC2's and AliYun's.
const maxTokenLife = 21600

// tokens makes and checks session tokens. They carry their own proof, so that none is stored; those of an earlier process are
// refused, and a guest that is refused asks for another.
type tokens struct{ key []byte }

func newTokens() *tokens {
	key := make([]byte, 32)
	rand.Read(key) // it never fails: crypto/rand ends the program instead
	return &tokens{key}
}

// issue makes a token for an instance.
func (t *tokens) issue(instance string, until time.Time) string {
	body := binary.BigEndian.AppendUint64(nil, uint64(until.Unix()))
	body = append(body, make([]byte, 8)...)
	rand.Read(body[8:]) // as above
	return base64.URLEncoding.EncodeToString(append(body, t.proof(instance, body)...))
}

// left says how many seconds a token is good for; false where it is not this instance's, or over.
func (t *tokens) left(instance, token string, now time.Time) (int64, bool) {
	raw, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(raw) != 40 || !hmac.Equal(raw[16:], t.proof(instance, raw[:16])) {
		return 0, false
	}
	left := int64(binary.BigEndian.Uint64(raw)) - now.Unix()
	return left, left > 0
}

func (t *tokens) proof(instance string, body []byte) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte(instance))
	h.Write(body)
	return h.Sum(nil)[:24]
}

// A session is how one cloud does session tokens.
type session struct {
	life  string // the header of the token's life
	token string // the header of the token
	fail  func(status int) reply
}

// issue answers PUT /latest/api/token.
func (s session) issue(r *request) reply {
	seconds, err := strconv.ParseInt(r.header.Get(s.life), 10, 64)
	switch {
	case r.method != http.MethodPut:
		return answer(http.StatusMethodNotAllowed, "", "text/plain", append(ec2Headers(), [2]string{"Allow", "OPTIONS, PUT"})...)
	case r.header.Get("X-Forwarded-For") != "", r.view.Instance.TokenRule == "disabled":
		return s.fail(http.StatusForbidden)
	case err != nil || seconds < 1 || seconds > maxTokenLife:
		return s.fail(http.StatusBadRequest)
	}
	token := r.tokens.issue(r.view.Instance.Name, r.now.Add(time.Duration(seconds)*time.Second))
	return answer(http.StatusOK, token, "text/plain", append(ec2Headers(), [2]string{s.life, strconv.FormatInt(seconds, 10)})...)
}

// guard lets a request read where its token is right, or where it gives none and the instance requires none. The answer says
// for how many seconds the token is good.
func (s session) guard(r *request, read func() reply) reply {
	given := r.header.Get(s.token)
	if given == "" && r.view.Instance.TokenRule != "required" {
		return read()
	}
	left, ok := r.tokens.left(r.view.Instance.Name, given, r.now)
	if !ok {
		return s.fail(http.StatusUnauthorized)
	}
	a := read()
	a.headers = append(a.headers, [2]string{s.life, strconv.FormatInt(left, 10)})
	return a
}
