package sandbox

import "net/http"

// revoke is the revocation endpoint (RFC 7009). A refresh token takes its
// whole family with it, an access token only itself; a token the server does
// not know is as gone as one it revokes (section 2.2).
func (s *Server) revoke(c *call) answer {
	client, refused := s.authenticate(c)
	if refused != nil {
		return *refused
	}
	value := c.get("token")
	if value == "" {
		return s.refuse(c, errInvalidRequest, "token is missing")
	}
	done := noStore(answer{status: http.StatusOK})

	s.mu.Lock()
	defer s.mu.Unlock()
	// The hint only says where to look first; looking everywhere costs nothing.
	refresh, access := s.refresh[value], s.access[value]
	var owner *family
	switch {
	case refresh != nil:
		owner = refresh.family
	case access != nil:
		owner = access.family
	default:
		return done.as("unknown_token")
	}
	if owner.client != client.ID {
		return s.refuse(c, errInvalidGrant, "the token belongs to another client")
	}
	if refresh != nil {
		s.revokeFamilyLocked(c, owner)
	} else {
		access.revoked = true
	}
	c.entry.tally(func(r *Record) { r.Revocations++ })
	return done.as("revoked")
}
