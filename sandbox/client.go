package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/usherauth/usher/secret"
)

// AuthStyle is how a client authenticates (RFC 6749 section 2.3).
type AuthStyle string

// The authentication styles.
const (
	AuthNone  AuthStyle = "none"  // a public client: client_id alone
	AuthPost  AuthStyle = "post"  // client_secret in the body
	AuthBasic AuthStyle = "basic" // HTTP Basic
)

// Client is a registered client.
type Client struct {
	// ID is the client_id.
	ID string
	// Secret is the client_secret; zero for AuthNone.
	Secret secret.String
	// AuthStyle is the only way this client may authenticate. Empty: AuthNone.
	AuthStyle AuthStyle
	// RedirectURIs are matched exactly, but for the port of a loopback IP
	// literal (RFC 8252 section 7.3). Empty: no authorization code grant.
	RedirectURIs []string
	// Scopes are the scopes the client may ask for, and gets when it asks for
	// none. Empty: any.
	Scopes []string
}

// clientFile is a Client on disk.
type clientFile struct {
	ID           string    `json:"id"`
	Secret       string    `json:"secret"`
	AuthStyle    AuthStyle `json:"auth_style"`
	RedirectURIs []string  `json:"redirect_uris"`
	Scopes       []string  `json:"scopes"`
}

// ParseClients reads registered clients from JSON: a list of objects with id,
// secret, auth_style (none, post, basic), redirect_uris and scopes. An unknown
// field is an error that names it.
func ParseClients(data []byte) ([]Client, error) {
	var files []clientFile
	if err := decodeStrict(data, &files); err != nil {
		return nil, fmt.Errorf("parsing clients: %w", err)
	}
	clients := make([]Client, len(files))
	for i, f := range files {
		clients[i] = Client{ID: f.ID, AuthStyle: f.AuthStyle, RedirectURIs: f.RedirectURIs, Scopes: f.Scopes}
		if f.Secret != "" {
			clients[i].Secret = secret.New(f.Secret)
		}
	}
	if err := validateClients(clients); err != nil {
		return nil, err
	}
	return clients, nil
}

// decodeStrict decodes exactly one JSON value and refuses unknown fields.
func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func validateClients(clients []Client) error {
	seen := map[string]bool{}
	for i, c := range clients {
		if !isClientID(c.ID) {
			return fmt.Errorf("client %d: id: want 1 to %d printable ASCII characters", i+1, maxClientID)
		}
		if seen[c.ID] {
			return fmt.Errorf("client %q: registered twice", c.ID)
		}
		seen[c.ID] = true
		if err := c.validate(); err != nil {
			return fmt.Errorf("client %q: %w", c.ID, err)
		}
	}
	return nil
}

func (c Client) validate() error {
	switch c.authStyle() {
	case AuthNone:
		if !c.Secret.IsZero() {
			return errors.New("auth style none takes no secret")
		}
	case AuthPost, AuthBasic:
		if c.Secret.IsZero() {
			return fmt.Errorf("auth style %s needs a secret", c.AuthStyle)
		}
	default:
		return fmt.Errorf("auth style %q: want none, post or basic", c.AuthStyle)
	}
	for _, uri := range c.RedirectURIs {
		u, err := url.Parse(uri)
		if err != nil || !u.IsAbs() || strings.Contains(uri, "#") {
			return fmt.Errorf("redirect URI %q: want an absolute URI without fragment", uri)
		}
	}
	for _, scope := range c.Scopes {
		if !isScopeToken(scope) {
			return fmt.Errorf("scope %q: not a scope token", scope)
		}
	}
	return nil
}

func (c Client) authStyle() AuthStyle { return orDefault(c.AuthStyle, AuthNone) }

// mayRedirect reports whether an authorization answer may go to uri.
func (c Client) mayRedirect(uri string) bool {
	asked, err := url.Parse(uri)
	if err != nil || strings.Contains(uri, "#") {
		return false
	}
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		if registered == uri {
			return true
		}
		known, err := url.Parse(registered)
		if err != nil || known.Scheme != "http" || !isLoopbackIP(known.Hostname()) {
			return false
		}
		// A native app listens on whatever port it gets.
		return asked.Scheme == known.Scheme && asked.Hostname() == known.Hostname() && asked.User == nil &&
			asked.EscapedPath() == known.EscapedPath() && asked.RawQuery == known.RawQuery
	})
}

// isLoopbackRedirect reports whether uri is where an unregistered client may
// be sent: its own machine and nowhere else, or the sandbox would be an open
// redirector.
func isLoopbackRedirect(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || strings.Contains(uri, "#") {
		return false
	}
	return u.Hostname() == "localhost" || isLoopbackIP(u.Hostname())
}

func isLoopbackIP(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

const (
	maxClientID = 256
	maxScope    = 1024
)

// isClientID reports whether id is *VSCHAR (RFC 6749 appendix A.1) of a sane length.
func isClientID(id string) bool {
	return id != "" && len(id) <= maxClientID &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// isScopeToken reports whether s is a scope-token (RFC 6749 appendix A.4).
func isScopeToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x21 || r > 0x7e || r == '"' || r == '\\'
	})
}
