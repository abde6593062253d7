package broker

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// revokeTimeout bounds each request of a logout to the provider.
const revokeTimeout = 15 * time.Second

// Logout ends what key names: a pending login is cancelled, the tokens are
// revoked at the provider (RFC 7009, refresh token first), and the credential is
// removed for good. A revocation that fails, or is cut off by ctx, does not keep
// the credential; it is told in the result's Error.
func (b *Broker) Logout(ctx context.Context, r api.LogoutRequest) (api.Logout, error) {
	key, err := credential.ParseKey(r.Key)
	if err != nil {
		return api.Logout{}, apiError(err, r.Key)
	}
	out := api.Logout{Key: key.String(), Revocation: api.RevocationNothing}
	cancelled, err := b.logins.Supersede(ctx, key)
	if err != nil {
		return out, apiError(err, r.Key)
	}
	if len(cancelled) > 0 {
		out.CancelledLogin = cancelled[0].ID
	}
	if err := b.checkRemovable(ctx, key); err != nil {
		return out, apiError(err, r.Key)
	}
	leftovers := b.revokeLeftovers(ctx, key, r.KeepRemote)
	var removed credential.Credential
	for {
		c, err := b.cfg.Store.Get(ctx, key)
		if errors.Is(err, credential.ErrNotFound) {
			break
		}
		if err != nil {
			return out, apiError(err, r.Key)
		}
		if r.KeepRemote {
			out.Revocation = api.RevocationKept
		} else {
			out.Revocation, out.Error = b.revoke(ctx, c)
		}
		// What was revoked must not stay, even if the caller has gone.
		err = b.cfg.Store.Delete(context.WithoutCancel(ctx), key, c.Generation)
		if errors.Is(err, credential.ErrConflict) {
			continue // refreshed meanwhile: what is newer must be revoked too
		}
		if err != nil {
			return out, apiError(err, r.Key)
		}
		out.Removed, removed = true, c
		break
	}
	addFailure(&out, leftovers)
	b.tokens.Forget(key)
	b.announceRemoved(key, removed.Generation)
	if out.Removed {
		b.unshare(ctx, removed, &out)
		r := audit.Record{TraceID: newTrace(), Action: audit.ActionLogout, Status: audit.StatusRemoved, Key: out.Key, Hint: "revocation: " + out.Revocation}
		if out.Error != nil {
			r.ErrorKind = string(out.Error.Code)
		}
		b.record(r)
	}
	return out, nil
}

// lockPatience is how long a logout waits for a rotation that is under way.
const lockPatience = 5 * time.Second

// checkRemovable finds out, before any token is revoked, whether the store will
// take the removal: a credential that stays although its tokens are dead would
// be the worst of both. Someone else's rotation is no obstacle; it has made sure
// of the space itself, and its answer will meet the tombstone. Nor is a store
// that is full, as a removal makes room.
func (b *Broker) checkRemovable(ctx context.Context, key credential.Key) error {
	bound, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	held, err := b.cfg.Store.BeginRotation(bound, key, 0)
	switch {
	case errors.Is(err, credential.ErrNotFound), errors.Is(err, credential.ErrFull):
		return nil
	case err != nil && bound.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	}
	err = held.Reserve(bound)
	if errors.Is(err, credential.ErrConflict) || errors.Is(err, credential.ErrFull) {
		err = nil
	}
	return errors.Join(err, held.Release(true))
}

// addFailure adds f, unless it is nil, to what out could not do. The code is that
// of the first.
func addFailure(out *api.Logout, f *api.Failure) {
	switch {
	case f == nil:
	case out.Error == nil:
		out.Error = f
	default:
		out.Error.Hint += "; " + f.Hint
	}
}

// revokeLeftovers revokes what earlier logins of key have left behind, of which
// the removal leaves nothing.
func (b *Broker) revokeLeftovers(ctx context.Context, key credential.Key, keep bool) *api.Failure {
	if keep {
		return nil
	}
	err := b.tokens.RevokeOrphansOf(ctx, key)
	if err == nil {
		return nil
	}
	b.cfg.Log.Warn("revoking what earlier logins left behind", "key", key.String(), "error", err)
	return &api.Failure{
		Code: api.CodeRevocationLost,
		Hint: "a token of an earlier login could not be revoked: " + apiError(err, key.String()).Message,
	}
}

// revoke revokes c's tokens at the provider and tells how that went.
func (b *Broker) revoke(ctx context.Context, c credential.Credential) (string, *api.Failure) {
	if c.Binding.Endpoints.Revocation == "" {
		return api.RevocationUnsupported, nil
	}
	sec, err := b.clientSecret(ctx, c.Key, c.Binding)
	if err != nil {
		return api.RevocationFailed, &api.Failure{
			Code: api.CodeProviderMismatch,
			Hint: "the provider's configuration no longer has this client, so its tokens could not be revoked; revoke them at the provider",
		}
	}
	client := c.Binding.Client(b.cfg.HTTP, sec)
	result := api.RevocationNothing
	for _, t := range []struct {
		token secret.String
		hint  string
	}{{c.RefreshToken, "refresh_token"}, {c.AccessToken, "access_token"}} {
		if t.token.IsZero() {
			continue
		}
		err := revokeOnce(ctx, client, t.token, t.hint)
		if oauth.CodeOf(err) == oauth.ErrorUnsupportedTokenType {
			// RFC 7009 section 2.2.1: it cannot revoke this kind; ours to forget.
			if result == api.RevocationNothing {
				result = api.RevocationUnsupported
			}
			continue
		}
		if err != nil {
			code := api.CodeRevocationLost
			if unreachable(err) {
				code = api.CodeProviderUnreachable
			}
			return api.RevocationFailed, &api.Failure{Code: code, Hint: "revocation at the provider: " + apiError(err, c.Key.String()).Message}
		}
		result = api.RevocationRevoked
	}
	return result, nil
}

// revokeOnce revokes one token, and tries once more when the server asked for
// it with 503 and a short Retry-After (RFC 7009 section 2.2.1).
func revokeOnce(ctx context.Context, client *oauth.Client, token secret.String, hint string) error {
	try := func() error {
		ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
		defer cancel()
		return client.Revoke(ctx, token, hint)
	}
	err := try()
	var e *oauth.Error
	if !errors.As(err, &e) || e.Status != 503 || e.RetryAfter == 0 || e.RetryAfter > 5*time.Second {
		return err
	}
	select {
	case <-time.After(e.RetryAfter):
		return try()
	case <-ctx.Done():
		return err
	}
}
