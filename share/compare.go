package share

import (
	"errors"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// Relation is how a tool's file stands to a credential.
type Relation int

// The relations.
const (
	// Missing: there is no file, or none that the tool accepts: ours is to be
	// written.
	Missing Relation = iota
	// Same: the file holds the credential's refresh token.
	Same
	// Ours: the tool has not changed the file since we saw it, or an old one was
	// put back: the credential is newer.
	Ours
	// Theirs: the tool has changed the file: its token is newer.
	Theirs
)

// String is the relation's name, for logs and tests.
func (r Relation) String() string {
	switch r {
	case Missing:
		return "missing"
	case Same:
		return "same"
	case Ours:
		return "ours"
	case Theirs:
		return "theirs"
	default:
		return "unknown"
	}
}

// Compare tells how found, read with err, stands to c. An err that is neither
// fs.ErrNotExist nor [ErrInvalid] is the caller's to handle first.
//
// A file that the tool spoilt after a refresh of its own, and rejects, is still
// Theirs: the refresh token in it is the newest there is. So is one with c's
// refresh token but another access token that lasts longer: not every server
// rotates.
func Compare(c credential.Credential, found Contents, err error) Relation {
	spoilt := errors.Is(err, ErrInvalid) && !found.RefreshToken.IsZero()
	if err != nil && !spoilt {
		return Missing
	}
	digest := Digest(found.RefreshToken)
	switch {
	case digest == Digest(c.RefreshToken) && !spoilt && outlasts(found, c):
		return Theirs
	case digest == Digest(c.RefreshToken) && !spoilt:
		return Same
	case digest == Digest(c.RefreshToken) || Remembers(c.Share.Seen, digest) && spoilt:
		return Missing
	case Remembers(c.Share.Seen, digest):
		return Ours
	default:
		return Theirs
	}
}

// outlasts reports whether found has another access token than c that ends
// later. The file counts in milliseconds.
func outlasts(found Contents, c credential.Credential) bool {
	end := c.ExpiresAt()
	return !end.IsZero() && !found.AccessToken.Equal(c.AccessToken) && found.ExpiresAt.After(end.Add(time.Millisecond))
}

// Adopt is c with the tokens that the tool got, received now: found is
// [Theirs]. The access token lives as long as the file says, at most ten years;
// one that has ended, or whose end is unknown, is due for a refresh at once.
// What the file does not say stays as it was in c, but for whose account it is
// where the refresh token is another one.
func Adopt(c credential.Credential, found Contents, now credential.Instant) credential.Credential {
	next := c
	next.State, next.Cause = credential.Active, ""
	next.AccessToken, next.TokenType = found.AccessToken, found.TokenType
	if found.ResourceURL != "" {
		next.ResourceURL = found.ResourceURL
	}
	if !found.RefreshToken.Equal(c.RefreshToken) {
		next.RefreshToken = found.RefreshToken
		next.RefreshExpiresAt = time.Time{} // the known end was the old one's
		// The tool may have logged in to another account.
		next.Alias, next.IDToken = "", secret.String{}
	}
	next.Received, next.RefreshedAt = now, now.Wall
	next.Lifetime = min(found.ExpiresAt.Sub(now.Wall), foreverLifetime)
	if next.Lifetime <= 0 {
		// No lifetime would mean that the token does not end.
		next.Lifetime = time.Second
		next.Received.Wall = now.Wall.Add(-time.Second)
		next.Received.Boot = now.Boot - time.Second
	}
	next.Share.Seen = Remember(c.Share.Seen, Digest(c.RefreshToken), Digest(found.RefreshToken))
	return next
}
