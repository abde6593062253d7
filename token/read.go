package token

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// Token is an access token to use.
type Token struct {
	AccessToken secret.String
	// Type is how to present it (RFC 6749 section 7.1), as a rule "Bearer".
	Type string
	// ExpiresAt is its end by the wall clock; zero if no end is known.
	ExpiresAt time.Time
	// Scopes are those granted; shared, not to be modified.
	Scopes []string
	// ResourceURL is where API calls go, if the provider said so.
	ResourceURL string
	// Binding is the credential's: which server the token is of.
	Binding credential.Binding
	// Short: less life is left than was asked for, because no token has more
	// or no better one could be had.
	Short bool
	// Generation is the credential's.
	Generation uint64
}

// rounds bounds how often one read decides anew, after somebody else's
// renewal turned out not to be enough for it.
const rounds = 3

// Token returns a usable access token of key that has at least minTTL of its
// life left, and renews it if it must. What no fresh token would have is
// not asked for; see [Token.Short]. With a usable token in memory it does no
// I/O, takes no lock and allocates nothing.
//
// ctx bounds the reader's patience, not the renewal. Errors:
// [LoginNeededError], [RefreshError], [ErrBusy], [ErrClosed], the error of ctx,
// and those of the store, all wrapped. An error means that nothing usable is
// left.
func (m *Manager) Token(ctx context.Context, key credential.Key, minTTL time.Duration) (Token, error) {
	if e := (*m.entries.Load())[key]; e != nil {
		if s := e.snap.Load(); s != nil {
			if t, ok := s.serve(m.wall(), minTTL); ok {
				// Loading first keeps the cache line shared between readers.
				if !e.used.Load() {
					e.used.Store(true)
				}
				return t, nil
			}
		}
	}
	return m.read(ctx, key, minTTL)
}

// read is Token for all that memory alone does not answer.
func (m *Manager) read(ctx context.Context, key credential.Key, minTTL time.Duration) (Token, error) {
	e, err := m.entry(key)
	if err != nil {
		return Token{}, err
	}
	for range rounds {
		s, err := m.current(ctx, e, minTTL)
		if err != nil {
			return Token{}, err
		}
		d := m.decide(s.cred, minTTL)
		switch d.verdict {
		case serve:
			return m.token(s, minTTL), nil
		case serveAndRenew:
			// Whatever keeps it from being renewed is no concern of a reader
			// who has a good token.
			_, _ = m.renew(ctx, e, s.cred, minTTL)
			return m.token(s, minTTL), nil
		case login:
			if m.awaitOther(ctx, e, s.cred) {
				continue
			}
			return Token{}, &LoginNeededError{Key: key, Cause: d.cause}
		case hold:
			return Token{}, m.heldOff(key, d.wait)
		}

		t, err := m.awaitRenewal(ctx, e, s, minTTL)
		if !errors.Is(err, errAgain) {
			return t, err
		}
	}
	return m.fallback(e, minTTL, fmt.Errorf("%w: %s", ErrBusy, key))
}

// errAgain: a renewal came to an end that asks for another decision.
var errAgain = errors.New("decide again")

// awaitOther waits for a rotation that runs though c cannot be renewed: it may
// adopt what the tool that shares c got. It reports whether c has changed.
func (m *Manager) awaitOther(ctx context.Context, e *entry, c credential.Credential) bool {
	f := e.inFlight()
	if f == nil {
		return false
	}
	r, err := f.wait(ctx)
	return err == nil && r.err == nil && r.cred.Generation > c.Generation
}

// awaitRenewal renews what s holds, or joins who does, and answers from the
// result.
func (m *Manager) awaitRenewal(ctx context.Context, e *entry, s *snapshot, minTTL time.Duration) (Token, error) {
	f, err := m.renew(ctx, e, s.cred, minTTL)
	if err != nil {
		return m.fallback(e, minTTL, err)
	}
	r, err := f.wait(ctx)
	if err != nil {
		err = fmt.Errorf("waiting for the renewal of %s: %w", e.key, err)
		if !f.locked.Load() {
			err = fmt.Errorf("%w: %w", ErrBusy, err)
		}
		return m.fallback(e, minTTL, err)
	}
	if r.err != nil {
		if _, gone := errors.AsType[*LoginNeededError](r.err); gone {
			return Token{}, r.err
		}
		return m.fallback(e, minTTL, r.err)
	}
	d := m.decide(r.cred, minTTL)
	switch {
	case d.verdict == serve, d.verdict == serveAndRenew, d.usable && r.cred.State == credential.NeedsLogin:
		return m.token(m.snapshot(r.cred, ""), minTTL), nil
	case d.verdict == login:
		return Token{}, &LoginNeededError{Key: e.key, Cause: d.cause}
	case r.cred.State == credential.NeedsLogin:
		return Token{}, &LoginNeededError{Key: e.key, Cause: r.cred.Cause}
	case d.verdict == hold:
		return Token{}, m.heldOff(e.key, d.wait)
	case r.unstored != nil:
		return m.fallback(e, minTTL, r.unstored)
	}
	return Token{}, errAgain
}

