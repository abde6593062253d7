package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/usherauth/usher/credential"
)

// Cancel ends a pending login for by, a client id (empty if anonymous). An
// ended login is left as it is. While its token is being stored a cancel is
// only recorded: the result of the store decides.
func (r *Registry) Cancel(ctx context.Context, id, by string) (Snapshot, error) {
	s, err := r.Get(ctx, id)
	if err != nil || !s.Live() {
		return s, err
	}
	e := r.watch(s.Login)
	defer e.unwatch()
	_, err = r.transition(ctx, e, func(l *credential.Login) bool {
		switch s := l.State.(type) {
		case credential.Starting, credential.Pending, credential.AwaitingCode, credential.Exchanging:
			l.State = cancelled(by)
			return true
		case credential.Persisting:
			if s.CancelAsked {
				return false
			}
			s.CancelAsked, s.CancelledBy = true, by
			l.State = s
			return true
		}
		return false
	})
	return e.snapshot(), err
}

// Supersede cancels the live login of key, because the person logged out: one
// that has already won may not store its token any more. It returns the login
// that it ended or marked, if there was one.
func (r *Registry) Supersede(ctx context.Context, key credential.Key) ([]credential.Login, error) {
	l, err := r.store.LiveLogin(ctx, key)
	if errors.Is(err, credential.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for pending login: %w", err)
	}
	e := r.watch(l)
	defer e.unwatch()
	won, err := r.transition(ctx, e, func(l *credential.Login) bool {
		switch l.State.(type) {
		case credential.Starting, credential.Pending, credential.AwaitingCode, credential.Exchanging:
			l.Superseded = true
			l.State = cancelled("")
			return true
		case credential.Persisting:
			was := l.Superseded
			l.Superseded = true
			return !was
		}
		return false
	})
	if err != nil {
		return nil, fmt.Errorf("cancelling pending login: %w", err)
	}
	if !won {
		return nil, nil
	}
	return []credential.Login{l}, nil
}
