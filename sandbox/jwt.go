package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// jwk is an elliptic curve public key (RFC 7517, RFC 7518 section 6.2).
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

// jwkSet is a JWK Set (RFC 7517 section 5).
type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// signingKey signs id tokens with ES256 (RFC 7518 section 3.4); it lives as long
// as its Server.
type signingKey struct {
	private *ecdsa.PrivateKey
	public  jwk
	header  string // of every token, encoded
}

// coordinate is the length of a number on the curve P-256, in bytes.
const coordinate = 32

func newSigningKey() (signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signingKey{}, fmt.Errorf("generating signing key: %w", err)
	}
	point, err := private.PublicKey.Bytes() // 4, then X and Y (SEC 1 section 2.3.3)
	if err != nil {
		return signingKey{}, fmt.Errorf("encoding signing key: %w", err)
	}
	public := jwk{
		Type: "EC", Curve: "P-256", ID: randomText(), Algorithm: "ES256", Use: "sig",
		X: encode(point[1 : 1+coordinate]), Y: encode(point[1+coordinate:]),
	}
	header, err := json.Marshal(map[string]string{"alg": public.Algorithm, "kid": public.ID, "typ": "JWT"})
	if err != nil {
		return signingKey{}, fmt.Errorf("encoding header: %w", err)
	}
	return signingKey{private, public, encode(header)}, nil
}

// sign returns claims as a JSON Web Token (RFC 7519, RFC 7515 section 3.1).
func (k signingKey) sign(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	signed := k.header + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return signed + "." + encode(append(fixed(r), fixed(s)...)), nil
}

// fixed is n as a coordinate of fixed length.
func fixed(n *big.Int) []byte { return n.FillBytes(make([]byte, coordinate)) }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
