package server

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
)

// The answers of the gates. The messages are those of the compatible surface,
// but for the last, for which compatBody has them; hints are for /v1 alone.
var (
	errHost = &api.Error{
		Code: api.CodeForbiddenHost, Message: "Invalid Host header",
		Hint: "send the address that the daemon listens on as Host, with its port",
	}
	errOrigin = &api.Error{
		Code: api.CodeForbiddenOrigin, Message: "Request denied by CORS policy",
		Hint: "pages of this origin are let in by usher serve --allow-origin",
	}
	errUnauthorized = &api.Error{
		Code: api.CodeUnauthorized, Message: "Unauthorized",
		Hint: "send Authorization: Bearer with the daemon's token; unless it was given one, it is in server-token in its data folder",
	}
	errTooLarge    = &api.Error{Code: api.CodeBodyTooLarge, Message: "Request body too large"}
	errTokenNeeded = &api.Error{
		Code: api.CodeTokenRequired, Message: "the daemon runs without a token, and does not do this without one",
		Hint: "start it without --no-auth",
	}
)

// A gateway is the server as one listener shows it.
type gateway struct {
	*Server
	names names
	// trusted: the listener has authenticated the owner.
	trusted bool
	// loopback: only this machine reaches the listener.
	loopback bool
	routes   []compiled
	unknown  compiled // what a request has that has no route
	// followed has one slot per open stream of a session.
	followed chan struct{}
}

// Handler returns the server with all its gates as it is seen on a listener at
// addr; trusted as in [Listener].
func (s *Server) Handler(addr net.Addr, trusted bool) http.Handler {
	g := &gateway{Server: s, names: newNames(addr, s.Hosts), trusted: trusted, loopback: loopback(addr)}
	g.followed = make(chan struct{}, (s.MaxConnections+1)/2)
	g.routes = compile(g.table())
	return g
}

// ServeHTTP sends r through the gates to its route, and answers what either
// refuses.
func (g *gateway) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &response{ResponseWriter: rw}
	began := time.Now()
	rt := &g.unknown
	defer func() {
		g.recovered(w, r, recover())
		if g.Log.Enabled(r.Context(), slog.LevelDebug) {
			g.Log.Debug("request", "method", r.Method, "route", rt.pattern, "status", w.status, "took", time.Since(began))
		}
	}()
	defer releaseBody(r)
	guardAnswer(w.Header())
	abandonBody(w, r)
	rt, err := g.pass(w, r)
	if err == nil {
		err = rt.handle(w, r)
	}
	if err != nil {
		g.fail(w, r, err)
	}
}

// guardAnswer keeps an answer out of caches and other pages, and from being
// taken for something else than it says. Names in their canonical form and one
// array for all values: this is done for every request.
func guardAnswer(h http.Header) {
	values := []string{"no-store", "same-origin", "nosniff"}
	h["Cache-Control"] = values[0:1:1]
	h["Cross-Origin-Resource-Policy"] = values[1:2:2]
	h["X-Content-Type-Options"] = values[2:3:3]
}

// pass is the gates in their order. The route is looked up early, since some
// gates depend on it, but whether there is one shows only behind them.
func (g *gateway) pass(w http.ResponseWriter, r *http.Request) (*compiled, error) {
	unknown := &g.unknown
	if err := g.checkHost(r); err != nil {
		return unknown, err
	}
	allowed, err := g.checkOrigin(w, r)
	switch {
	case err != nil:
		return unknown, err
	case allowed && preflight(r):
		return &compiled{route: route{pattern: "preflight", handle: answerPreflight}}, nil
	}
	rt, noRoute := g.match(r)
	if noRoute != nil {
		rt = unknown
	}
	if err := g.checkBearer(r, rt.access); err != nil {
		return unknown, err
	}
	if err := g.checkRate(r, rt); err != nil {
		return rt, err
	}
	if err := g.checkStrict(rt.access); err != nil {
		return rt, err
	}
	if noRoute == nil {
		if err := g.limitBody(w, r, rt); err != nil {
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

// checkBearer refuses whoever does not present the daemon's token (RFC 6750
// section 2.1). The scheme's case and the run of blanks after it are free.
func (g *gateway) checkBearer(r *http.Request, a access) error {
	if g.trusted || g.NoAuth || a == public && !g.RequireAuth {
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
func (g *gateway) checkStrict(a access) error {
	switch {
	case g.trusted || !g.NoAuth:
		return nil
	case a == guarded, a == strict && g.StrictLoopback:
		return errTokenNeeded
	default:
		return nil
	}
}
