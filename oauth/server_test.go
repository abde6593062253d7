package oauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// recorder is an authorization server that gives the same answer to every request and keeps what it saw.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []seen
}

// seen is one request as it arrived.
type seen struct {
	Method, Path, Body string
	Header             http.Header
}

func (s seen) form(t *testing.T) url.Values {
	t.Helper()
	v, err := url.ParseQuery(s.Body)
	if err != nil {
		t.Fatalf("request body is no form: %v", err)
	}
	return v
}

// answers starts a recorder whose every answer is made by h.
func answers(t *testing.T, h http.HandlerFunc) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.requests = append(r.requests, seen{req.Method, req.URL.RequestURI(), string(body), req.Header.Clone()})
		r.mu.Unlock()
		h(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// says starts a recorder that answers with status and a JSON body.
func says(t *testing.T, status int, body string) *recorder {
	t.Helper()
	return answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// only returns the one request that arrived, and fails if it was none or several.
func (r *recorder) only(t *testing.T) seen {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.requests) != 1 {
		t.Fatalf("server saw %d requests, want 1", len(r.requests))
	}
	return r.requests[0]
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

func (r *recorder) client() *oauth.Client {
	return &oauth.Client{ID: "cli", Endpoints: oauth.Endpoints{
		Issuer:              r.URL,
		DeviceAuthorization: r.URL + "/device",
		Authorization:       r.URL + "/authorize",
		Token:               r.URL + "/token",
		Revocation:          r.URL + "/revoke",
	}}
}

const (
	goodToken  = `{"access_token":"at-1","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-2"}`
	goodDevice = `{"device_code":"dc-1","user_code":"WDJB-MJHT","verification_uri":"https://op.example/device",` +
		`"verification_uri_complete":"https://op.example/device?user_code=WDJB-MJHT","expires_in":900,"interval":5}`
)

var oldToken = oauth.RefreshRequest{RefreshToken: secret.New("rt-1")}
