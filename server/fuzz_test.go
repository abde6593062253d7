package server_test

import (
	"encoding/json"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
)

// FuzzRequest sends anything to any route, with the right bearer: there is
// always an answer, it is JSON where it is an error, and never a 500.
func FuzzRequest(f *testing.F) {
	for _, target := range []string{"POST /v1/logins", "POST /v1/token", "POST /workspace/auth/device-flow", "GET /v1/logins/x", "DELETE /v1/credentials/a/b"} {
		f.Add(target, "wait=1ms", `{"key":"github","min_ttl":1,"scopes":["a"],"providerId":"x"}`, "application/json", "cli-A")
		f.Add(target, "keep_remote=%zz", `{"key":`, "text/plain", "bad id!")
	}
	s, err := server.New(server.Config{Broker: newFake(), Token: secret.New(bearer)})
	if err != nil {
		f.Fatal(err)
	}
	h := s.Handler(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4170}, false)
	f.Fuzz(func(t *testing.T, target, query, body, contentType, clientID string) {
		method, path, _ := strings.Cut(target, " ")
		if method == "" || strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }) || strings.HasPrefix(path, "/v1/events") {
			return // net/http lets no other method through; a stream has no end
		}
		r := httptest.NewRequest("GET", "http://127.0.0.1:4170/", strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery, r.RequestURI = method, path, query, "/"
		r.Header.Set("Authorization", "Bearer "+bearer)
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("X-Qwen-Client-Id", clientID)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code >= 500 {
			t.Errorf("%s %q: %d %s", method, path, rec.Code, rec.Body)
		}
		if rec.Code >= 400 && method != "HEAD" && !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %q: %d without JSON: %q", method, path, rec.Code, rec.Body)
		}
	})
}
