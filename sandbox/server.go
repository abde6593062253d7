package sandbox

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Server is the sandbox: an http.Handler. Create it with [New]. All methods
// may be called concurrently.
type Server struct {
	cfg      Config
	dialect  dialect
	clients  map[string]Client // client id -> client; empty: any public client
	routes   map[string]route  // path below the issuer's -> route
	key      signingKey
	formKey  []byte // authenticates the pages' forms
	log      *slog.Logger
	record   recorder
	faults   injector
	attempts attempts

	mu      sync.Mutex
	issuer  string
	prefix  string             // path of the issuer
	devices map[string]*device // device code -> device authorization
	users   map[string]*device // canonical user code -> device authorization
	codes   map[string]*authorizationCode
	access  map[string]*accessToken
	refresh map[string]*refreshToken
}

// New checks cfg and returns a Server without tokens and with an empty record.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	d, err := dialectOf(cfg.Dialect)
	if err != nil {
		return nil, err
	}
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, dialect: d, key: key,
		clients: map[string]Client{},
		formKey: []byte(randomText()),
		log:     cfg.Log,
		devices: map[string]*device{}, users: map[string]*device{},
		codes: map[string]*authorizationCode{}, access: map[string]*accessToken{}, refresh: map[string]*refreshToken{},
	}
	for _, c := range cfg.Clients {
		s.clients[c.ID] = c
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.record.reset()
	s.faults.replace(cfg.Faults)
	s.routes = s.routeTable()
	if cfg.Issuer != "" {
		if err := s.SetIssuer(cfg.Issuer); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// SetIssuer sets the issuer URL, for servers that learn their port only when
// they listen. Call it before the first request.
func (s *Server) SetIssuer(issuer string) error {
	prefix, err := parseIssuer(issuer)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issuer, s.prefix = issuer, prefix
	return nil
}

// Issuer returns the issuer URL exactly as it was set.
func (s *Server) Issuer() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issuer
}

// URL returns the address of a path of this server, such as "/token" or
// "/_sandbox/record".
func (s *Server) URL(path string) string { return trimSlash(s.Issuer()) + path }

// DeviceURL and TokenURL return the addresses of the device authorization and
// the token endpoint, whose paths depend on the dialect.
func (s *Server) DeviceURL() string { return s.URL(s.dialect.devicePath) }

// TokenURL returns the address of the token endpoint; see DeviceURL.
func (s *Server) TokenURL() string { return s.URL(s.dialect.tokenPath) }

// path is a path of this server as its pages refer to it: without a host, so
// that a page works under every name its server is reached by.
func (s *Server) path(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prefix + path
}

func trimSlash(s string) string { return strings.TrimRight(s, "/") }

// route is one path of the server.
type route struct {
	endpoint string
	methods  []string
	form     bool // a POST must carry a form
	handle   func(*call) answer
}

func (s *Server) routeTable() map[string]route {
	get, post, both := []string{"GET", "HEAD"}, []string{"POST"}, []string{"GET", "HEAD", "POST"}
	page := route{endpointPage, both, true, s.page}
	routes := map[string]route{
		wellKnownOAuth:       {endpointDiscovery, get, false, s.discovery},
		wellKnownOpenID:      {endpointDiscovery, get, false, s.discovery},
		"/jwks":              {endpointJWKS, get, false, s.jwks},
		s.dialect.devicePath: {endpointDevice, post, true, s.startDevice},
		s.dialect.tokenPath:  {endpointToken, post, true, s.token},
		"/authorize":         {endpointAuthorize, both, true, s.authorize},
		"/revoke":            {endpointRevoke, post, true, s.revoke},
		"/userinfo":          {endpointUserinfo, both, false, s.userinfo},
		"/resource":          {endpointResource, both, false, s.resource},
		"/device":            page,
		s.dialect.pagePath:   page,
	}
	if s.cfg.WithoutDevice {
		delete(routes, s.dialect.devicePath)
	}
	return routes
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := s.localPath(r.URL.Path)
	switch {
	case s.Issuer() == "":
		write(w, plainError(http.StatusInternalServerError, "the sandbox has no issuer yet"))
		return
	case ok && strings.HasPrefix(path, "/_sandbox/"):
		write(w, s.admin(w, r, path))
		return
	case ok && path == stylePath:
		write(w, s.style())
		return
	case ok && path == "/":
		http.Redirect(w, r, s.path(s.dialect.pagePath), http.StatusSeeOther)
		return
	}
	route, known := s.routes[path]
	if !ok || !known {
		write(w, plainError(http.StatusNotFound, "no such path"))
		return
	}
	if !slices.Contains(route.methods, r.Method) {
		write(w, plainError(http.StatusMethodNotAllowed, "method not allowed").
			with("Allow", strings.Join(route.methods, ", ")))
		return
	}
	s.serve(w, s.read(w, r, route))
}

// localPath takes the issuer's path off a request path. The well-known path
// stands before it for RFC 8414 and behind it for OpenID Connect.
func (s *Server) localPath(path string) (local string, ok bool) {
	s.mu.Lock()
	prefix := s.prefix
	s.mu.Unlock()
	if prefix == "" {
		return path, true
	}
	for _, known := range []string{wellKnownOAuth, wellKnownOpenID} {
		if path == known+prefix {
			return known, true
		}
	}
	local, ok = strings.CutPrefix(path, prefix)
	if local == "" {
		local = "/"
	}
	return local, ok && strings.HasPrefix(local, "/")
}

// hostOf is the host and port of a URL that was checked before.
func hostOf(checked string) string {
	u, err := url.Parse(checked)
	if err != nil {
		panic("sandbox: internal error: " + err.Error())
	}
	return u.Host
}
