package filestore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/usherauth/usher/credential"
)

// loginReserve is the space that must be free for a login to begin: its own
// record, which grows once it carries the credential, and the credential.
const loginReserve = 32 << 10

// CreateLogin implements [credential.Store]. It fails where the disk has no
// room for what the login will store in the end.
func (s *Store) CreateLogin(ctx context.Context, login credential.Login, maxActive int) (credential.Login, error) {
	stored, err := s.createLogin(ctx, login, maxActive)
	if err != nil {
		return stored, fmt.Errorf("creating login of %s: %w", login.Key, err)
	}
	return stored, nil
}

func (s *Store) createLogin(ctx context.Context, login credential.Login, maxActive int) (credential.Login, error) {
	if !isID(login.ID) {
		return credential.Login{}, fmt.Errorf("invalid login id %q", login.ID)
	}
	lock, err := s.lockLogins(ctx)
	if err != nil {
		return credential.Login{}, err
	}
	defer lock.Release()
	if err := s.sweepOwners(); err != nil {
		return credential.Login{}, err
	}
	// Damaged records keep nobody from logging in; ListLogins reports them.
	all, _ := s.allLogins()
	active, replaced := 0, []string(nil)
	for _, l := range all {
		switch {
		case l.ID == login.ID:
			return credential.Login{}, fmt.Errorf("%w: the id is taken", credential.ErrConflict)
		case !l.Status.Live():
			continue
		}
		abandoned, err := s.abandoned(l)
		switch {
		case err != nil:
			return credential.Login{}, err
		case abandoned:
			replaced = append(replaced, l.ID)
		case l.Key != login.Key:
			active++
		default:
			return cloneLogin(l), credential.ErrLoginExists
		}
	}
	if maxActive > 0 && active >= maxActive {
		return credential.Login{}, fmt.Errorf("%w: %d of %d", credential.ErrTooManyLogins, active, maxActive)
	}
	login.Version = 1
	if err := s.writeFirst(login); err != nil {
		return credential.Login{}, err
	}
	for _, id := range replaced {
		// After a crash before this, the owner is still dead and the next
		// login removes it.
		if err := remove(s.loginPath(id)); err != nil {
			return credential.Login{}, failure("replacing an abandoned login", s.dir, err)
		}
	}
	return login, nil
}

// abandoned reports whether the provider was never heard for l, nor ever will
// be: nobody claims a login that only starts.
func (s *Store) abandoned(l credential.Login) (bool, error) {
	if l.Status != credential.LoginStarting {
		return false, nil
	}
	alive, err := s.alive(l.Owner)
	return !alive, err
}

// GetLogin implements [credential.Store].
func (s *Store) GetLogin(ctx context.Context, id string) (credential.Login, error) {
	return s.readLogin(id)
}

// ListLogins implements [credential.Store]. Logins whose file did not change
// since the last call cost one lstat each. Those that cannot be read come last.
func (s *Store) ListLogins(ctx context.Context) iter.Seq2[credential.Login, error] {
	return func(yield func(credential.Login, error) bool) {
		all, errs := s.allLogins()
		for _, l := range all {
			if !yield(cloneLogin(l), nil) {
				return
			}
		}
		for _, err := range errs {
			if !yield(credential.Login{}, err) {
				return
			}
		}
	}
}

// UpdateLogin implements [credential.Store].
func (s *Store) UpdateLogin(ctx context.Context, login credential.Login, ifVersion uint64) (credential.Login, error) {
	lock, err := s.lockLogins(ctx)
	if err != nil {
		return credential.Login{}, err
	}
	defer lock.Release()
	stored, err := s.readLogin(login.ID)
	if err != nil {
		return credential.Login{}, err
	}
	if stored.Version != ifVersion || stored.Key != login.Key {
		return credential.Login{}, fmt.Errorf("updating login %s: %w: version is %d, expected %d",
			login.ID, credential.ErrConflict, stored.Version, ifVersion)
	}
	login.Version = ifVersion + 1
	return login, s.writeLogin(login)
}

// ClaimLogin implements [credential.Store].
func (s *Store) ClaimLogin(ctx context.Context, id, owner string) (credential.Login, error) {
	lock, err := s.lockLogins(ctx)
	if err != nil {
		return credential.Login{}, err
	}
	defer lock.Release()
	l, err := s.readLogin(id)
	if err != nil {
		return credential.Login{}, err
	}
	if !l.Status.Live() {
		return credential.Login{}, fmt.Errorf("claiming login %s: %w: it has ended", id, credential.ErrConflict)
	}
	if l.Owner != owner {
		alive, err := s.alive(l.Owner)
		if err != nil {
			return credential.Login{}, err
		}
		if alive {
			return credential.Login{}, fmt.Errorf("claiming login %s: %w", id, credential.ErrOwned)
		}
	}
	l.Owner = owner
	l.Version++
	return l, s.writeLogin(l)
}

// DeleteLogin implements [credential.Store].
func (s *Store) DeleteLogin(ctx context.Context, id string) error {
	lock, err := s.lockLogins(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	l, err := s.readLogin(id)
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return nil
	case err != nil:
		return err
	case l.Status.Live():
		return fmt.Errorf("deleting login %s: %w: it has not ended", id, credential.ErrConflict)
	}
	return failure("deleting a login", s.dir, remove(s.loginPath(id)))
}

// supersede marks the live logins of key: after a logout they must not store
// what they may still win. The caller holds the lock of the logins.
func (s *Store) supersede(key credential.Key) error {
	all, _ := s.allLogins() // a damaged one cannot be settled either
	for _, l := range all {
		if l.Key != key || !l.Status.Live() || l.Superseded {
			continue
		}
		l.Superseded = true
		l.Version++
		if err := s.writeLogin(l); err != nil {
			return err
		}
	}
	return nil
}
