package oauth

import (
	"encoding/base64"
	"strings"

	"github.com/usherauth/usher/secret"
)

// maxIDToken bounds an id token that is looked into.
const maxIDToken = 16 << 10

// Subject returns the issuer and subject claims of an id token that came directly from the token endpoint over TLS,
// which OpenID Connect Core section 3.1.3.7 rule 6 accepts in place of its signature. Use it on no other id token. ok is
// false for whatever is not such a token.
func Subject(idToken secret.String) (iss, sub string, ok bool) {
	jwt := idToken.Reveal()
	// The dots are counted before the text is split: a token of a million dots is not worth a million strings.
	if len(jwt) > maxIDToken || strings.Count(jwt, ".") != 2 {
		return "", "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		return "", "", false
	}
	claims, err := parseObject(payload)
	if err != nil {
		return "", "", false
	}
	iss, issErr := claims.text("iss")
	sub, subErr := claims.text("sub")
	if issErr != nil || subErr != nil || iss == "" || sub == "" {
		return "", "", false
	}
	return iss, sub, true
}
