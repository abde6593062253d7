package server_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/server"
)

const page = "https://app.example"

// corsHeaders are the headers of an answer that CORS is about.
func corsHeaders(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		if name == "Vary" || strings.HasPrefix(name, "Access-Control-") {
			out[name] = strings.Join(values, " | ")
		}
	}
	return out
}

// Row 1.4, to the letter.
var allowed = map[string]string{
	"Access-Control-Allow-Origin":   page,
	"Vary":                          "Origin",
	"Access-Control-Allow-Methods":  "GET, POST, PATCH, DELETE, OPTIONS",
	"Access-Control-Allow-Headers":  "Authorization, Content-Type, X-Qwen-Client-Id, Last-Event-ID, X-Qwen-Event-Epoch",
	"Access-Control-Max-Age":        "86400",
	"Access-Control-Expose-Headers": "Retry-After, X-Qwen-Event-Epoch, X-Qwen-SSE-Stream-Id",
}

func TestAllowedOriginMayUseEveryRoute(t *testing.T) {
	for name, origins := range map[string][]string{"listed": {"https://other.example", page}, "any": {"*"}} {
		fake := newFake()
		s := newServer(t, server.Config{Broker: fake, AllowedOrigins: origins})
		h := s.Handler(tcpAddr, false)
		for _, rt := range s.Routes() {
			line := rt.Method + " " + rt.Pattern
			want := serve(h, probe(t, fake, rt, "Authorization", "Bearer "+bearer))
			// As a browser sends it, which knows that it is cross-site.
			w := serve(h, probe(t, fake, rt, "Authorization", "Bearer "+bearer, "Origin", page, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"))
			if w.Code != want.Code {
				t.Errorf("%s, %s: status = %d, want %d", name, line, w.Code, want.Code)
			}
			if diff := cmp.Diff(allowed, corsHeaders(w.Header())); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, line, diff)
			}
			// What a page has to know is why it was refused.
			if w := serve(h, probe(t, fake, rt, "Origin", page)); !rt.Public && (w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != page) {
				t.Errorf("%s, %s without a bearer: %d %v", name, line, w.Code, w.Header())
			}
			before := len(fake.calls())
			r := request("OPTIONS", target(rt.Pattern), "", "Origin", page, "Access-Control-Request-Method", rt.Method, "Access-Control-Request-Headers", "authorization")
			pre := serve(h, r)
			if diff := cmp.Diff(allowed, corsHeaders(pre.Header())); pre.Code != 204 || pre.Body.Len() != 0 || diff != "" {
				t.Errorf("%s, %s: preflight: %d %q (-want +got):\n%s", name, line, pre.Code, pre.Body, diff)
			}
			if calls := fake.calls()[before:]; len(calls) != 0 {
				t.Errorf("%s, %s: a preflight asked the broker for %q", name, line, calls)
			}
		}
	}
}

func TestOtherOriginsStayOut(t *testing.T) {
	ok := []string{"Authorization", "Bearer " + bearer}
	tests := map[string]struct {
		origins []string
		headers []string
		status  int
		cors    []string // names
	}{
		"another origin":               {[]string{page}, []string{"Origin", "https://evil.example"}, 403, []string{"Vary"}},
		"another scheme":               {[]string{page}, []string{"Origin", "http://app.example"}, 403, []string{"Vary"}},
		"another port":                 {[]string{page}, []string{"Origin", "https://app.example:8443"}, 403, []string{"Vary"}},
		"the pattern as a prefix":      {[]string{page}, []string{"Origin", "https://app.example.evil.example"}, 403, []string{"Vary"}},
		"in another case":              {[]string{page}, []string{"Origin", "https://APP.example"}, 403, []string{"Vary"}},
		"a star":                       {[]string{page}, []string{"Origin", "*"}, 403, []string{"Vary"}},
		"null":                         {[]string{page}, []string{"Origin", "null"}, 403, []string{"Vary"}},
		"null, with all allowed":       {[]string{"*"}, []string{"Origin", "null"}, 403, []string{"Vary"}},
		"empty, with all allowed":      {[]string{"*"}, []string{"Origin", ""}, 403, []string{"Vary"}},
		"two, with all allowed":        {[]string{"*"}, []string{"Origin", page, "Origin", page}, 403, []string{"Vary"}},
		"no origin, cross-site":        {[]string{"*"}, []string{"Sec-Fetch-Site", "cross-site"}, 403, nil},
		"own":                          {[]string{page}, []string{"Origin", "http://127.0.0.1:4170", "Sec-Fetch-Site", "same-origin"}, 200, []string{"Vary"}},
		"own, but from another site":   {[]string{page}, []string{"Origin", "http://127.0.0.1:4170", "Sec-Fetch-Site", "cross-site"}, 403, []string{"Vary"}},
		"no page at all":               {[]string{page}, nil, 200, nil},
		"own origin, nothing is added": {nil, []string{"Origin", "http://localhost:4170"}, 200, []string{"Vary"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := handler(t, server.Config{AllowedOrigins: tt.origins})
			w := serve(h, request("GET", "/workspace/auth/status", "", append(tt.headers, ok...)...))
			got := slices.Sorted(maps.Keys(corsHeaders(w.Header())))
			if w.Code != tt.status || !slices.Equal(got, tt.cors) {
				t.Errorf("got %d with %q, want %d with %q", w.Code, got, tt.status, tt.cors)
			}
			if tt.status == 403 && w.Body.String() != badOrigin {
				t.Errorf("body = %s", w.Body)
			}
		})
	}
}

