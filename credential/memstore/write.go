package memstore

import (
	"context"
	"fmt"

	"github.com/usherauth/usher/credential"
)

// Settle implements [credential.Store].
func (s *Store) Settle(ctx context.Context, login credential.Login, cred credential.Credential) (credential.Login, credential.Credential, error) {
	fail := func(err error) (credential.Login, credential.Credential, error) {
		return credential.Login{}, credential.Credential{}, fmt.Errorf("settling login %s: %w", login.ID, err)
	}
	if err := s.begin("Settle", login.Key); err != nil {
		return fail(err)
	}
	if cred.Key != login.Key {
		return fail(fmt.Errorf("the credential is for %s, the login for %s", cred.Key, login.Key))
	}
	if login.Status() != credential.LoginAuthorized {
		return fail(fmt.Errorf("a login that was settled is authorized, not %s", login.Status()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.loginLocked(login.ID)
	switch {
	case err != nil:
		return fail(err)
	case stored.Superseded:
		return fail(credential.ErrSuperseded)
	case stored.Key != login.Key || stored.Status() != credential.LoginPersisting || stored.Version != login.Version:
		return fail(credential.ErrConflict)
	}

	now := s.currentLocked(login.Key)
	switch {
	case now.grant != login.ID:
		cred.Grant = login.ID
		cred.Generation = now.generation + 1
		if cred, err = s.putLocked(cred); err != nil {
			return fail(err)
		}
	case now.cred != nil:
		cred = *now.cred
	default: // stored before, and logged out since
		return fail(credential.ErrSuperseded)
	}

	login.Version++
	if login, err = s.putLoginLocked(login); err != nil {
		return fail(err)
	}
	return login, cred, nil
}

// Update implements [credential.Store].
func (s *Store) Update(ctx context.Context, cred credential.Credential, ifGeneration uint64) (credential.Credential, error) {
	if err := s.begin("Update", cred.Key); err != nil {
		return credential.Credential{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.currentLocked(cred.Key).check(ifGeneration); err != nil {
		return credential.Credential{}, fmt.Errorf("updating credential %s: %w", cred.Key, err)
	}
	cred.Generation = ifGeneration + 1
	return s.putLocked(cred)
}

// Delete implements [credential.Store].
func (s *Store) Delete(ctx context.Context, key credential.Key, ifGeneration uint64) error {
	if err := s.begin("Delete", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.currentLocked(key)
	if err := now.check(ifGeneration); err != nil {
		return fmt.Errorf("deleting credential %s: %w", key, err)
	}
	data, err := credential.EncodeTombstone(credential.Tombstone{Key: key, Grant: now.grant, Generation: now.generation + 1})
	if err != nil {
		return err
	}
	if err := s.supersedeLocked(key); err != nil {
		return err
	}
	sl := s.slotLocked(key)
	sl.data, sl.intent = data, nil
	if len(sl.rotation) == 0 {
		sl.aside, sl.salvaged = nil, nil
	}
	return nil
}

// check is the comparison of a compare-and-swap.
func (c current) check(generation uint64) error {
	switch {
	case c.cred == nil:
		return fmt.Errorf("%w: %w", credential.ErrConflict, credential.ErrNotFound)
	case c.generation != generation:
		return fmt.Errorf("%w: generation is %d, expected %d", credential.ErrConflict, c.generation, generation)
	}
	return nil
}
