package server

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
)

// The answers of the gates. Their words are those of the compatible surface.
var (
	errHost         = &api.Error{Code: api.CodeForbiddenHost, Message: "Invalid Host header"}
	errOrigin       = &api.Error{Code: api.CodeForbiddenOrigin, Message: "Request denied by CORS policy"}
	errUnauthorized = &api.Error{Code: api.CodeUnauthorized, Message: "Unauthorized"}
	errTooLarge     = &api.Error{Code: api.CodeBodyTooLarge, Message: "Request body too large"}
	errTokenNeeded  = &api.Error{
		Code:    api.CodeTokenRequired,
		Message: "This route requires the daemon to be configured with a bearer token. Set QWEN_SERVER_TOKEN or pass --token to enable bearer auth.",
		Hint:    "set USHER_SERVER_TOKEN or pass --token-file",
	}
)

// A gateway is the server as one listener shows it.
type gateway struct {
	*Server
	names names
	// trusted: the listener has authenticated the owner.
	trusted bool
	routes  []route
}

// Handler returns the server with all its gates as it is seen on a listener at
// addr; trusted as in [Listener].
func (s *Server) Handler(addr net.Addr, trusted bool) http.Handler {
	g := &gateway{Server: s, names: newNames(addr, s.Hosts), trusted: trusted}
	g.routes = g.table()
	return g
}

// ServeHTTP sends r through the gates to its route, and answers what either
// refuses.
func (g *gateway) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &response{ResponseWriter: rw}
	began := time.Now()
	pattern := ""
	defer func() {
		g.recovered(w, r, recover())
		g.Log.Debug("request", "method", r.Method, "route", pattern, "status", w.status, "took", time.Since(began))
	}()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	abandonBody(w, r)
	rt, err := g.pass(w, r)
	pattern = rt.pattern
	if err == nil {
		err = rt.handle(w, r)
	}
	if err != nil {
		g.fail(w, r, err)
	}
}

// pass is the gates in their order. The route is looked up early, since some
// gates depend on it, but whether there is one shows only behind them.
func (g *gateway) pass(w http.ResponseWriter, r *http.Request) (route, error) {
	if err := g.checkHost(r); err != nil {
		return route{}, err
	}
	if err := g.checkOrigin(w, r); err != nil {
		return route{}, err
	}
	rt, noRoute := g.match(r)
	if err := g.checkBearer(r, rt); err != nil {
		return route{}, err
	}
	if err := g.checkStrict(rt); err != nil {
		return rt, err
	}
	if noRoute == nil {
		if err := limitBody(w, r, rt); err != nil {
			return rt, err
		}
	}
	return rt, noRoute
}

// checkHost refuses a request for a host that is not the daemon. The absolute
// form (RFC 9112 section 3.2.2) is for proxies, and hides the Host header.
func (g *gateway) checkHost(r *http.Request) error {
	if !strings.HasPrefix(r.RequestURI, "/") && r.RequestURI != "*" || !g.names.host(r.Host) {
		return errHost
	}
	return nil
}

// checkOrigin refuses what a web page of another origin makes a browser send.
// Sec-Fetch-Site covers the requests that carry no Origin.
func (g *gateway) checkOrigin(w http.ResponseWriter, r *http.Request) error {
	own := func(origin string) bool { return g.names.origin(origin, r.Host) }
	if origins := r.Header.Values("Origin"); len(origins) > 0 {
		w.Header().Set("Vary", "Origin")
		if len(origins) > 1 || !own(origins[0]) {
			return errOrigin
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "none" && site != "same-origin" {
			return errOrigin
		}
	}
	return nil
}

// checkBearer refuses whoever does not present the daemon's token (RFC 6750
// section 2.1). The scheme's case and the run of blanks after it are free.
func (g *gateway) checkBearer(r *http.Request, rt route) error {
	if g.trusted || g.NoAuth || rt.access == public {
		return nil
	}
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return errUnauthorized
	}
	i := strings.IndexAny(values[0], " \t")
	if i < 0 || !strings.EqualFold(values[0][:i], "bearer") {
		return errUnauthorized
	}
	if !g.Token.Equal(secret.New(strings.TrimLeft(values[0][i:], " \t"))) {
		return errUnauthorized
	}
	return nil
}

// checkStrict refuses, on a daemon without a token, what needs one configured.
func (g *gateway) checkStrict(rt route) error {
	switch {
	case g.trusted || !g.NoAuth:
		return nil
	case rt.access == guarded, rt.access == strict && g.StrictLoopback:
		return errTokenNeeded
	default:
		return nil
	}
}
