package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// credential makes the credential that token yields for l.
func (r *Registry) credential(l credential.Login, token *oauth.Token) credential.Credential {
	c := credential.Credential{
		Key: l.Key, Kind: credential.Refreshable, Binding: l.Binding, Grant: l.ID, State: credential.Active,
		AccessToken: token.AccessToken, RefreshToken: token.RefreshToken, IDToken: token.IDToken,
		TokenType: token.Type, Scopes: token.Scopes, ResourceURL: token.ResourceURL, Extra: token.Extra,
		Received: r.cfg.Received(), Lifetime: token.Lifetime, Share: credential.Share{Tool: l.ShareWith},
	}
	if c.Scopes == nil {
		c.Scopes = l.Scopes // RFC 6749 section 5.1: absent means as requested
	}
	if token.RefreshLifetime > 0 {
		c.RefreshExpiresAt = c.Received.Wall.Add(token.RefreshLifetime)
	}
	if iss, sub, ok := oauth.Subject(token.IDToken); ok && r.cfg.AliasKey != nil {
		if key, err := r.cfg.AliasKey(); err != nil {
			r.cfg.Log.Warn("no account alias", "error", err) // a label is not worth a login
		} else {
			c.Alias = alias(key, iss, sub)
		}
	}
	return c
}

// alias labels an account without personal data: equal for the same subject at
// the same issuer, and meaningless to whoever lacks the key.
func alias(key secret.String, issuer, subject string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(issuer + "\x00" + subject))
	return "acct-" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:6])
}
