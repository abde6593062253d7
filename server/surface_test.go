package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher/server"
)

// surface is what every route answers: by the three modes of the daemon, each
// without a bearer, with a bad one and with the good one; and, with the good
// one, to a body that is no JSON, and to one that is larger than its surface
// allows. A route that has no line here fails the test, and so does a line
// without a route.
var surface = map[string]struct {
	token, noAuth, strict string
	malformed, oversize   int
}{
	"GET /health":                                 {"200 200 200", "200 200 200", "200 200 200", 200, 413},
	"GET /metrics":                                {"401 401 200", "200 200 200", "200 200 200", 200, 413},
	"GET /capabilities":                           {"401 401 200", "200 200 200", "200 200 200", 200, 413},
	"GET /workspace/auth/status":                  {"401 401 200", "200 200 200", "200 200 200", 200, 413},
	"POST /workspace/auth/device-flow":            {"401 401 200", "200 200 200", "401 401 401", 400, 413},
	"GET /workspace/auth/device-flow/{id}":        {"401 401 200", "200 200 200", "401 401 401", 200, 413},
	"DELETE /workspace/auth/device-flow/{id}":     {"401 401 204", "204 204 204", "401 401 401", 204, 413},
	"POST /v1/logins":                             {"401 401 201", "201 201 201", "401 401 401", 400, 413},
	"GET /v1/logins":                              {"401 401 200", "200 200 200", "200 200 200", 200, 413},
	"GET /v1/logins/{id}":                         {"401 401 200", "200 200 200", "401 401 401", 200, 413},
	"DELETE /v1/logins/{id}":                      {"401 401 200", "200 200 200", "401 401 401", 200, 413},
	"POST /v1/logins/{id}/complete":               {"401 401 200", "200 200 200", "401 401 401", 400, 413},
	"GET /v1/credentials":                         {"401 401 200", "401 401 401", "401 401 401", 200, 413},
	"GET /v1/credentials/{provider}/{account}":    {"401 401 200", "401 401 401", "401 401 401", 200, 413},
	"DELETE /v1/credentials/{provider}/{account}": {"401 401 200", "401 401 401", "401 401 401", 200, 413},
	"POST /v1/token":                              {"401 401 200", "401 401 401", "401 401 401", 400, 413},
	"GET /v1/providers":                           {"401 401 200", "200 200 200", "200 200 200", 200, 413},
	"POST /session":                               {"401 401 200", "200 200 200", "200 200 200", 400, 413},
	"DELETE /session/{id}":                        {"401 401 204", "204 204 204", "204 204 204", 204, 413},
	"GET /session/{id}/events":                    {"401 401 200", "200 200 200", "200 200 200", 200, 413},
	"POST /session/{id}/heartbeat":                {"401 401 200", "200 200 200", "200 200 200", 400, 413},
	"POST /session/{id}/detach":                   {"401 401 204", "204 204 204", "204 204 204", 400, 413},
	"GET /v1/events":                              {"401 401 200", "200 200 200", "200 200 200", 200, 413},
}

// probe is a request to a route that succeeds when the gates let it through.
// Its context has ended, so that streams end at once.
func probe(t *testing.T, fake *fakeBroker, rt server.RouteLine, headers ...string) *http.Request {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	return request(rt.Method, known(t, fake, rt.Pattern), `{"providerId":"qwen-oauth","key":"github"}`, headers...).WithContext(ctx)
}

// known is a path that matches pattern, with ids that fake knows. The pattern
// may be in capitals.
func known(t *testing.T, fake *fakeBroker, pattern string) string {
	t.Helper()
	if lower := strings.ToLower(pattern); strings.HasPrefix(lower, "/session/") {
		created, err := fake.hub.Create("/abs")
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer("{id}", created.ID, "{ID}", created.ID).Replace(pattern)
	}
	return target(strings.NewReplacer("{ID}", "{id}").Replace(pattern))
}

func TestSurface(t *testing.T) {
	modes := map[string]server.Config{
		"token": {}, "no-auth": {NoAuth: true}, "strict": {NoAuth: true, StrictLoopback: true},
	}
	served := map[string]bool{}
	for mode, c := range modes {
		fake := newFake()
		c.Broker = fake
		s := newServer(t, c)
		h := s.Handler(tcpAddr, false)
		for _, rt := range s.Routes() {
			line := rt.Method + " " + rt.Pattern
			want, ok := surface[line]
			if !ok {
				t.Errorf("%s: what it asks of its callers is not in the table of this test", line)
				continue
			}
			served[line] = true
			var got []string
			for _, credentials := range [][]string{nil, {"Authorization", "Bearer wrong"}, {"Authorization", "Bearer " + bearer}} {
				before := len(fake.calls())
				w := serve(h, probe(t, fake, rt, credentials...))
				got = append(got, fmt.Sprint(w.Code))
				if w.Code != http.StatusUnauthorized {
					continue
				}
				if calls := fake.calls()[before:]; len(calls) != 0 {
					t.Errorf("%s, %s: refused, and the broker was asked for %q", mode, line, calls)
				}
				if required := strings.Contains(w.Body.String(), `"code":"token_required"`); required != (mode != "token") {
					t.Errorf("%s, %s: refused with %s", mode, line, w.Body)
				}
			}
			if got, want := strings.Join(got, " "), map[string]string{"token": want.token, "no-auth": want.noAuth, "strict": want.strict}[mode]; got != want {
				t.Errorf("%s, %s: none, bad and good bearer: %s, want %s", mode, line, got, want)
			}
		}
	}
	for line := range surface {
		if !served[line] {
			t.Errorf("%s: in the table of this test, and not served", line)
		}
	}
}

