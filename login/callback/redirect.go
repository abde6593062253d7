package callback

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// ErrNotLoopback means that the provider sends browsers elsewhere only, so that
// nobody can listen there.
var ErrNotLoopback = errors.New("the provider's redirect URIs lead away from this machine")

// ErrPort means that none of the provider's redirect URIs allows for the port.
var ErrPort = errors.New("the provider's redirect URIs do not allow for this port")

// target is where a browser is to be sent.
type target struct {
	host string // 127.0.0.1, ::1 or localhost
	port int    // 0: any
	// path and query are as they stand in the URI.
	path, query string
}

// target is the first of the provider's redirect URIs that can be listened on,
// or the usual one if it names none. Its host and path are kept, and so is its
// port, if it has one: a registered redirect URI is compared character by
// character. Only for a literal address the port is free (RFC 8252 section 7.3),
// so that c.Port may replace it.
func (c Config) target() (target, error) {
	if len(c.RedirectURIs) == 0 {
		return target{host: "127.0.0.1", port: c.Port, path: "/callback/" + c.Provider}, nil
	}
	problem := ErrNotLoopback
	for _, uri := range c.RedirectURIs {
		t, ok := parseTarget(uri)
		switch {
		case !ok:
			continue
		case c.Port == 0:
		case t.port == 0 || t.host != "localhost":
			t.port = c.Port
		case t.port != c.Port:
			problem = ErrPort
			continue
		}
		return t, nil
	}
	return target{}, problem
}

// parseTarget reads a redirect URI that leads to loopback.
func parseTarget(uri string) (target, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return target{}, false
	}
	t := target{host: u.Hostname(), path: u.EscapedPath(), query: u.RawQuery}
	switch t.host {
	case "127.0.0.1", "::1", "localhost":
	default:
		return target{}, false
	}
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return target{}, false
		}
		t.port = int(port)
	}
	return t, true
}

// uri is the redirect URI that leads to t at its port.
func (t target) uri() string {
	if t.query == "" {
		return t.address()
	}
	return t.address() + "?" + t.query
}

// address is uri without the query.
func (t target) address() string {
	return "http://" + net.JoinHostPort(t.host, strconv.Itoa(t.port)) + t.path
}

// leadsTo reports whether a browser that was sent to t asks for path: it never
// asks for an empty one.
func (t target) leadsTo(path string) bool { return path == t.path || t.path == "" && path == "/" }

// hosts are the values of the header Host by which a browser asks for t: the name
// that it was sent to, and the addresses that are listened on. What "localhost"
// is a resolver decides, so that it counts only where the provider insists on it.
func (t target) hosts() map[string]bool {
	hosts := map[string]bool{}
	for _, host := range []string{t.host, "127.0.0.1", "::1"} {
		full := net.JoinHostPort(host, strconv.Itoa(t.port))
		hosts[full] = true
		if t.port == 80 { // browsers leave it out
			hosts[strings.TrimSuffix(full, ":80")] = true
		}
	}
	return hosts
}
