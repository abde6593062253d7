package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/usherauth/usher/secret"
)

// challengeMethod is the only one used; plain protects nothing (RFC 7636 section 4.2, RFC 9700 section 2.1.1).
const challengeMethod = "S256"

// NewVerifier returns a fresh code verifier of 43 characters, 32 random bytes in base64url (RFC 7636 section 4.1). Use
// one for one authorization.
func NewVerifier() secret.String {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return secret.New(base64.RawURLEncoding.EncodeToString(b[:]))
}

// ChallengeS256 returns the S256 code challenge of the verifier v (RFC 7636 section 4.2).
func ChallengeS256(v secret.String) string {
	sum := sha256.Sum256([]byte(v.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