// What comes with the good bearer and is nonsense.
func TestSurfaceRefusesBadBodies(t *testing.T) {
	fake := newFake()
	s := newServer(t, server.Config{Broker: fake})
	h := s.Handler(tcpAddr, false)
	for _, rt := range s.Routes() {
		line := rt.Method + " " + rt.Pattern
		with := func(body string, length int64) int {
			r := probe(t, fake, rt, "Authorization", "Bearer "+bearer)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), length
			return serve(h, r).Code
		}
		for _, body := range []string{`{bad`, `{"key":"github","providerId":"qwen-oauth"`, "\x00", `{"key":"github"} {}`} {
			if got := with(body, int64(len(body))); got != surface[line].malformed {
				t.Errorf("%s with body %q: status = %d, want %d", line, body, got, surface[line].malformed)
			}
		}
		calls := len(fake.calls())
		size := int64(10<<20 + 1)
		if strings.HasPrefix(rt.Pattern, "/v1/") {
			size = 64<<10 + 1
		}
		if got := with(`{}`, size); got != surface[line].oversize || len(fake.calls()) != calls {
			t.Errorf("%s with a body of %d bytes: status = %d, want %d; calls %q", line, size, got, surface[line].oversize, fake.calls()[calls:])
		}
	}
}

// However a path is damaged, no route takes it for its own.
func TestSurfaceRefusesBadPaths(t *testing.T) {
	fake := newFake()
	s := newServer(t, server.Config{Broker: fake})
	h := s.Handler(tcpAddr, false)
	for _, rt := range s.Routes() {
		for _, damaged := range []struct {
			path   func(string) string
			status int
		}{
			{func(p string) string { return p + "%E0%A4" }, 400},
			{func(p string) string { return p + "/%ff" }, 400},
			{func(p string) string { return "/%C0%AF" + p }, 400},
			{func(p string) string { return "/" + p }, 404},
			{func(p string) string { return p + "//" }, 404},
			{func(p string) string { return "/." + p }, 404},
			{func(p string) string { return "/x/.." + p }, 404},
			{func(p string) string { return strings.Replace(p[1:], "/", "%2F", 1) }, 404},
			{func(p string) string { return p + "/a/b/c/d/e/f/g/h/i/j" }, 404},
		} {
			path := damaged.path(target(rt.Pattern))
			if !strings.HasPrefix(path, "/") {
				if path = "/" + path; path == target(rt.Pattern) {
					continue // of one segment
				}
			}
			r := probe(t, fake, rt, "Authorization", "Bearer "+bearer)
			r.URL.RawPath, r.URL.Path, r.RequestURI = path, decodedPath(t, path), path
			if w := serve(h, r); w.Code != damaged.status {
				t.Errorf("%s %s: status = %d, want %d", rt.Method, path, w.Code, damaged.status)
			}
			r = probe(t, fake, rt)
			r.URL.RawPath, r.URL.Path, r.RequestURI = path, decodedPath(t, path), path
			if w := serve(h, r); w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s without a bearer: status = %d, want 401", rt.Method, path, w.Code)
			}
		}
	}
	if calls := fake.calls(); len(calls) != 0 {
		t.Errorf("the broker was asked: %q", calls)
	}
}

// The compatible surface forgives the case of letters and one slash, by its
// contract; the native one takes its paths literally.
func TestSurfaceSpelling(t *testing.T) {
	fake := newFake()
	s := newServer(t, server.Config{Broker: fake})
	h := s.Handler(tcpAddr, false)
	for _, rt := range s.Routes() {
		native := strings.HasPrefix(rt.Pattern, "/v1/")
		plain := serve(h, probe(t, fake, rt, "Authorization", "Bearer "+bearer)).Code
		upper := strings.ToUpper(rt.Pattern)
		for _, pattern := range []string{rt.Pattern + "/", upper, upper + "/"} {
			path := known(t, fake, pattern)
			r := probe(t, fake, rt, "Authorization", "Bearer "+bearer)
			r.URL.Path, r.RequestURI = path, path
			want := plain
			if native {
				want = http.StatusNotFound
			}
			if w := serve(h, r); w.Code != want {
				t.Errorf("%s %s: status = %d, want %d", rt.Method, path, w.Code, want)
			}
		}
	}
}
