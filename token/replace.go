package token

import (
	"context"
	"errors"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// Rejected tells that a resource answered 401 to accessToken, key's, though its
// time has not come: the server has ended it early. If it still is key's, it is
// renewed, once for all who tell; then, and if it was replaced already, the
// error is nil, and [Manager.Token] has another one to try. A token that is
// younger than [Spacing] is not renewed, so that a resource that rejects
// everything costs no more than that; the error is then nil as well, and Token
// returns the same one. The errors are those of Token.
func (m *Manager) Rejected(ctx context.Context, key credential.Key, accessToken secret.String) error {
	e, err := m.entry(key)
	if err != nil {
		return err
	}
	for range rounds {
		s, err := m.load(ctx, e)
		switch {
		case errors.Is(err, credential.ErrNotFound):
			return &LoginNeededError{Key: key, NeverLoggedIn: true}
		case err != nil:
			return err
		case s.cred.State == credential.NeedsLogin:
			return &LoginNeededError{Key: key, Cause: s.cred.Cause}
		case !m.replaceable(s.cred, accessToken):
			return nil
		}
		f, _, err := m.start(ctx, e, plan{goal: goalReplace, seen: s.cred.Generation, rejected: accessToken})
		if err != nil {
			return err
		}
		r, err := f.wait(ctx)
		if err = errors.Join(err, r.err); err != nil {
			return err
		}
	}
	return nil
}
