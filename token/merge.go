package token

import (
	"encoding/json"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// merge is the credential that the answer t, received at now, makes of old.
// What the answer leaves out stays as it was (RFC 6749 section 6 for the
// refresh token and the scope): an answer replaces a token, not the login.
// That goes for the lifetime too, since a server that once said how long its
// tokens live has not made them eternal by not repeating it.
func merge(old credential.Credential, t *oauth.Token, now credential.Instant) credential.Credential {
	next := old
	next.State, next.Cause = credential.Active, ""
	next.AccessToken = t.AccessToken
	if t.Type != "" {
		next.TokenType = t.Type
	}
	if !t.IDToken.IsZero() {
		next.IDToken = t.IDToken
	}
	if t.Scopes != nil {
		next.Scopes = t.Scopes
	}
	if t.ResourceURL != "" {
		next.ResourceURL = t.ResourceURL
	}
	next.Extra = mergeExtra(old.Extra, t.Extra)

	next.Received = now
	next.RefreshedAt = now.Wall
	next.HoldOffUntil = time.Time{}
	if t.Lifetime > 0 {
		next.Lifetime = t.Lifetime
	}
	rotated := !t.RefreshToken.IsZero() && !t.RefreshToken.Equal(old.RefreshToken)
	if rotated {
		next.RefreshToken = t.RefreshToken
	}
	switch {
	case t.RefreshLifetime > 0:
		next.RefreshExpiresAt = now.Wall.Add(t.RefreshLifetime)
	case rotated:
		// The known end was the old one's.
		next.RefreshExpiresAt = time.Time{}
	}
	return next
}

// mergeExtra lays the members of one JSON object over those of another. What
// is no object is left out, and so is the old one where both are too much.
func mergeExtra(old, newer secret.String) secret.String {
	if newer.IsZero() {
		return old
	}
	var members, over map[string]json.RawMessage
	if json.Unmarshal([]byte(newer.Reveal()), &over) != nil {
		return old
	}
	if old.IsZero() || json.Unmarshal([]byte(old.Reveal()), &members) != nil || members == nil {
		return newer
	}
	for name, value := range over {
		members[name] = value
	}
	merged, err := json.Marshal(members)
	if err != nil || len(merged) > oauth.MaxExtra {
		return newer
	}
	return secret.New(string(merged))
}
