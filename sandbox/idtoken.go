package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// signingKey signs id tokens with ES256; it lives as long as its Server.
type signingKey struct {
	signer jose.Signer
	public jose.JSONWebKeySet
}

func newSigningKey() (signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, fmt.Errorf("generating signing key: %w", err)
	}
	jwk := jose.JSONWebKey{Key: private, KeyID: randomText(), Algorithm: string(jose.ES256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return signingKey{}, fmt.Errorf("making signer: %w", err)
	}
	return signingKey{signer, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}}, nil
}

// idTokenLocked mints an id token (OpenID Connect Core section 2). The nonce
// is that of the authorization request; a refreshed one has none.
func (s *Server) idTokenLocked(c *call, f *family, nonce string) string {
	now := time.Now()
	claims := struct {
		jwt.Claims
		Nonce string `json:"nonce,omitempty"`
	}{jwt.Claims{
		Issuer: s.issuer, Subject: f.subject, Audience: jwt.Audience{f.client},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(s.cfg.tokenLifetime())),
		ID: s.cfg.Canary + randomText(),
	}, nonce}
	token, err := jwt.Signed(s.key.signer).Claims(claims).Serialize()
	if err != nil {
		panic("sandbox: internal error: signing id token: " + err.Error())
	}
	c.entry.issued("id_token_jti", claims.ID)
	c.entry.issued("id_token", token)
	return token
}

// jwks is the key set id tokens verify with (RFC 7517 section 5).
func (s *Server) jwks(*call) answer { return jsonAnswer(http.StatusOK, s.key.public) }
