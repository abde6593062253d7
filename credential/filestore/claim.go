package filestore

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
)

// claimsAtOnce bounds the claims that are written at the same time.
const claimsAtOnce = 64

// claims are those that wait for the lock of the logins. Whose turn it is makes
// all of them: after the death of a daemon there may be thousands, and writes
// that are synced at the same time share the work of the disk.
type claims struct {
	mu      sync.Mutex
	waiting []*claim
}

type claim struct {
	id, owner string

	done   chan struct{} // closed when what follows is set
	login  credential.Login
	err    error
	before place // of its line in the feed
	after  place
}

// ClaimLogin implements [credential.Store].
func (s *Store) ClaimLogin(ctx context.Context, id, owner string) (credential.Login, error) {
	c := &claim{id: id, owner: owner, done: make(chan struct{})}
	s.claims.add(c)
	select {
	case <-c.done:
	case s.turn <- struct{}{}:
		lock, err := s.lockInTurn(ctx)
		if err != nil {
			s.claims.drop(c)
			return credential.Login{}, err
		}
		for !c.isDone() { // there may be more before it than are made at once
			s.claimAll(s.claims.take())
		}
		if err := lock.Release(); err != nil {
			return credential.Login{}, failure("unlocking", s.dir, err)
		}
	case <-ctx.Done():
		s.claims.drop(c)
		path := filepath.Join(s.dir, "logins")
		return credential.Login{}, failure("locking for a change", path, fmt.Errorf("waiting for others: %w", ctx.Err()))
	}
	return c.login, c.err
}

func (c *claim) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (q *claims) add(more ...*claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, more...)
}

// drop removes c, which nobody waits for any more, unless it is being made.
func (q *claims) drop(c *claim) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, c); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
}

// take returns the claims to make now.
func (q *claims) take() []*claim {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), claimsAtOnce)
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// claimAll makes the claims of a batch. The caller holds the lock of the logins.
// The lines of the feed come before all writes, and the index follows as far as
// they succeeded; it meets the other lines later, and looks.
func (s *Store) claimAll(batch []*claim) {
	var (
		writing     sync.WaitGroup
		made, again []*claim
	)
	taken := make(map[string]bool, len(batch))
	for _, c := range batch {
		if taken[c.id] {
			again = append(again, c) // two of one login: one after the other
			continue
		}
		data, err := s.beginClaim(c)
		if err != nil {
			c.err = err
			close(c.done)
			continue
		}
		made = append(made, c)
		taken[c.id] = true
		writing.Go(func() {
			path := s.loginPath(c.id)
			c.err = failure("writing a login", path, atomicfile.Write(path, data, 0o600))
		})
	}
	writing.Wait()
	s.index.mu.Lock()
	for _, c := range made {
		if c.err == nil {
			s.index.follow(c.login, false, c.before, c.after)
		}
	}
	s.index.mu.Unlock()
	for _, c := range made {
		close(c.done)
	}
	s.claims.add(again...)
}

// beginClaim decides on c, announces it and returns what is to be written.
func (s *Store) beginClaim(c *claim) ([]byte, error) {
	l, err := s.readLogin(c.id)
	if err != nil {
		return nil, err
	}
	if !l.Live() {
		return nil, fmt.Errorf("claiming login %s: %w: it has ended", c.id, credential.ErrConflict)
	}
	if l.Owner != c.owner {
		alive, err := s.alive(l.Owner)
		if err != nil {
			return nil, err
		}
		if alive {
			return nil, fmt.Errorf("claiming login %s: %w", c.id, credential.ErrOwned)
		}
	}
	l.Owner = c.owner
	l.Version++
	data, err := credential.EncodeLogin(l)
	if err != nil {
		return nil, err
	}
	c.login = l
	c.before, c.after, err = s.announce(l.ID, l.Version)
	return data, err
}
