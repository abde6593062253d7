package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
)

// The steps of a rotation that make the answer durable, and what to do when
// someone else wrote in between.

const (
	// firstStoreWait doubles up to lastStoreWait between tries to store.
	firstStoreWait = time.Second
	lastStoreWait  = 60 * time.Second
	// maxConflicts bounds what is only ever a short race with another writer.
	maxConflicts = 8
)

// renewed is what the answer makes of c.
func (r *rotation) renewed(c credential.Credential) credential.Credential {
	if r.search.sent != nil {
		// An answer without a refresh token leaves the one that was sent.
		c.RefreshToken, c.RefreshExpiresAt = r.search.sent.RefreshToken, r.search.sent.RefreshExpiresAt
	}
	next := merge(c, r.answer, r.received)
	if r.lost {
		next.HoldOffUntil = r.received.Wall.Add(holdOffAfter(next.Lifetime))
	}
	if r.theirs.lock != nil {
		next.Share.Seen = share.Remember(c.Share.Seen, share.Digest(r.record.RefreshToken), r.theirs.seen)
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
			return r.refreshed(stored)
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
	err = fmt.Errorf("storing refreshed credential %s: %w", r.key, err)
	s := r.m.snapshot(next, "")
	s.unstored = true
	r.entry.publish(r.reading, s)
	r.m.observe(Event{Type: Unstored, Credential: next, Err: err})
	r.flight.set(result{cred: next, unstored: err})
}

// superseded: while the answer was on its way, the record changed. If only
// other fields of it did, the answer still belongs to it. After a logout or a
// new login it belongs to nobody and is revoked.
func (r *rotation) superseded() step {
	ctx := context.WithoutCancel(r.ctx)
	stored, err := r.amend(ctx, r.sameToken, r.renewed)
	switch {
	case err == nil:
		r.discard(ctx)
		return r.refreshed(stored)
	case errors.Is(err, errOvertaken) && stored.Grant == r.record.Grant:
		// The same login with yet another token. Which of the two is newer is
		// for the store to say, which has kept ours aside.
		r.event(Adopted, stored, nil)
		return r.adopt(stored)
	case errors.Is(err, credential.ErrNotFound):
		r.renounce(ctx, r.record, credential.Credential{})
		return r.gone()
	case errors.Is(err, errOvertaken):
		r.renounce(ctx, stored, stored)
		return r.end(ResultSuperseded, result{cred: stored})
	default:
		return r.failStore("storing refreshed", err)
	}
}

// renounce revokes the answer, in whose place now is current, if anything; c is
// what to tell. What could not be revoked stays aside, an orphan for
// [Manager.RevokeOrphans].
func (r *rotation) renounce(ctx context.Context, c, current credential.Credential) {
	won := r.renewed(r.record)
	won.RefreshToken = r.answer.RefreshToken // not an old one that goes on being good
	settled, err := r.m.revoke(ctx, r.client, won, current)
	r.event(Superseded, c, err)
	if settled {
		r.discard(ctx)
	}
}

// errOvertaken: the record is of another grant or refresh token by now.
var errOvertaken = errors.New("overtaken")

// amend applies change to the record as it is now, if that still is the same as
// this rotation's. With errOvertaken it returns the record that is there.
func (r *rotation) amend(ctx context.Context, same func(credential.Credential) bool, change func(credential.Credential) credential.Credential) (credential.Credential, error) {
	var err error
	for range maxConflicts {
		var current, stored credential.Credential
		if current, err = r.m.cfg.Store.Get(ctx, r.key); err != nil {
			return credential.Credential{}, err
		}
		if !same(current) {
			return current, errOvertaken
		}
		stored, err = r.m.cfg.Store.Update(ctx, change(current), current.Generation)
		if !errors.Is(err, credential.ErrConflict) {
			return stored, err
		}
	}
	return credential.Credential{}, err
}
