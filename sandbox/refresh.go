package sandbox

import (
	"slices"
	"strings"
	"time"
)

// refreshToken is one refresh token. Guarded by Server.mu.
type refreshToken struct {
	value     string
	family    *family
	successor *refreshToken // nil while current
	spentAt   time.Time
	expired   bool // by ExpireRefreshTokens
}

// newRefreshLocked mints a refresh token of f, or none where tokens stay.
func (s *Server) newRefreshLocked(c *call, f *family) *refreshToken {
	if !s.tokensExpire() {
		return nil
	}
	t := &refreshToken{value: s.newSecret(c, "refresh_token", s.dialect.refreshPrefix), family: f}
	s.refresh[t.value] = t
	return t
}

// redeemRefresh refreshes an access token (RFC 6749 section 6). Whether the
// refresh token is exchanged for a new one, and what a spent one leads to, is
// Config.Rotation.
func (s *Server) redeemRefresh(c *call, client Client) answer {
	value := c.get("refresh_token")
	if value == "" {
		return s.refuse(c, errInvalidRequest, "refresh_token is missing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.refresh[value]
	if t == nil || t.family.client != client.ID {
		return s.refuse(c, errInvalidGrant, "unknown refresh token")
	}
	now := time.Now()
	if t.successor != nil && !s.inGraceLocked(t, now) {
		return s.punishLocked(c, t.family)
	}
	if t.family.revoked || t.expired {
		return s.refuse(c, errInvalidGrant, "the refresh token is revoked or expired")
	}
	scopes, ok := narrowed(t.family.scopes, c.get("scope"))
	if !ok {
		return s.refuse(c, errInvalidScope, "more scope than was granted")
	}
	c.entry.tally(func(r *Record) { r.RefreshesGranted++ })
	return s.grantLocked(c, t.family, scopes, s.rotateLocked(c, t, now), "")
}

// rotateLocked returns the refresh token to answer with; nil means that t stays.
func (s *Server) rotateLocked(c *call, t *refreshToken, now time.Time) *refreshToken {
	if s.cfg.rotation() == RotationNone {
		return nil
	}
	if t.successor == nil {
		t.successor, t.spentAt = s.newRefreshLocked(c, t.family), now
	}
	return t.successor
}

// inGraceLocked reports whether a spent token is still good for its successor:
// the client that never saw the answer must be able to ask again.
func (s *Server) inGraceLocked(t *refreshToken, now time.Time) bool {
	return s.cfg.rotation() == RotationGrace &&
		t.successor.successor == nil && now.Before(t.spentAt.Add(s.cfg.gracePeriod()))
}

// punishLocked answers the reuse of a spent refresh token: one of two holders
// is a thief, so nobody keeps anything (RFC 9700 section 4.14.2).
func (s *Server) punishLocked(c *call, f *family) answer {
	c.entry.tally(func(r *Record) { r.ReuseSeen++ })
	s.revokeFamilyLocked(c, f)
	a := s.refuse(c, errInvalidGrant, "the refresh token was used before")
	a.reuse = true
	return a
}

func (s *Server) revokeFamilyLocked(c *call, f *family) {
	if f.revoked {
		return
	}
	f.revoked = true
	c.entry.tally(func(r *Record) { r.FamiliesRevoked++ })
}

// narrowed reads the scope of a refresh request: the granted scopes, or fewer.
func narrowed(granted []string, asked string) (scopes []string, ok bool) {
	scopes = strings.Fields(asked)
	if len(scopes) == 0 {
		return granted, true
	}
	for _, scope := range scopes {
		if !slices.Contains(granted, scope) {
			return nil, false
		}
	}
	return scopes, true
}

// enterFamily notes that a refresh request for a known token is in flight and
// returns what ends that. Two at a time are what a client must never do.
func (s *Server) enterFamily(c *call) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.refresh[c.get("refresh_token")]
	if c.endpoint != endpointTokenRefresh || t == nil {
		return func() {}
	}
	f := t.family
	f.inFlight++
	c.entry.tally(func(r *Record) { r.Overlap = max(r.Overlap, f.inFlight) })
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f.inFlight--
	}
}
