package server_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/server"
)

// target is a path that matches pattern.
func target(pattern string) string {
	return strings.NewReplacer("/v1/logins/{id}", "/v1/logins/l-1", "{id}", flowID, "{provider}", "github", "{account}", "default").Replace(pattern)
}

// request makes a request that passes the Host gate; headers are pairs.
func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:4170"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	unauthorized       = `{"error":"Unauthorized"}`
	unauthorizedNative = `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Unauthorized","code":"unauthorized","hint":"send Authorization: Bearer with the daemon's token; unless it was given one, it is in server-token in its data folder"}`
	badHost            = `{"error":"Invalid Host header"}`
	badHostNative      = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"Invalid Host header","code":"forbidden_host","hint":"send the address that the daemon listens on as Host, with its port"}`
	badOrigin          = `{"error":"Request denied by CORS policy"}`
	badOriginNative    = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"Request denied by CORS policy","code":"forbidden_origin","hint":"pages of this origin are let in by usher serve --allow-origin"}`
	tokenRequired      = `{"error":"This route requires the daemon to be configured with a bearer token. Set QWEN_SERVER_TOKEN or pass --token to enable bearer auth.","code":"token_required"}`
)

// pick is the answer of r's surface.
func pick(r *http.Request, compat, native string) string {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		return native
	}
	return compat
}

// T01: what a web page can make a browser send, on every route. Nothing of it
// may reach the broker.
func TestT01_NoHeaderCombinationOfAWebPageReachesTheBroker(t *testing.T) {
	ok := []string{"Authorization", "Bearer " + bearer}
	evil := []string{"Origin", "http://evil.example"}
	combos := map[string]struct {
		headers []string
		host    string
		status  int
	}{
		"nothing":                             {nil, "", 401},
		"form post":                           {[]string{"Content-Type", "application/x-www-form-urlencoded"}, "", 401},
		"text post with an evil origin":       {append(evil, "Content-Type", "text/plain"), "", 403},
		"evil origin":                         {evil, "", 403},
		"evil origin with the token":          {append(evil, ok...), "", 403},
		"null origin with the token":          {append([]string{"Origin", "null"}, ok...), "", 403},
		"origin of another port":              {append([]string{"Origin", "http://127.0.0.1:9999"}, ok...), "", 403},
		"own and evil origin":                 {append([]string{"Origin", "http://127.0.0.1:4170", "Origin", "http://evil.example"}, ok...), "", 403},
		"no origin, fetched cross-site":       {append([]string{"Sec-Fetch-Site", "cross-site"}, ok...), "", 403},
		"no origin, fetched same-site":        {append([]string{"Sec-Fetch-Site", "same-site"}, ok...), "", 403},
		"rebound host with the token":         {ok, "evil.example:4170", 403},
		"own origin without the token":        {[]string{"Origin", "http://127.0.0.1:4170"}, "", 401},
		"wrong token":                         {[]string{"Authorization", "Bearer wrong"}, "", 401},
		"basic authentication":                {[]string{"Authorization", "Basic ZGFlbW9u"}, "", 401},
		"token as cookie":                     {[]string{"Cookie", "token=" + bearer}, "", 401},
		"forwarded for the loopback":          {[]string{"X-Forwarded-For", "127.0.0.1", "Forwarded", "for=127.0.0.1"}, "", 401},
		"forwarded host instead of a good":    {append([]string{"X-Forwarded-Host", "127.0.0.1:4170"}, ok...), "evil.example", 403},
		"method override without a bearer":    {[]string{"X-HTTP-Method-Override", "GET"}, "", 401},
		"two tokens, one of them the right":   {append([]string{"Authorization", "Bearer wrong"}, ok...), "", 401},
		"two tokens, the right one first":     {append(append([]string{}, ok...), "Authorization", "Bearer wrong"), "", 401},
		"the token in another scheme":         {[]string{"Authorization", "Basic " + bearer}, "", 401},
		"the token without a scheme":          {[]string{"Authorization", bearer}, "", 401},
		"an empty token":                      {[]string{"Authorization", "Bearer "}, "", 401},
		"the token and something behind it":   {[]string{"Authorization", "Bearer " + bearer + " x"}, "", 401},
		"the beginning of the token":          {[]string{"Authorization", "Bearer " + bearer[:10]}, "", 401},
		"token in the proxy's header instead": {[]string{"Proxy-Authorization", "Bearer " + bearer}, "", 401},
	}
	fake := newFake()
	s := newServer(t, server.Config{Broker: fake})
	h := s.Handler(tcpAddr, false)
	for name, combo := range combos {
		t.Run(name, func(t *testing.T) {
			for _, rt := range s.Routes() {
				if rt.Public && combo.status == 401 {
					continue
				}
				r := request(rt.Method, target(rt.Pattern)+"?access_token="+bearer, `{"providerId":"qwen-oauth","key":"github"}`, combo.headers...)
				if combo.host != "" {
					r.Host = combo.host
				}
				// Should a gate be open, the event stream ends at once.
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				w := serve(h, r.WithContext(ctx))
				if w.Code != combo.status {
					t.Errorf("%s %s: status = %d, want %d", rt.Method, rt.Pattern, w.Code, combo.status)
				}
				want := pick(r, unauthorized, unauthorizedNative)
				if combo.status == 403 {
					want = pick(r, badOrigin, badOriginNative)
					if combo.host != "" {
						want = pick(r, badHost, badHostNative)
					}
				}
				if got := w.Body.String(); got != want {
					t.Errorf("%s %s: body = %s, want %s", rt.Method, rt.Pattern, got, want)
				}
				for name := range w.Header() {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s %s: has %s", rt.Method, rt.Pattern, name)
					}
				}
			}
		})
	}
	if calls := fake.calls(); len(calls) != 0 {
		t.Errorf("the broker was asked: %q", calls)
	}
}

