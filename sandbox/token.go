package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

// family is all tokens that descend from one login. Reuse of one of its spent
// refresh tokens revokes them all. Guarded by Server.mu.
type family struct {
	client   string
	scopes   []string
	subject  string
	revoked  bool
	inFlight int // refresh requests being answered
}

type accessToken struct {
	family  *family
	scopes  []string
	expires time.Time // zero: never
	revoked bool
}

// tokenAnswer is the access token response (RFC 6749 section 5.1).
type tokenAnswer struct {
	Status       string `json:"status,omitempty"` // Qwen
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	ResourceURL  string `json:"resource_url,omitempty"` // Qwen
	IDToken      string `json:"id_token,omitempty"`
}

// token is the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(c *call) answer {
	client, refused := s.authenticate(c)
	if refused != nil {
		return *refused
	}
	if c.endpoint == endpointTokenDevice && s.cfg.WithoutDevice {
		return s.refuse(c, errUnsupportedGrant, "")
	}
	switch c.endpoint {
	case endpointTokenDevice:
		return s.redeemDevice(c, client)
	case endpointTokenCode:
		return s.redeemCode(c, client)
	case endpointTokenRefresh:
		return s.redeemRefresh(c, client)
	}
	if !c.form.Has("grant_type") {
		return s.refuse(c, errInvalidRequest, "grant_type is missing")
	}
	return s.refuse(c, errUnsupportedGrant, "")
}

// grantLocked answers a granted request with a new access token of f and the
// given refresh token, which may be nil.
func (s *Server) grantLocked(c *call, f *family, scopes []string, refresh *refreshToken, nonce string) answer {
	d := s.dialect
	a := tokenAnswer{
		AccessToken: s.newSecret(c, "access_token", d.accessPrefix),
		TokenType:   d.tokenType,
		Scope:       strings.Join(scopes, d.scopeSeparator),
	}
	access := &accessToken{family: f, scopes: scopes}
	if s.tokensExpire() {
		access.expires = time.Now().Add(s.cfg.tokenLifetime())
		a.ExpiresIn = int(s.cfg.tokenLifetime() / time.Second)
	}
	s.access[a.AccessToken] = access
	if refresh != nil {
		a.RefreshToken = refresh.value
	}
	if d.statusSuccess {
		a.Status = "success"
	}
	if d.resourceURL {
		a.ResourceURL = hostOf(s.issuer)
	}
	if d.idToken && slices.Contains(scopes, "openid") {
		a.IDToken = s.idTokenLocked(c, f, nonce)
	}
	return d.encode(c.r, http.StatusOK, a).as("issued")
}

func (s *Server) tokensExpire() bool { return !s.dialect.expiresOnDemand || s.cfg.TokenLifetime != 0 }

// newSecret mints a secret of its kind, with the canary in it, and notes it for
// the record's secrets.
func (s *Server) newSecret(c *call, kind, prefix string) string {
	value := prefix + s.cfg.Canary + randomText()
	c.entry.issued(kind, value)
	return value
}

// randomText is 256 random bits as text.
func randomText() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// retention is how long expired codes and access tokens are remembered, so
// that a late request is still told "expired" and not "unknown".
const retention = time.Hour

// sweepLocked forgets what expired long ago. Spent refresh tokens stay: their
// reuse must be seen however late it comes.
func (s *Server) sweepLocked(now time.Time) {
	old := now.Add(-retention)
	for code, d := range s.devices {
		if d.expires.Before(old) {
			delete(s.devices, code)
			delete(s.users, canonicalUserCode(d.userCode))
		}
	}
	for code, a := range s.codes {
		if a.expires.Before(old) {
			delete(s.codes, code)
		}
	}
	for value, t := range s.access {
		if !t.expires.IsZero() && t.expires.Before(old) {
			delete(s.access, value)
		}
	}
}
