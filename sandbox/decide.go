package sandbox

import (
	"errors"
	"time"
)

// What deciding about a user code can meet.
var (
	// ErrUnknownUserCode means that no live device authorization has the code.
	ErrUnknownUserCode = errors.New("unknown or expired user code")
	// ErrDecided means that the code was approved or denied before: exactly
	// one decision counts.
	ErrDecided = errors.New("user code already decided")
)

// Approve approves a pending device authorization, as the person at the page
// would. Case, dashes and spaces of userCode do not matter. An empty subject
// means Config.Subject. Errors: ErrUnknownUserCode, ErrDecided.
func (s *Server) Approve(userCode, subject string) error {
	return s.decide(userCode, approved, orDefault(subject, s.cfg.subject()))
}

// Deny denies a pending device authorization; see Approve.
func (s *Server) Deny(userCode string) error { return s.decide(userCode, denied, "") }

// decide makes the one decision a user code allows.
func (s *Server) decide(userCode string, to state, subject string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.undecidedLocked(userCode)
	if err != nil {
		return err
	}
	d.state, d.subject = to, subject
	return nil
}

func (s *Server) undecidedLocked(userCode string) (*device, error) {
	d := s.users[canonicalUserCode(userCode)]
	switch {
	case d == nil || !time.Now().Before(d.expires):
		return nil, ErrUnknownUserCode
	case d.state != pending:
		return nil, ErrDecided
	}
	return d, nil
}

// ExpireAccessTokens makes every access token expire at once.
func (s *Server) ExpireAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, t := range s.access {
		if t.expires.IsZero() || t.expires.After(now) {
			t.expires = now
		}
	}
}

// ExpireRefreshTokens makes every refresh token expire at once: a refresh is
// answered invalid_grant, and only a new login helps.
func (s *Server) ExpireRefreshTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.refresh {
		t.expired = true
	}
}

// ExpireDeviceCodes makes every device code and its user code expire at once.
func (s *Server) ExpireDeviceCodes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, d := range s.devices {
		if d.expires.After(now) {
			d.expires = now
		}
	}
}
