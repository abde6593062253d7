package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/usherauth/usher/secret"
)

// authenticate finds the client of a request and checks that it authenticated
// in its one registered way (RFC 6749 section 2.3). A secret or a Basic header
// from a public client is refused: a client that probes for the style a server
// likes shall notice here.
func (s *Server) authenticate(c *call) (Client, *answer) {
	refused := func(code, description string) (Client, *answer) {
		a := s.refuse(c, code, description)
		if code == errInvalidClient && c.r.Header.Get("Authorization") != "" {
			a = a.with("WWW-Authenticate", `Basic realm="sandbox"`)
		}
		return Client{}, &a
	}

	id, given, style := c.get("client_id"), secret.String{}, AuthNone
	if c.form.Has("client_secret") {
		given, style = secret.New(c.get("client_secret")), AuthPost
	}
	if c.r.Header.Get("Authorization") != "" {
		if style == AuthPost {
			return refused(errInvalidRequest, "two ways of client authentication")
		}
		basicID, basicSecret, ok := basicAuth(c.r)
		if !ok {
			return refused(errInvalidClient, "malformed Authorization header")
		}
		if id != "" && id != basicID {
			return refused(errInvalidRequest, "two client ids")
		}
		id, given, style = basicID, basicSecret, AuthBasic
	}

	switch client, ok := s.client(id); {
	case id == "":
		return refused(errInvalidRequest, "client_id is missing")
	case !ok:
		return refused(errInvalidClient, "unknown client")
	case style != client.authStyle():
		return refused(errInvalidClient, "wrong way of client authentication")
	case !given.Equal(client.Secret):
		return refused(errInvalidClient, "wrong client secret")
	default:
		return client, nil
	}
}

// basicAuth decodes HTTP Basic, whose two halves are form-encoded before they
// are joined (RFC 6749 section 2.3.1).
func basicAuth(r *http.Request) (id string, password secret.String, ok bool) {
	rawID, rawPassword, ok := r.BasicAuth()
	if !ok {
		return "", secret.String{}, false
	}
	id, err := url.QueryUnescape(rawID)
	if err != nil {
		return "", secret.String{}, false
	}
	clear, err := url.QueryUnescape(rawPassword)
	if err != nil {
		return "", secret.String{}, false
	}
	return id, secret.New(clear), true
}

// client looks a client id up; without registered clients every well-formed id
// is a public client.
func (s *Server) client(id string) (Client, bool) {
	if len(s.clients) == 0 {
		return Client{ID: id}, isClientID(id)
	}
	client, ok := s.clients[id]
	return client, ok
}

// mayRedirect reports whether an authorization answer for client may go to uri.
func (s *Server) mayRedirect(client Client, uri string) bool {
	if len(s.clients) == 0 {
		return isLoopbackRedirect(uri)
	}
	return client.mayRedirect(uri)
}

// defaultScope is granted to a client without registered scopes that asks for
// none (RFC 6749 section 3.3 wants such a default to be documented). Dialects
// without id tokens grant no scope then.
const defaultScope = "openid"

// scopesOf reads a scope parameter for a client; ok is false when it is
// malformed or asks for more than the client may have. GitHub separates scopes
// with commas as well as with spaces.
func (s *Server) scopesOf(client Client, scope string) (scopes []string, ok bool) {
	if len(scope) > maxScope {
		return nil, false
	}
	scopes = strings.FieldsFunc(scope, func(r rune) bool {
		return r == ' ' || s.dialect.scopeSeparator == "," && r == ','
	})
	if len(scopes) == 0 {
		if len(client.Scopes) > 0 {
			return client.Scopes, true
		}
		if !s.dialect.idToken {
			return nil, true
		}
		return []string{defaultScope}, true
	}
	for _, one := range scopes {
		if !isScopeToken(one) || len(client.Scopes) > 0 && !slices.Contains(client.Scopes, one) {
			return nil, false
		}
	}
	return scopes, true
}
