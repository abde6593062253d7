package server

import (
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/usherauth/usher/api"
)

// access says what a route asks of its caller.
type access int

const (
	// bearer: the daemon's token, or a token-less daemon.
	bearer access = iota
	// public: nothing.
	public
	// strict: as bearer; refused by a token-less daemon in its strict mode.
	strict
	// guarded: the daemon's token; always refused by a token-less daemon.
	guarded
)

// handler serves one route. An error it returns is answered, so it must not
// have written anything by then.
type handler func(w http.ResponseWriter, r *http.Request) error

// A route is one line of the table. A segment {name} of its pattern matches
// any segment that is not empty, which the handler finds as r.PathValue(name).
type route struct {
	method  string
	pattern string
	access  access
	handle  handler
}

// table is all of the server's own routes.
func (g *gateway) table() []route {
	return []route{
		{"GET", "/health", public, g.health},
		{"GET", "/metrics", bearer, g.metrics},
		{"GET", "/capabilities", bearer, g.capabilities},
		{"GET", "/workspace/auth/status", bearer, g.authStatus},
		{"POST", "/workspace/auth/device-flow", strict, g.startDeviceFlow},
		{"GET", "/workspace/auth/device-flow/{id}", strict, g.getDeviceFlow},
		{"DELETE", "/workspace/auth/device-flow/{id}", strict, g.cancelDeviceFlow},

		{"POST", "/session", bearer, g.createSession},
		{"DELETE", "/session/{id}", bearer, g.deleteSession},
		{"GET", "/session/{id}/events", bearer, g.sessionEvents},
		{"POST", "/session/{id}/heartbeat", bearer, g.heartbeatSession},
		{"POST", "/session/{id}/detach", bearer, g.detachSession},

		{"POST", "/v1/logins", strict, g.startLogin},
		{"GET", "/v1/logins", bearer, g.listLogins},
		{"GET", "/v1/logins/{id}", strict, g.getLogin},
		{"DELETE", "/v1/logins/{id}", strict, g.cancelLogin},
		{"POST", "/v1/logins/{id}/complete", strict, g.completeLogin},
		{"GET", "/v1/credentials", guarded, g.listCredentials},
		{"GET", "/v1/credentials/{provider}/{account}", guarded, g.getCredential},
		{"DELETE", "/v1/credentials/{provider}/{account}", guarded, g.logout},
		{"POST", "/v1/token", guarded, g.token},
		{"GET", "/v1/providers", bearer, g.listProviders},
		{"GET", "/v1/events", bearer, g.events},
	}
}

// compiled is a route as requests are matched with it.
type compiled struct {
	route
	segments  []string
	native    bool
	unlimited bool
}

func compile(table []route) []compiled {
	routes := make([]compiled, len(table))
	for i, rt := range table {
		routes[i] = compiled{
			route: rt, segments: strings.Split(rt.pattern, "/"),
			native: nativePath(rt.pattern), unlimited: unlimited(rt),
		}
	}
	return routes
}

// native reports whether r belongs to the native surface.
func native(r *http.Request) bool { return nativePath(r.URL.Path) }

func nativePath(path string) bool { return path == "/v1" || strings.HasPrefix(path, "/v1/") }

// match finds the route of r and sets its path values. The path is taken
// literally: nothing is cleaned, so that what a proxy in front of the daemon
// judged is what is served. Only the compatible surface forgives one trailing
// slash and the case of letters, as its contract says.
func (g *gateway) match(r *http.Request) (*compiled, error) {
	escaped := r.URL.EscapedPath()
	if !native(r) && len(escaped) > 1 {
		escaped = strings.TrimSuffix(escaped, "/")
	}
	// As many as any route has; what is longer matches none.
	segments := make([]string, 0, 8)
	for rest, more := escaped, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if strings.IndexByte(segment, '%') >= 0 {
			text, err := url.PathUnescape(segment)
			if err != nil || !utf8.ValidString(text) {
				return nil, api.Errorf(api.CodeInvalidRequest, "Malformed URL encoding")
			}
			segment = text
		}
		segments = append(segments, segment)
	}
	var allowed []string
	for i := range g.routes {
		rt := &g.routes[i]
		if !rt.matches(segments) {
			continue
		}
		if rt.method == r.Method || rt.method == "GET" && r.Method == "HEAD" {
			rt.setValues(r, segments)
			return rt, nil
		}
		allowed = append(allowed, rt.method)
	}
	if len(allowed) > 0 {
		return nil, methodError{allowed}
	}
	if h := g.extra(r.URL.Path); h != nil {
		return &compiled{route: route{pattern: "extra", access: bearer, handle: func(w http.ResponseWriter, r *http.Request) error {
			awaitBody(w, time.Time{})
			h.ServeHTTP(w, r)
			return nil
		}}}, nil
	}
	return nil, api.Errorf(api.CodeNotFound, "Not found")
}

// extra is the configured handler with the longest path that path is, or is below.
func (s *Server) extra(path string) (h http.Handler) {
	longest := ""
	for p, candidate := range s.Extra {
		if (p == path || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)) && len(p) > len(longest) {
			longest, h = p, candidate
		}
	}
	return h
}

func (rt *compiled) matches(segments []string) bool {
	if len(segments) != len(rt.segments) {
		return false
	}
	for i, want := range rt.segments {
		switch got := segments[i]; {
		case want == got:
		case parameter(want) && got != "":
		case !rt.native && equalFold(want, got):
		default:
			return false
		}
	}
	return true
}

// parameter reports whether a segment of a pattern is of the form {name}.
func parameter(segment string) bool { return segment != "" && segment[0] == '{' }

// equalFold is strings.EqualFold for ASCII alone: of the letters that Unicode
// folds to ASCII, none may stand for one in a path.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func (rt *compiled) setValues(r *http.Request, segments []string) {
	for i, p := range rt.segments {
		if parameter(p) {
			r.SetPathValue(p[1:len(p)-1], segments[i])
		}
	}
}

// methodError is a path that exists with other methods.
type methodError struct{ allowed []string }

func (methodError) Error() string { return "Method not allowed" }

func (e methodError) header(h http.Header) { h.Set("Allow", strings.Join(e.allowed, ", ")) }

// As makes it an [api.Error] for whoever does not care which are allowed.
func (e methodError) As(target any) bool {
	t, ok := target.(**api.Error)
	if ok {
		*t = api.Errorf(api.CodeMethodNotAllowed, "%s", e.Error())
	}
	return ok
}
