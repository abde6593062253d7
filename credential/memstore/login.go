package memstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/usherauth/usher/credential"
)

type owner struct {
	s  *Store
	id string
}

// NewOwner implements [credential.Store]. The owner lives until it or the
// store is closed.
func (s *Store) NewOwner(ctx context.Context) (credential.Owner, error) {
	if err := s.begin("NewOwner", credential.Key{}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &owner{s: s, id: newID()}
	s.owners[o.id] = true
	return o, nil
}

func (o *owner) ID() string { return o.id }

func (o *owner) Close() error {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	delete(o.s.owners, o.id)
	return nil
}

// CreateLogin implements [credential.Store].
func (s *Store) CreateLogin(ctx context.Context, login credential.Login, maxActive int) (credential.Login, error) {
	if err := s.begin("CreateLogin", login.Key); err != nil {
		return credential.Login{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logins[login.ID] != nil {
		return credential.Login{}, fmt.Errorf("creating login %s: %w: the id is taken", login.ID, credential.ErrConflict)
	}
	active, replaced := 0, []string(nil)
	for _, l := range s.allLoginsLocked() {
		switch {
		case !l.Live():
		case l.Status() == credential.LoginStarting && !s.owners[l.Owner]:
			replaced = append(replaced, l.ID)
		case l.Key != login.Key:
			active++
		default:
			return l, fmt.Errorf("creating login of %s: %w", login.Key, credential.ErrLoginExists)
		}
	}
	if maxActive > 0 && active >= maxActive {
		return credential.Login{}, fmt.Errorf("creating login of %s: %w: %d of %d", login.Key, credential.ErrTooManyLogins, active, maxActive)
	}
	login.Version = 1
	stored, err := s.putLoginLocked(login)
	if err != nil {
		return credential.Login{}, err
	}
	for _, id := range replaced {
		s.deleteLoginLocked(id)
	}
	return stored, nil
}

// GetLogin implements [credential.Store].
func (s *Store) GetLogin(ctx context.Context, id string) (credential.Login, error) {
	if err := s.begin("GetLogin", credential.Key{}); err != nil {
		return credential.Login{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loginLocked(id)
}

// ListLogins implements [credential.Store].
func (s *Store) ListLogins(ctx context.Context) iter.Seq2[credential.Login, error] {
	return func(yield func(credential.Login, error) bool) {
		if err := s.begin("ListLogins", credential.Key{}); err != nil {
			yield(credential.Login{}, err)
			return
		}
		s.mu.Lock()
		all := s.allLoginsLocked()
		s.mu.Unlock()
		for _, l := range all {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// UpdateLogin implements [credential.Store].
func (s *Store) UpdateLogin(ctx context.Context, login credential.Login, ifVersion uint64) (credential.Login, error) {
	if err := s.begin("UpdateLogin", login.Key); err != nil {
		return credential.Login{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.loginLocked(login.ID)
	if err != nil {
		return credential.Login{}, err
	}
	if stored.Version != ifVersion || stored.Key != login.Key {
		return credential.Login{}, fmt.Errorf("updating login %s: %w: version is %d, expected %d",
			login.ID, credential.ErrConflict, stored.Version, ifVersion)
	}
	login.Version = ifVersion + 1
	return s.putLoginLocked(login)
}

// ClaimLogin implements [credential.Store].
func (s *Store) ClaimLogin(ctx context.Context, id, owner string) (credential.Login, error) {
	if err := s.begin("ClaimLogin", credential.Key{}); err != nil {
		return credential.Login{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.loginLocked(id)
	switch {
	case err != nil:
		return credential.Login{}, err
	case !l.Live():
		return credential.Login{}, fmt.Errorf("claiming login %s: %w: it has ended", id, credential.ErrConflict)
	case l.Owner != owner && s.owners[l.Owner]:
		return credential.Login{}, fmt.Errorf("claiming login %s: %w", id, credential.ErrOwned)
	}
	l.Owner = owner
	l.Version++
	return s.putLoginLocked(l)
}

// DeleteLogin implements [credential.Store].
func (s *Store) DeleteLogin(ctx context.Context, id string) error {
	if err := s.begin("DeleteLogin", credential.Key{}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.loginLocked(id)
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return nil
	case err != nil:
		return err
	case l.Live():
		return fmt.Errorf("deleting login %s: %w: it has not ended", id, credential.ErrConflict)
	}
	s.deleteLoginLocked(id)
	return nil
}

func (s *Store) deleteLoginLocked(id string) {
	delete(s.logins, id)
	s.noteLocked(credential.LoginChange{ID: id})
}

// maxChanges is how many changes of logins are remembered at least.
const maxChanges = 1024

func (s *Store) noteLocked(c credential.LoginChange) {
	s.changes = append(s.changes, c)
	if len(s.changes) == 2*maxChanges {
		s.changes = slices.Clone(s.changes[maxChanges:])
		s.dropped += maxChanges
	}
}

// LoginChanges implements [credential.Store]; the cursor counts the changes.
func (s *Store) LoginChanges(ctx context.Context, since string) (credential.LoginChanges, error) {
	if err := s.begin("LoginChanges", credential.Key{}); err != nil {
		return credential.LoginChanges{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.dropped + len(s.changes)
	next := strconv.Itoa(end)
	n, err := strconv.Atoi(since)
	if err != nil || n < s.dropped || n > end {
		return credential.LoginChanges{All: true, Next: next}, nil
	}
	return credential.LoginChanges{Logins: slices.Clone(s.changes[n-s.dropped:]), Next: next}, nil
}

// LiveLogin implements [credential.Store].
func (s *Store) LiveLogin(ctx context.Context, key credential.Key) (credential.Login, error) {
	if err := s.begin("LiveLogin", key); err != nil {
		return credential.Login{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.allLoginsLocked() {
		if l.Key == key && l.Live() {
			return l, nil
		}
	}
	return credential.Login{}, fmt.Errorf("live login of %s: %w", key, credential.ErrNotFound)
}

// supersedeLocked marks the live logins of key: after a logout they must not
// store what they may still win.
func (s *Store) supersedeLocked(key credential.Key) error {
	for _, l := range s.allLoginsLocked() {
		if l.Key != key || !l.Live() || l.Superseded {
			continue
		}
		l.Superseded = true
		l.Version++
		if _, err := s.putLoginLocked(l); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) loginLocked(id string) (credential.Login, error) {
	data := s.logins[id]
	if data == nil {
		return credential.Login{}, fmt.Errorf("login %s: %w", id, credential.ErrNotFound)
	}
	return credential.DecodeLogin(data)
}

func (s *Store) putLoginLocked(l credential.Login) (credential.Login, error) {
	data, err := credential.EncodeLogin(l)
	if err != nil {
		return credential.Login{}, err
	}
	stored, err := credential.DecodeLogin(data)
	if err != nil {
		return credential.Login{}, err
	}
	s.logins[l.ID] = data
	s.noteLocked(credential.LoginChange{ID: l.ID, Version: stored.Version})
	return stored, nil
}

// allLoginsLocked returns the logins, oldest first.
func (s *Store) allLoginsLocked() []credential.Login {
	all := make([]credential.Login, 0, len(s.logins))
	for id := range s.logins {
		l, err := s.loginLocked(id)
		if err != nil {
			panic(fmt.Sprintf("memstore: internal error: %v", err))
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b credential.Login) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}
