package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// revokeTimeout bounds the revocation of a token nobody can use.
const revokeTimeout = 10 * time.Second

// RevokeOrphans revokes the tokens in the store that belong to no credential
// any more (RFC 7009), because a logout or a new login overtook the refresh
// that won them and the process that should have revoked them died, or could
// not reach the provider. Each is tried once, for 10 s at most, and discarded
// when the provider has answered or cannot revoke, or when the key's credential
// has the same token; each such is a [Superseded] event. The error joins why
// others are left; ctx bounds the whole. It is for a daemon to call at its start
// and then now and again.
func (m *Manager) RevokeOrphans(ctx context.Context) error {
	return m.revokeOrphans(ctx, func(credential.Key) bool { return true })
}

// RevokeOrphansOf is [Manager.RevokeOrphans] for one key. It is for a logout,
// before the removal, which takes with it what is left.
func (m *Manager) RevokeOrphansOf(ctx context.Context, key credential.Key) error {
	return m.revokeOrphans(ctx, func(k credential.Key) bool { return k == key })
}

func (m *Manager) revokeOrphans(ctx context.Context, wanted func(credential.Key) bool) error {
	if !m.begin() {
		return ErrClosed
	}
	defer m.running.Done()
	var errs []error
	orphans, err := m.cfg.Store.Orphans(ctx)
	if err != nil { // what was found is found nevertheless
		errs = append(errs, fmt.Errorf("looking for tokens to revoke: %w", err))
	}
	for _, o := range orphans {
		if !wanted(o.Credential.Key) {
			continue
		}
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		errs = append(errs, m.revokeOrphan(ctx, o))
	}
	return errors.Join(errs...)
}

func (m *Manager) revokeOrphan(ctx context.Context, o credential.Orphan) error {
	c := o.Credential
	client, err := m.client(ctx, c)
	if err != nil {
		return fmt.Errorf("revoking a superseded token of %s: %w", c.Key, err)
	}
	current, err := m.cfg.Store.Get(ctx, c.Key)
	if err != nil && !errors.Is(err, credential.ErrNotFound) {
		return fmt.Errorf("revoking a superseded token of %s: %w", c.Key, err)
	}
	settled, err := m.revoke(ctx, client, c, current)
	if !settled {
		return err
	}
	if err := o.Discard(ctx); err != nil {
		return fmt.Errorf("removing a superseded token of %s: %w", c.Key, err)
	}
	m.observe(Event{Type: Superseded, Credential: c, Err: err})
	return nil
}

// revoke tells the provider that c's newest token will not be used, unless
// current does use it: a login need not bring another refresh token. It makes one
// try. settled tells that another would change nothing: the token is revoked, or
// the provider has answered, or it revokes nothing, or nothing is to be revoked.
func (m *Manager) revoke(ctx context.Context, client *oauth.Client, c, current credential.Credential) (settled bool, err error) {
	if client == nil || client.Endpoints.Revocation == "" {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	token, hint := c.RefreshToken, "refresh_token"
	if token.IsZero() {
		token, hint = c.AccessToken, "access_token"
	}
	if token.Equal(current.RefreshToken) || token.Equal(current.AccessToken) {
		return true, nil
	}
	err = client.Revoke(ctx, token, hint)
	if err == nil {
		return true, nil
	}
	m.log.Warn("revoking a superseded token", "key", c.Key, "err", err)
	e, ok := errors.AsType[*oauth.Error](err)
	settled = ok && e.Outcome == oauth.Answered && e.Kind != oauth.KindRateLimited
	return settled, fmt.Errorf("revoking a superseded token of %s: %w", c.Key, err)
}
