package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
)

// The steps of a rotation that write: the answer, a refusal, and what to do
// when someone else wrote in between.

const (
	// firstStoreWait doubles up to lastStoreWait between tries to store.
	firstStoreWait = time.Second
	lastStoreWait  = 60 * time.Second
	// revokeTimeout bounds the revocation of a token nobody can use.
	revokeTimeout = 10 * time.Second
	// maxConflicts bounds what is only ever a short race with another writer.
	maxConflicts = 8
)

// renewed is what the answer makes of c.
func (r *rotation) renewed(c credential.Credential) credential.Credential {
	next := merge(c, r.answer, r.received)
	if r.lost {
		next.HoldOffUntil = r.received.Wall.Add(holdOffAfter(next.Lifetime))
	}
	return next
}

// persist stores the answer. While that does not succeed the lock is kept and
// the token is served from memory: the old refresh token is spent, and nobody
// may send it again. Only [Manager.Close] running out of time ends it.
func (r *rotation) persist() step {
	next := r.renewed(r.record)
	ctx := context.WithoutCancel(r.ctx)
	for wait := firstStoreWait; ; wait = min(2*wait, lastStoreWait) {
		stored, err := r.held.Commit(ctx, next)
		switch {
		case err == nil:
			r.event(Refreshed, stored, nil)
			return r.adopt(stored)
		case errors.Is(err, credential.ErrSuperseded):
			return stepSuperseded
		}
		r.m.log.Error("storing a refreshed token, will try again",
			"key", r.key, "in", wait, "err", err)
		if wait == firstStoreWait {
			r.serveUnstored(next, err)
		}
		if !r.m.sleep(wait) {
			return r.failStore("storing refreshed", err)
		}
	}
}

// serveUnstored publishes a token that is not durable yet. Once is enough, and
// twice would bring it back after a logout.
func (r *rotation) serveUnstored(next credential.Credential, err error) {
	next.Generation = r.record.Generation + 1
	r.entry.publish(r.epoch, r.m.snapshot(next, ""))
	r.flight.set(result{cred: next, unstored: fmt.Errorf("storing refreshed credential %s: %w", r.key, err)})
}

// demote stores that a login is needed. Every secret is kept.
func (r *rotation) demote() step {
	needsLogin := func(c credential.Credential) credential.Credential {
		c.State, c.Cause = credential.NeedsLogin, r.cause
		return c
	}
	ctx := context.WithoutCancel(r.ctx)
	stored, err := r.held.Commit(ctx, needsLogin(r.record))
	if errors.Is(err, credential.ErrSuperseded) {
		r.discard(ctx)
		stored, err = r.amend(ctx, needsLogin)
	}
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return r.gone()
	case errors.Is(err, errOvertaken):
		r.event(Adopted, stored, nil)
		return r.adopt(stored)
	case err != nil:
		return r.failStore("storing the refusal of", err)
	}
	r.event(NeedsLogin, stored, nil)
	return r.adopt(stored)
}

// superseded: while the answer was on its way, the record changed. If only
// other fields of it did, the answer still belongs to it. After a logout or a
// new login it belongs to nobody and is revoked.
func (r *rotation) superseded() step {
	ctx := context.WithoutCancel(r.ctx)
	stored, err := r.amend(ctx, r.renewed)
	switch {
	case err == nil:
		r.discard(ctx)
		r.event(Refreshed, stored, nil)
		return r.adopt(stored)
	case errors.Is(err, errOvertaken) && stored.Grant == r.record.Grant:
		// The same login with yet another token. Which of the two is newer is
		// for the store to say, which has kept ours aside.
		r.event(Adopted, stored, nil)
		return r.adopt(stored)
	case errors.Is(err, credential.ErrNotFound):
		r.event(Superseded, r.record, r.revoke(ctx))
		r.discard(ctx)
		return r.gone()
	case errors.Is(err, errOvertaken):
		r.event(Superseded, stored, r.revoke(ctx))
		r.discard(ctx)
		return r.adopt(stored)
	default:
		return r.failStore("storing refreshed", err)
	}
}

// errOvertaken: the record is of another grant or refresh token by now.
var errOvertaken = errors.New("overtaken")

// amend applies change to the record as it is now, if it still is about this
// rotation's token. With errOvertaken it returns the record that is there.
func (r *rotation) amend(ctx context.Context, change func(credential.Credential) credential.Credential) (credential.Credential, error) {
	var err error
	for range maxConflicts {
		var current, stored credential.Credential
		if current, err = r.m.cfg.Store.Get(ctx, r.key); err != nil {
			return credential.Credential{}, err
		}
		if !r.sameToken(current) {
			return current, errOvertaken
		}
		stored, err = r.m.cfg.Store.Update(ctx, change(current), current.Generation)
		if !errors.Is(err, credential.ErrConflict) {
			return stored, err
		}
	}
	return credential.Credential{}, err
}

// revoke tells the provider that what this rotation won will not be used
// (RFC 7009). One try: nothing of ours depends on it.
func (r *rotation) revoke(ctx context.Context) error {
	if r.client == nil || r.client.Endpoints.Revocation == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	token, hint := r.answer.RefreshToken, "refresh_token"
	if token.IsZero() {
		token, hint = r.answer.AccessToken, "access_token"
	}
	if err := r.client.Revoke(ctx, token, hint); err != nil {
		r.m.log.Warn("revoking a superseded token", "key", r.key, "err", err)
		return fmt.Errorf("revoking a superseded token: %w", err)
	}
	return nil
}

func (r *rotation) discard(ctx context.Context) {
	if err := r.held.Discard(ctx); err != nil {
		r.m.log.Error("removing a superseded token", "key", r.key, "err", err)
	}
}
