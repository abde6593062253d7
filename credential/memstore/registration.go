package memstore

import (
	"context"
	"fmt"

	"github.com/usherauth/usher/credential"
)

type registrationKey struct{ issuer, redirects string }

// GetRegistration implements [credential.Store].
func (s *Store) GetRegistration(ctx context.Context, issuer, redirects string) (credential.Registration, error) {
	if err := s.begin("GetRegistration", credential.Key{}); err != nil {
		return credential.Registration{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.registrations[registrationKey{issuer, redirects}]
	if !ok {
		return credential.Registration{}, fmt.Errorf("client registration at %s: %w", issuer, credential.ErrNotFound)
	}
	return r, nil
}

// PutRegistration implements [credential.Store].
func (s *Store) PutRegistration(ctx context.Context, r credential.Registration) (credential.Registration, error) {
	if err := s.begin("PutRegistration", credential.Key{}); err != nil {
		return credential.Registration{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := registrationKey{r.Issuer, r.Redirects}
	if stored, ok := s.registrations[key]; ok {
		return stored, nil
	}
	s.registrations[key] = r
	return r, nil
}
