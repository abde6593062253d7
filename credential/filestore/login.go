package filestore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

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
	if _, err := s.readLogin(login.ID); !errors.Is(err, credential.ErrNotFound) {
		return credential.Login{}, fmt.Errorf("%w: the id is taken", credential.ErrConflict)
	}
	existing, replaced, err := s.makeRoom(login.Key, maxActive)
	if err != nil {
		return existing, err
	}
	// First, as they are nobody's any more, whatever becomes of the new one: a
	// login that is there when CreateLogin fails would be nobody's as well, and
	// its owner lives.
	for _, l := range replaced {
		if err := s.removeLogin(l); err != nil {
			return credential.Login{}, failure("replacing an abandoned login", s.dir, err)
		}
	}
	login.Version = 1
	if err := s.change(login, false, func() error { return s.writeFirst(login) }); err != nil {
		return credential.Login{}, err
	}
	return login, nil
}

// makeRoom finds out whether a login of key may begin, and which abandoned
// ones it replaces. With [credential.ErrLoginExists] comes the one there is.
func (s *Store) makeRoom(key credential.Key, maxActive int) (existing credential.Login, replaced []credential.Login, err error) {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if err := s.catchUp(); err != nil {
		return existing, nil, err
	}
	if replaced, err = s.abandoned(); err != nil {
		return existing, nil, err
	}
	active := len(s.index.live)
	for _, l := range replaced {
		if s.index.live[l.Key] == l.ID {
			active--
		}
	}
	isReplaced := func(id string) bool {
		return slices.ContainsFunc(replaced, func(l credential.Login) bool { return l.ID == id })
	}
	if id, ok := s.index.live[key]; ok && !isReplaced(id) {
		if l, err := s.readLogin(id); err == nil {
			return l, nil, credential.ErrLoginExists
		}
		active-- // damaged since
	}
	if maxActive > 0 && active >= maxActive {
		return existing, nil, fmt.Errorf("%w: %d of %d", credential.ErrTooManyLogins, active, maxActive)
	}
	return existing, replaced, nil
}

// GetLogin implements [credential.Store].
func (s *Store) GetLogin(ctx context.Context, id string) (credential.Login, error) {
	return s.readLogin(id)
}

// LiveLogin implements [credential.Store].
func (s *Store) LiveLogin(ctx context.Context, key credential.Key) (credential.Login, error) {
	lock, err := s.lockLogins(ctx)
	if err != nil {
		return credential.Login{}, err
	}
	defer lock.Release()
	return s.liveLogin(key)
}

// liveLogin is LiveLogin for a caller that holds the lock of the logins.
func (s *Store) liveLogin(key credential.Key) (credential.Login, error) {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if err := s.catchUp(); err != nil {
		return credential.Login{}, err
	}
	id, ok := s.index.live[key]
	if !ok {
		return credential.Login{}, fmt.Errorf("live login of %s: %w", key, credential.ErrNotFound)
	}
	return s.readLogin(id)
}

// ListLogins implements [credential.Store]. Logins that cannot be read come
// last.
func (s *Store) ListLogins(ctx context.Context) iter.Seq2[credential.Login, error] {
	return func(yield func(credential.Login, error) bool) {
		all, errs := s.allLogins()
		for _, l := range all {
			if !yield(l, nil) {
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
	case l.Live():
		return fmt.Errorf("deleting login %s: %w: it has not ended", id, credential.ErrConflict)
	}
	return failure("deleting a login", s.dir, s.removeLogin(l))
}

// supersede marks the live login of key: after a logout it must not store what
// it may still win. The caller holds the lock of the logins.
func (s *Store) supersede(key credential.Key) error {
	l, err := s.liveLogin(key)
	switch {
	case errors.Is(err, credential.ErrNotFound), err == nil && l.Superseded:
		return nil
	case err != nil:
		return err
	}
	l.Superseded = true
	l.Version++
	return s.writeLogin(l)
}
