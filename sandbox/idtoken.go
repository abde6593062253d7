package sandbox

import (
	"net/http"
	"time"
)

// idClaims are the claims of an id token (OpenID Connect Core section 2).
type idClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
	ID       string `json:"jti"`
	Nonce    string `json:"nonce,omitempty"`
}

// idTokenLocked mints an id token. The nonce is that of the authorization
// request; a refreshed one has none.
func (s *Server) idTokenLocked(c *call, f *family, nonce string) string {
	now := time.Now()
	claims := idClaims{
		Issuer: s.issuer, Subject: f.subject, Audience: f.client,
		IssuedAt: now.Unix(), Expiry: now.Add(s.cfg.tokenLifetime()).Unix(),
		ID: s.cfg.Canary + randomText(), Nonce: nonce,
	}
	token, err := s.key.sign(claims)
	if err != nil {
		panic("sandbox: internal error: id token: " + err.Error())
	}
	c.entry.issued("id_token_jti", claims.ID)
	c.entry.issued("id_token", token)
	return token
}

// jwks is the key set id tokens verify with (RFC 7517 section 5).
func (s *Server) jwks(*call) answer { return jsonAnswer(http.StatusOK, jwkSet{[]jwk{s.key.public}}) }
