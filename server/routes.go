package server

import (
	"net/http"
	"net/url"
	"slices"
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
		{"GET", "/capabilities", bearer, g.capabilities},
		{"GET", "/workspace/auth/status", bearer, g.authStatus},
		{"POST", "/workspace/auth/device-flow", strict, g.startDeviceFlow},
		{"GET", "/workspace/auth/device-flow/{id}", strict, g.getDeviceFlow},
		{"DELETE", "/workspace/auth/device-flow/{id}", strict, g.cancelDeviceFlow},

		{"POST", "/v1/logins", bearer, g.startLogin},
		{"GET", "/v1/logins", bearer, g.listLogins},
		{"GET", "/v1/logins/{id}", bearer, g.getLogin},
		{"DELETE", "/v1/logins/{id}", bearer, g.cancelLogin},
		{"GET", "/v1/credentials", guarded, g.listCredentials},
		{"GET", "/v1/credentials/{provider}/{account}", guarded, g.getCredential},
		{"DELETE", "/v1/credentials/{provider}/{account}", guarded, g.logout},
		{"POST", "/v1/token", guarded, g.token},
		{"GET", "/v1/providers", bearer, g.listProviders},
		{"GET", "/v1/events", bearer, g.events},
	}
}

// native reports whether r belongs to the native surface.
func native(r *http.Request) bool {
	return r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/")
}

// match finds the route of r and sets its path values. The path is taken
// literally: nothing is cleaned, so that what a proxy in front of the daemon
// judged is what is served. Only the compatible surface forgives one trailing
// slash.
func (g *gateway) match(r *http.Request) (route, error) {
	escaped := r.URL.EscapedPath()
	if !native(r) && len(escaped) > 1 {
		escaped = strings.TrimSuffix(escaped, "/")
	}
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		text, err := url.PathUnescape(segment)
		if err != nil || !utf8.ValidString(text) {
			return route{}, api.Errorf(api.CodeInvalidRequest, "Malformed URL encoding")
		}
		segments[i] = text
	}
	var allowed []string
	for _, rt := range g.routes {
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
		return route{}, methodError{allowed}
	}
	if h := g.extra(r.URL.Path); h != nil {
		return route{pattern: "extra", access: bearer, handle: func(w http.ResponseWriter, r *http.Request) error {
			awaitBody(w, time.Time{})
			h.ServeHTTP(w, r)
			return nil
		}}, nil
	}
	return route{}, api.Errorf(api.CodeNotFound, "Not found")
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

func (rt route) matches(segments []string) bool {
	return slices.EqualFunc(strings.Split(rt.pattern, "/"), segments, func(p, s string) bool {
		return p == s || strings.HasPrefix(p, "{") && s != ""
	})
}

func (rt route) setValues(r *http.Request, segments []string) {
	for i, p := range strings.Split(rt.pattern, "/") {
		if name, ok := strings.CutPrefix(p, "{"); ok {
			r.SetPathValue(strings.TrimSuffix(name, "}"), segments[i])
		}
	}
}

// methodError is a path that exists with other methods.
type methodError struct{ allowed []string }

func (methodError) Error() string { return "Method not allowed" }

// As makes it an [api.Error] for whoever does not care which are allowed.
func (e methodError) As(target any) bool {
	t, ok := target.(**api.Error)
	if ok {
		*t = api.Errorf(api.CodeMethodNotAllowed, "%s", e.Error())
	}
	return ok
}
