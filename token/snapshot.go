package token

import (
	"time"

	"github.com/usherauth/usher/credential"
)

// snapshot is a credential in memory with everything a fast read needs worked
// out. It is immutable.
type snapshot struct {
	cred  credential.Credential
	token Token
	// stamp is the store's, taken before cred was read; empty if cred comes
	// from a rotation and was not seen in the store yet.
	stamp string
	// unstored: the store does not have cred yet.
	unstored bool
	// from and until bound the wall time, in nanoseconds since 1970, at which
	// the token can be served without further thought: from is when this was
	// worked out, and until the end of the token by both clocks.
	from, until int64
	// spare is what must be left of the token: more than that and nothing is
	// due.
	spare time.Duration
}

// snapshot works out the snapshot of c.
func (m *Manager) snapshot(c credential.Credential, stamp string) *snapshot {
	now := m.clock.Now()
	s := &snapshot{
		cred:  c,
		stamp: stamp,
		from:  now.Wall.UnixNano(),
		spare: Margin(c.Lifetime),
		token: tokenOf(c),
	}
	s.until = s.end(left(c, now))
	if loginCause(c, m.cfg.Renewers[c.Kind] != nil) == "" {
		s.spare = RefreshEarly(c.Lifetime)
	}
	if c.AccessToken.IsZero() {
		s.until = 0
	}
	return s
}

// tokenOf is the token in c.
func tokenOf(c credential.Credential) Token {
	return Token{
		AccessToken: c.AccessToken,
		Type:        c.TokenType,
		ExpiresAt:   c.ExpiresAt(),
		Scopes:      c.Scopes,
		ResourceURL: c.ResourceURL,
		Binding:     c.Binding,
		Generation:  c.Generation,
	}
}

// end is from plus d, without overflow.
func (s *snapshot) end(d time.Duration) int64 {
	if d == forever {
		return int64(forever)
	}
	return s.from + int64(d)
}

// serve returns the token if it is good for a reader who asks for minTTL, at
// the wall time now.
func (s *snapshot) serve(now int64, minTTL time.Duration) (Token, bool) {
	if now < s.from {
		return Token{}, false // the wall clock was set back
	}
	remains := time.Duration(s.until - now)
	if remains <= s.spare || minTTL > 0 && remains <= need(s.cred.Lifetime, minTTL) {
		return Token{}, false
	}
	t := s.token
	t.Short = remains < minTTL
	return t, true
}
