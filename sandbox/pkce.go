package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/url"

	"github.com/usherauth/usher/internal/safetext"
)

// checkChallenge says what is wrong with the PKCE parameters of a request;
// empty means nothing. Only S256 is spoken.
func checkChallenge(form url.Values, required bool) (problem string) {
	challenge, method := form.Get("code_challenge"), form.Get("code_challenge_method")
	switch {
	case challenge == "" && method == "" && !required:
		return ""
	case challenge == "":
		return "code_challenge is missing"
	case method != "S256":
		return "code_challenge_method: want S256"
	case !safetext.Word(challenge, "_-", 43, 43): // RFC 7636 section 4.2, S256
		return "code_challenge is malformed"
	}
	return ""
}

// verifies reports whether a code verifier answers a challenge (RFC 7636
// section 4.6). A verifier without a challenge is refused too: it means that
// somebody removed the challenge on the way (RFC 9700 section 4.8.2).
func verifies(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if !safetext.Word(verifier, "._~-", 43, 128) { // RFC 7636 section 4.1
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}
