package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/usherauth/usher/credential"
)

// kept is an answer that a superseded commit could not install, and the token
// it was the answer to.
type kept struct {
	next   credential.Credential
	answer spent
}

// belongs reports whether k is of the login of the record c, which has its grant
// or, imported once more, the refresh token that k is the answer to.
func (k kept) belongs(c credential.Credential) bool {
	return k.next.Grant == c.Grant || k.answer.matches(c)
}

// succeeds reports whether k is what the record c would have become.
func (k kept) succeeds(c credential.Credential) bool {
	if k.next.Grant == c.Grant && k.next.Generation > c.Generation {
		return true
	}
	return k.answer.matches(c) && !k.next.RefreshToken.Equal(c.RefreshToken)
}

// credential is the answer, for a caller.
func (k kept) credential() credential.Credential {
	c := k.next
	c.Scopes = slices.Clone(c.Scopes)
	return c
}

// newest is what was kept aside, the newest first.
func (sl *slot) newest() []*kept {
	all := slices.Clone(sl.aside)
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b *kept) int { return cmp.Compare(b.next.Generation, a.next.Generation) })
	return all
}

func (r *rotation) Candidates(ctx context.Context) ([]credential.Credential, error) {
	if err := r.s.begin("Candidates", r.first.Key); err != nil {
		return nil, err
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	tried := []credential.Credential{r.first, {}} // the empty token is not worth a try either
	for _, k := range r.slot.newest() {
		sameToken := func(c credential.Credential) bool { return c.RefreshToken.Equal(k.next.RefreshToken) }
		if k.next.Grant == r.first.Grant && !slices.ContainsFunc(tried, sameToken) {
			tried = append(tried, k.credential())
		}
	}
	return tried[2:], nil
}

// Orphans implements [credential.Store].
func (s *Store) Orphans(ctx context.Context) ([]credential.Orphan, error) {
	if err := s.begin("Orphans", credential.Key{}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []credential.Orphan
	for key, sl := range s.slots {
		now := s.currentLocked(key)
		if len(sl.rotation) > 0 {
			continue // the rotation under way deals with its own
		}
		if now.cred == nil {
			sl.salvaged = nil // left by a rotation that outlived the logout
		}
		for _, k := range sl.newest() {
			if now.cred == nil || !k.belongs(*now.cred) {
				all = append(all, credential.Orphan{Credential: k.credential(), Discard: s.discard(sl, k)})
			}
		}
	}
	return all, nil
}

func (s *Store) discard(sl *slot, k *kept) func(context.Context) error {
	return func(context.Context) error {
		if err := s.begin("Discard", k.next.Key); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		sl.aside = slices.DeleteFunc(sl.aside, func(other *kept) bool { return other == k })
		return nil
	}
}