// fallback answers with the token in memory if that is usable, though it is
// less than was asked for, and otherwise with err. Only memory will do: it is
// what the tick keeps true, so that no logout is missed.
func (m *Manager) fallback(e *entry, minTTL time.Duration, err error) (Token, error) {
	if s := e.snap.Load(); s != nil && m.decide(s.cred, minTTL).usable {
		return m.token(s, minTTL), nil
	}
	return Token{}, err
}

func (m *Manager) heldOff(key credential.Key, wait time.Duration) error {
	return &RefreshError{
		Key:     key,
		RetryAt: time.Now().Add(wait).Round(0),
		Err:     errors.New("an earlier refresh was interrupted and may still be on its way"),
	}
}

// token is s's token for a reader who asked for minTTL.
func (m *Manager) token(s *snapshot, minTTL time.Duration) Token {
	t := s.token
	t.Short = left(s.cred, m.clock.Now()) < minTTL
	return t
}

// entry returns the entry of a key that is being read; see entryOf.
func (m *Manager) entry(key credential.Key) (*entry, error) {
	e, err := m.entryOf(key)
	if err == nil {
		e.used.Store(true)
	}
	return e, err
}

// entryOf returns key's entry, which it makes if need be, and sees to it that
// the tick runs.
func (m *Manager) entryOf(key credential.Key) (*entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	entries := *m.entries.Load()
	e := entries[key]
	if e == nil {
		e = &entry{key: key}
		next := maps.Clone(entries)
		next[key] = e
		m.entries.Store(&next)
	}
	if !m.ticking {
		m.ticking = true
		m.running.Add(1)
		go m.tick()
	}
	return e, nil
}

// current returns what is known of e's credential. It asks the store, except
// where that could not change the answer to a reader who asks for minTTL.
func (m *Manager) current(ctx context.Context, e *entry, minTTL time.Duration) (*snapshot, error) {
	if s := e.snap.Load(); s != nil {
		switch m.decide(s.cred, minTTL).verdict {
		case serve:
			return s, nil
		case serveAndRenew:
			if e.settled(s.cred) {
				return s, nil
			}
		}
	}
	s, err := m.load(ctx, e)
	if err == nil {
		m.watchShare(e, s.cred)
		return s, nil
	}
	if errors.Is(err, credential.ErrNotFound) {
		return nil, &LoginNeededError{Key: e.key, NeverLoggedIn: true}
	}
	// A store that cannot be read does not take a good token away.
	if s := e.snap.Load(); s != nil && m.decide(s.cred, minTTL).usable {
		return s, nil
	}
	return nil, err
}

// load reads the credential from the store into memory.
func (m *Manager) load(ctx context.Context, e *entry) (*snapshot, error) {
	reading := e.begin()
	// The stamp first: what changes after it shows as another stamp.
	stamp, err := m.cfg.Store.Stamp(ctx, e.key)
	if err != nil {
		return nil, fmt.Errorf("reading credential %s: %w", e.key, err)
	}
	c, err := m.cfg.Store.Get(ctx, e.key)
	if err != nil {
		if errors.Is(err, credential.ErrNotFound) {
			e.drop()
		}
		return nil, fmt.Errorf("reading credential %s: %w", e.key, err)
	}
	s := m.snapshot(c, stamp)
	e.publish(reading, s)
	return s, nil
}

// renew starts a rotation for c, or joins the one that runs. While a failure
// is being backed off from, it answers with that failure.
func (m *Manager) renew(ctx context.Context, e *entry, c credential.Credential, minTTL time.Duration) (*flight, error) {
	f, _, err := m.start(ctx, e, plan{seen: c.Generation, minTTL: minTTL})
	return f, err
}