// A preflight is answered only to the pages that are allowed: to any other it
// says nothing, not even whether there is a daemon without a token.
func TestPreflightOfOthers(t *testing.T) {
	for _, noAuth := range []bool{false, true} {
		h := handler(t, server.Config{NoAuth: noAuth, AllowedOrigins: []string{page}})
		for origin, want := range map[string]int{"http://evil.example": 403, "null": 403, "": map[bool]int{false: 401, true: 405}[noAuth]} {
			headers := []string{"Access-Control-Request-Method", "POST"}
			if origin != "" {
				headers = append(headers, "Origin", origin)
			}
			w := serve(h, request("OPTIONS", "/workspace/auth/device-flow", "", headers...))
			if w.Code != want || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("no-auth %v, Origin %q: %d %v, want %d", noAuth, origin, w.Code, w.Header(), want)
			}
		}
	}
}

// No page is behind the owner's socket, whatever a forwarder lets through.
func TestOwnersSocketAllowsNoOrigin(t *testing.T) {
	s := newServer(t, server.Config{AllowedOrigins: []string{"*", page}})
	r := request("GET", "/workspace/auth/status", "", "Origin", page)
	r.Host = "usher"
	if w := serve(s.Handler(unixAddr, true), r); w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func TestParseOrigin(t *testing.T) {
	for _, good := range []string{
		"*", "http://localhost", "http://localhost:3000", "https://app.example", "https://app.example:8443", "https://a-b.c_d.example.",
		"http://127.0.0.1:5173", "http://[::1]:5173", "https://[2001:db8::1]", "https://xn--bcher-kva.example",
	} {
		if got, err := server.ParseOrigin(good); err != nil || got != good {
			t.Errorf("ParseOrigin(%q) = %q, %v", good, got, err)
		}
	}
	for bad, want := range map[string]string{
		"":                            `origin "" is not scheme://host[:port]`,
		"null":                        `origin "null" is not scheme://host[:port]`,
		"app.example":                 `origin "app.example" is not scheme://host[:port]`,
		"localhost:3000":              `origin "localhost:3000" is not scheme://host[:port]`,
		"https://":                    `origin "https://" is not scheme://host[:port]`,
		"https://:443":                `origin "https://:443" is not scheme://host[:port]`,
		"https://a b":                 `origin "https://a b" is not scheme://host[:port]`,
		"ftp://app.example":           `origin "ftp://app.example" is not http or https`,
		"chrome-extension://abc":      `origin "chrome-extension://abc" is not http or https`,
		"https://app.example/":        `origin "https://app.example/" must be written https://app.example`,
		"https://app.example/path":    `origin "https://app.example/path" must be written https://app.example`,
		"https://app.example?":        `origin "https://app.example?" must be written https://app.example`,
		"https://app.example#x":       `origin "https://app.example#x" must be written https://app.example`,
		"https://user@app.example":    `origin "https://user@app.example" must be written https://app.example`,
		"HTTPS://App.Example":         `origin "HTTPS://App.Example" must be written https://app.example`,
		"https://app.example:443":     `origin "https://app.example:443" must be written https://app.example`,
		"http://app.example:80":       `origin "http://app.example:80" must be written http://app.example`,
		"http://app.example:":         `origin "http://app.example:" must be written http://app.example`,
		"http://app.example:080":      `origin "http://app.example:080" must be written http://app.example`,
		"http://app.example:0":        `origin "http://app.example:0": port is not 1 to 65535`,
		"http://app.example:65536":    `origin "http://app.example:65536": port is not 1 to 65535`,
		"https://*.app.example":       `origin "https://*.app.example": host is not a plain ASCII name or address`,
		"https://bücher.example":      `origin "https://bücher.example": host is not a plain ASCII name or address`,
		"http://127.1":                `origin "http://127.1": "127.1" is not an IPv4 address`,
		"http://0x7f.0.0.1":           `origin "http://0x7f.0.0.1": "0x7f.0.0.1" is not an IPv4 address`,
		"http://1.2.3.04":             `origin "http://1.2.3.04": "1.2.3.04" is not an IPv4 address`,
		"http://[0:0:0:0:0:0:0:1]":    `origin "http://[0:0:0:0:0:0:0:1]" must be written http://[::1]`,
		"http://[fe80::1%25eth0]":     `origin "http://[fe80::1%25eth0]": "fe80::1%eth0" is not an IPv6 address`,
		"http://[127.0.0.1]":          `origin "http://[127.0.0.1]" is not scheme://host[:port]`,
		"https://app.example,http://": `origin "https://app.example,http://": host is not a plain ASCII name or address`,
	} {
		if got, err := server.ParseOrigin(bad); err == nil || err.Error() != want {
			t.Errorf("ParseOrigin(%q) = %q, %v, want %s", bad, got, err, want)
		}
	}
}

// What is accepted is what a browser would send: written again it is the same.
func FuzzParseOrigin(f *testing.F) {
	for _, seed := range []string{"*", page, "http://[::1]:80", "http://127.0.0.1:4170", "https://a..b", "http://x:1@y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := server.ParseOrigin(s)
		if err != nil {
			return
		}
		if got != s || s != "*" && (s != strings.ToLower(s) || strings.Count(s, "/") != 2 || strings.ContainsAny(s, " *@?#%,\t\r\n")) {
			t.Errorf("ParseOrigin(%q) = %q", s, got)
		}
	})
}