// T05: who has no token learns nothing, not even which paths there are.
func TestT05_UnauthorizedIsTheSameForKnownAndUnknownPaths(t *testing.T) {
	h := handler(t, server.Config{})
	answer := func(method, path string) string {
		w := serve(h, request(method, path, ""))
		if w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: WWW-Authenticate = %q", method, path, w.Header().Get("WWW-Authenticate"))
		}
		var b strings.Builder
		if err := w.Result().Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, same := range [][]string{
		{"/capabilities", "/nope", "/workspace/auth/status", "/workspace/auth/device-flow/%E0%A4", "/", "//", "/session"},
		{"/v1/token", "/v1/nope", "/v1/events", "/v1/", "/v1/logins/a/b", "/v1/%ff"},
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PUT", "OPTIONS", "BREW"} {
			want := answer("GET", same[0])
			for _, path := range same {
				if diff := cmp.Diff(want, answer(method, path)); diff != "" {
					t.Errorf("%s %s differs from GET %s (-want +got):\n%s", method, path, same[0], diff)
				}
			}
		}
	}
}

func TestOwnersSocketNeedsNoBearer(t *testing.T) {
	for _, noAuth := range []bool{false, true} {
		s := newServer(t, server.Config{NoAuth: noAuth})
		h := s.Handler(unixAddr, true)
		for host, want := range map[string]int{"usher": 200, "localhost": 200, "127.0.0.1:4170": 403, "evil.example": 403, "": 403} {
			r := request("GET", "/v1/credentials", "")
			r.Host = host
			if w := serve(h, r); w.Code != want {
				t.Errorf("Host %q: status = %d, want %d", host, w.Code, want)
			}
		}
		r := request("GET", "/v1/credentials", "", "Origin", "http://localhost")
		r.Host = "localhost"
		if w := serve(h, r); w.Code != 403 {
			t.Errorf("a page's request over the socket: status = %d, want 403", w.Code)
		}
		r = request("GET", "/v1/credentials", "")
		r.Host = "usher"
		if w := serve(s.Handler(unixAddr, false), r); w.Code != 401 {
			t.Errorf("a socket that nobody checked: status = %d, want 401", w.Code)
		}
	}
}

