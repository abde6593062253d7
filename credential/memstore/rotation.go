package memstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// spent names a refresh token that a rotation set out to spend.
type spent struct {
	grant string
	token secret.String
}

// matches goes by the token alone, where there is one: it may have been imported
// again meanwhile, as another grant.
func (sp spent) matches(c credential.Credential) bool {
	return sp.token.Equal(c.RefreshToken) && (sp.grant == c.Grant || !c.RefreshToken.IsZero())
}

type rotation struct {
	s           *Store
	slot        *slot
	record      credential.Credential // what the next Commit must find
	first       credential.Credential // what Record returns
	interrupted bool
	aside       []*kept // left by this rotation
	released    bool
}

// BeginRotation implements [credential.Store].
func (s *Store) BeginRotation(ctx context.Context, key credential.Key, seen uint64) (credential.Rotation, error) {
	if err := s.begin("BeginRotation", key); err != nil {
		return nil, err
	}
	s.mu.Lock()
	found := s.currentLocked(key).cred != nil
	sl := s.slots[key]
	s.mu.Unlock()
	if !found {
		return nil, notFound(key)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("waiting for the rotation of %s: %w", key, err)
	}
	select {
	case sl.rotation <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the rotation of %s: %w", key, ctx.Err())
	}

	r, err := s.beginRotation(key, sl)
	if err != nil {
		<-sl.rotation
		return nil, err
	}
	return r, nil
}

func (s *Store) beginRotation(key credential.Key, sl *slot) (*rotation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.currentLocked(key)
	if now.cred == nil {
		return nil, notFound(key)
	}
	record, err := s.recoverLocked(*now.cred, sl)
	if err != nil {
		return nil, err
	}
	return &rotation{
		s: s, slot: sl, record: record, first: record,
		interrupted: sl.intent != nil && sl.intent.matches(record),
	}, nil
}

// recoverLocked installs what an earlier rotation kept aside, if the record
// still is the one it was the answer for.
func (s *Store) recoverLocked(record credential.Credential, sl *slot) (credential.Credential, error) {
	var done []*kept
	for _, k := range sl.newest() {
		if k.belongs(record) {
			done = append(done, k)
		}
		if !k.succeeds(record) {
			continue
		}
		next := k.next
		next.Generation = max(next.Generation, record.Generation+1)
		if next.Grant != record.Grant { // the same token, imported once more
			next.Grant, next.Binding, next.Share = record.Grant, record.Binding, record.Share
		}
		stored, err := s.putLocked(next)
		if err != nil {
			return credential.Credential{}, err
		}
		record, sl.intent = stored, nil
	}
	sl.aside = slices.DeleteFunc(sl.aside, func(k *kept) bool { return slices.Contains(done, k) })
	return record, nil
}

func (r *rotation) Record() credential.Credential {
	c := r.first
	c.Scopes = slices.Clone(c.Scopes)
	return c
}

func (r *rotation) Interrupted() bool { return r.interrupted }

func (r *rotation) Reserve(ctx context.Context) error {
	if err := r.s.begin("Reserve", r.record.Key); err != nil {
		return err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if !r.currentLocked() {
		return fmt.Errorf("preparing a refresh of %s: %w", r.record.Key, credential.ErrConflict)
	}
	r.slot.intent = &spent{r.record.Grant, r.record.RefreshToken}
	return nil
}

// currentLocked reports whether the record is still the one to replace.
func (r *rotation) currentLocked() bool {
	now := r.s.currentLocked(r.record.Key)
	return now.cred != nil && now.generation == r.record.Generation && now.grant == r.record.Grant
}

func (r *rotation) MaySend(ctx context.Context) error {
	return r.s.begin("MaySend", r.record.Key)
}

func (r *rotation) Commit(ctx context.Context, next credential.Credential) (credential.Credential, error) {
	if next.Key != r.record.Key {
		return credential.Credential{}, fmt.Errorf("committing %s in a rotation of %s", next.Key, r.record.Key)
	}
	if err := r.s.begin("Commit", next.Key); err != nil {
		return credential.Credential{}, err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	next.Grant = r.record.Grant
	next.Generation = r.record.Generation + 1
	if !r.currentLocked() {
		next.Scopes = slices.Clone(next.Scopes)
		k := &kept{next: next, answer: spent{r.record.Grant, r.record.RefreshToken}}
		r.aside = append(r.aside, k)
		r.slot.aside = append(r.slot.aside, k)
		return credential.Credential{}, fmt.Errorf("committing %s: %w", next.Key, credential.ErrSuperseded)
	}
	stored, err := r.s.putLocked(next)
	if err != nil {
		return credential.Credential{}, err
	}
	r.record, r.slot.intent = stored, nil
	r.interrupted = false
	stored.Scopes = slices.Clone(stored.Scopes)
	return stored, nil
}

func (r *rotation) Salvage(ctx context.Context, raw secret.String) error {
	if err := r.s.begin("Salvage", r.record.Key); err != nil {
		return err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.slot.salvaged = append(r.slot.salvaged, raw.Reveal())
	return nil
}

func (r *rotation) Discard(ctx context.Context) error {
	if err := r.s.begin("Discard", r.record.Key); err != nil {
		return err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.slot.aside = slices.DeleteFunc(r.slot.aside, func(k *kept) bool { return slices.Contains(r.aside, k) })
	r.aside = nil
	return nil
}

func (r *rotation) Release(unspent bool) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.released {
		return nil
	}
	r.released = true
	// A predecessor's intent stays: that this rotation did not spend the token
	// says nothing about the one before.
	if unspent && !r.interrupted {
		r.slot.intent = nil
	}
	<-r.slot.rotation
	return nil
}
