package login

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/internal/safetext"
)

// DefaultRedirectURI is where a browser is sent from the provider of that name
// if nobody says otherwise. Nobody has to listen there, and a daemon never does:
// the address that the browser then shows holds the answer and can be pasted.
// What might listen there cannot use the code, for want of the code verifier
// (RFC 7636). Each provider has its own, so that the answer of one is not taken
// for that of another which sends no issuer (RFC 8252 section 8.10).
func DefaultRedirectURI(provider string) string { return "http://127.0.0.1:4171/callback/" + provider }

// maxRedirectURI is longer than what any server takes.
const maxRedirectURI = 1024

// ErrRedirectURI is matched by the error for a redirect URI that may not be used.
var ErrRedirectURI = errors.New("redirect URI must be http://127.0.0.1:PORT/... or http://[::1]:PORT/..., or one that the provider's file allows")

// CheckRedirectURI returns nil if uri is one of allowed, character by character,
// or but for its port, where an allowed one leads to loopback and names none; or
// if it is the client's own loopback address (RFC 8252 section 7.3): http to the
// literal 127.0.0.1 or [::1] with a port, without user information, query and
// fragment. "localhost" counts only where it is allowed, since what that is a
// resolver decides (section 8.3).
func CheckRedirectURI(uri string, allowed []string) error {
	if slices.Contains(allowed, uri) || slices.Contains(allowed, withoutPort(uri)) {
		return nil
	}
	u, err := url.Parse(uri)
	if err != nil || len(uri) > maxRedirectURI || u.String() != uri ||
		u.Scheme != "http" || u.User != nil || strings.ContainsAny(uri, "?#") {
		return ErrRedirectURI
	}
	host, err := netip.ParseAddr(u.Hostname())
	if err != nil || host != netip.AddrFrom4([4]byte{127, 0, 0, 1}) && host != netip.IPv6Loopback() {
		return ErrRedirectURI
	}
	// There is one way to write a loopback address: another one would not be what
	// the browser shows.
	if !isPort(u.Port()) || u.Host != net.JoinHostPort(host.String(), u.Port()) {
		return ErrRedirectURI
	}
	return nil
}

// withoutPort is uri, which leads to loopback, without its port; empty for another.
func withoutPort(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || !isPort(u.Port()) || !safetext.IsLoopback(u.Hostname()) {
		return ""
	}
	rest, ok := strings.CutPrefix(uri, "http://"+u.Host)
	if !ok {
		return ""
	}
	return "http://" + strings.TrimSuffix(u.Host, ":"+u.Port()) + rest
}

// isPort reports whether text is a port as browsers write it.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port != 0 && strconv.FormatUint(port, 10) == text
}

// An Answer is an authorization response (RFC 6749 section 4.1.2) that somebody
// brings to [Registry.Complete].
type Answer struct {
	// RedirectedURL is the whole URL that the browser was sent to. With it the
	// other fields do not count.
	RedirectedURL string
	// Code, State and ISS are the parameters of that URL; ISS, of RFC 9207, is
	// empty if there was none.
	Code, State, ISS string
}

// maxRedirectedURL is longer than the address bars of browsers take.
const maxRedirectedURL = 32 << 10

// ErrRedirectedURL is matched by the error for a URL that is no answer: it
// cannot be read, or the redirect URI of the login does not lead there.
var ErrRedirectedURL = errors.New("this is not the address that the browser was sent to at the end")

// parameters are those of the response, for a login that redirects to redirectURI.
func (a Answer) parameters(redirectURI string) (url.Values, error) {
	if a.RedirectedURL == "" {
		q := url.Values{"code": {a.Code}, "state": {a.State}}
		if a.ISS != "" {
			q.Set("iss", a.ISS)
		}
		return q, nil
	}
	if len(a.RedirectedURL) > maxRedirectedURL {
		return nil, ErrRedirectedURL
	}
	got, err := url.Parse(strings.TrimSpace(a.RedirectedURL)) // of a clipboard
	if err != nil {
		return nil, ErrRedirectedURL
	}
	want, err := url.Parse(redirectURI)
	if err != nil {
		return nil, fmt.Errorf("redirect URI of the login: %w", err)
	}
	same := got.Scheme == want.Scheme && strings.EqualFold(got.Host, want.Host) && got.User == nil &&
		rooted(got.EscapedPath()) == rooted(want.EscapedPath())
	if !same {
		return nil, ErrRedirectedURL
	}
	q, err := url.ParseQuery(got.RawQuery)
	if err != nil {
		return nil, ErrRedirectedURL
	}
	return q, nil
}

// rooted is a path as browsers send it: never empty.
func rooted(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