func TestHosts(t *testing.T) {
	addr := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	tests := []struct {
		listen string
		more   []string
		good   []string
		bad    []string
	}{
		{
			listen: "127.0.0.1:4170",
			good:   []string{"localhost:4170", "LOCALHOST:4170", "127.0.0.1:4170", "[::1]:4170", "host.docker.internal:4170"},
			bad: []string{"", "localhost", "127.0.0.1", "127.0.0.1:4171", "127.0.0.1:04170", "localhost.:4170", "127.0.0.1.nip.io:4170",
				"evil.example:4170", "127.1:4170", "0.0.0.0:4170", "[::]:4170", "::1:4170", "[::ffff:127.0.0.1]:4170", "x@localhost:4170", "localhost:4170 ", "localhost:4170,evil.example"},
		},
		{listen: "127.0.0.2:80", good: []string{"127.0.0.2", "127.0.0.2:80", "localhost", "[::1]"}, bad: []string{"127.0.0.2:443", "::1"}},
		{listen: "[::1]:4170", more: []string{"box.test:4170"}, good: []string{"[::1]:4170", "box.test:4170", "BOX.test:4170"}, bad: []string{"box.test"}},
		{listen: "0.0.0.0:4170", good: []string{"box.test:4170", "192.0.2.1:4170"}, bad: []string{"", "0.0.0.0:4170", "0.0.0.0", "[::]:4170", "[::]", "::"}},
		{listen: "192.0.2.1:4170", more: []string{"box.test:4170"}, good: []string{"box.test:4170", "192.0.2.1:4170"}, bad: []string{"evil.example:4170"}},
	}
	for _, tt := range tests {
		h := newServer(t, server.Config{Hosts: tt.more}).Handler(addr(tt.listen), false)
		for want, hosts := range map[int][]string{200: tt.good, 403: tt.bad} {
			for _, host := range hosts {
				r := request("GET", "/health", "")
				r.Host = host
				if w := serve(h, r); w.Code != want {
					t.Errorf("listening on %s, Host %q: status = %d, want %d", tt.listen, host, w.Code, want)
				}
			}
		}
	}
}

func TestOriginsOnAnAddressThatIsNotLoopback(t *testing.T) {
	h := newServer(t, server.Config{}).Handler(&net.TCPAddr{IP: net.IPv4zero, Port: 4170}, false)
	for origin, want := range map[string]int{"http://box.test:4170": 200, "https://box.test:4170": 200, "http://evil.example": 403, "ftp://box.test:4170": 403} {
		r := request("GET", "/health", "", "Origin", origin)
		r.Host = "box.test:4170"
		if w := serve(h, r); w.Code != want {
			t.Errorf("Origin %q: status = %d, want %d", origin, w.Code, want)
		}
	}
}

func TestHTTP_121_EveryAnswerIsKeptFromCachesAndSniffers(t *testing.T) {
	h := handler(t, server.Config{})
	for _, r := range []*http.Request{
		request("GET", "/health", ""),
		request("GET", "/nope", ""),
		request("POST", "/v1/token", `{"key":"github"}`, "Authorization", "Bearer "+bearer, "Content-Type", "application/json"),
		request("GET", "/v1/logins/l-1", "", "Authorization", "Bearer "+bearer),
	} {
		w := serve(h, r)
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s = %q, want %q", r.Method, r.URL.Path, name, got, want)
			}
		}
	}
}

func TestNewRefusesConfigurations(t *testing.T) {
	valid := server.Config{Broker: newFake(), NoAuth: true}
	if _, err := server.New(valid); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]server.Config{
		"no broker":             {NoAuth: true},
		"no token":              {Broker: newFake()},
		"token and no-auth":     {Broker: newFake(), NoAuth: true, Token: newServer(t, server.Config{}).Token},
		"neither broker nor so": {},
		"require no-auth":       {Broker: newFake(), NoAuth: true, RequireAuth: true},
		"every origin, no-auth": {Broker: newFake(), NoAuth: true, AllowedOrigins: []string{"*"}},
		"origin with a path":    {Broker: newFake(), NoAuth: true, AllowedOrigins: []string{"https://app.example/"}},
		"negative limit":        {Broker: newFake(), NoAuth: true, RateLimit: &server.RateLimit{Read: -1}},
	} {
		if _, err := server.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
