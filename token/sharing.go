package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/share"
)

// The steps of a rotation that concern the tool that shares the credential. Its
// lock is taken after our own and before its file is read. Whatever fails
// before the refresh token is spent ends the rotation, because the tool might
// spend the token as well; whatever fails after it does not, because the answer
// is ours by then.

const (
	// sharePatience is the wait for the tool's lock, longer than a lock that its
	// holder left behind is respected, and leaves time for the request.
	sharePatience = 40 * time.Second
	// shareStall is how long after it was taken the tool's lock cannot be
	// relied on if this process, or the machine, was stopped meanwhile: the
	// tool takes over what nobody has touched for that long.
	shareStall = 10 * time.Second
)

// theirs is what a rotation has of the tool that shares the credential.
type theirs struct {
	lock  *share.Lock // nil: not held
	since credential.Instant
	found share.Contents // what the tool's file held under the lock
	seen  string         // what the next commit remembers of that
}

func (r *rotation) shareLock() step {
	file, err := r.m.cfg.Share(r.record.Share.Tool)
	if err != nil {
		return r.failShare("looking for", err)
	}
	ctx, cancel := r.patience(r.ctx, sharePatience)
	defer cancel()
	lock, err := file.Lock(ctx)
	switch {
	case err == nil:
	case errors.Is(err, share.ErrBusy) && r.m.closing.Err() != nil:
		return r.endUnshared(ResultBusy, ErrClosed)
	case errors.Is(err, share.ErrBusy):
		return r.endUnshared(ResultBusy, fmt.Errorf("%w: %s: %w", ErrBusy, r.key, err))
	default:
		return r.failShare("locking", err)
	}
	r.theirs = theirs{lock: lock, since: r.m.clock.Now()}
	// A logout during the wait has taken the tokens away from the tool already,
	// under this lock, and nobody would do so again.
	if current, err := r.m.cfg.Store.Get(r.ctx, r.key); err != nil || !r.sameLogin(current) {
		return stepOvertaken
	}
	return stepShareRead
}

func (r *rotation) shareRead() step {
	found, err := r.theirs.lock.Read()
	if err != nil && !share.IsMissing(err) {
		return r.failShare("reading", err)
	}
	relation := r.compare(found, err)
	switch {
	case r.goal == goalShare && !needsMending(r.record, relation, found, r.m.clock.Now()):
		return r.adopt(r.record)
	case relation == share.Theirs:
		return stepShareAdopt
	case r.goal == goalShare:
		return r.mend()
	}
	return stepPrepare
}

// needsMending reports whether something is to be done about the tool's file
// with nothing to renew. Tokens that were refused are of no use to a tool without
// any, and tokens of the tool's that have ended are not to replace good ones:
// whether they can be renewed, a refresh finds out, which can go back to ours.
func needsMending(c credential.Credential, relation share.Relation, found share.Contents, now credential.Instant) bool {
	switch relation {
	case share.Same:
		return false
	case share.Theirs:
		return c.State != credential.Active || found.ExpiresAt.After(now.Wall)
	default:
		return c.State == credential.Active
	}
}

// compare remembers what the tool's file held under the lock, and tells how that
// stands to the record.
func (r *rotation) compare(found share.Contents, err error) share.Relation {
	r.theirs.found, r.theirs.seen = found, share.Digest(found.RefreshToken)
	if found.RefreshToken.IsZero() {
		// Should the file come back, it is as it was: with the token that is
		// about to be spent.
		r.theirs.seen = share.Digest(r.record.RefreshToken)
	}
	return share.Compare(r.record, found, err)
}

// lookAgain is compare for the file as it is now.
func (r *rotation) lookAgain() (share.Relation, error) {
	found, err := r.theirs.lock.Read()
	if err != nil && !share.IsMissing(err) {
		return share.Same, err
	}
	return r.compare(found, err), nil
}

// mend writes the tool's file with nothing renewed, unless an interrupted
// rotation may have spent the token.
func (r *rotation) mend() step {
	r.adopt(r.record)
	if r.lost {
		return stepRelease
	}
	return stepShareWrite
}

// shareAdopt makes the tool's tokens ours. Should they be refused, ours may
// still be good.
func (r *rotation) shareAdopt() step {
	next := share.Adopt(r.record, r.theirs.found, r.m.clock.Now())
	if r.lost {
		next.HoldOffUntil = next.Received.Wall.Add(holdOffAfter(next.Lifetime))
	}
	ctx := context.WithoutCancel(r.ctx)
	stored, err := r.held.Commit(ctx, next)
	switch {
	case errors.Is(err, credential.ErrSuperseded):
		r.discard(ctx) // at once: the tokens are the tool's, and not to be revoked
		return stepOvertaken
	case err != nil:
		return r.failStore("adopting what another tool got for", err)
	}
	r.search.others = append(r.search.others, r.record)
	r.record, r.search.sent = stored, nil
	r.touched, r.lost = false, false // that is in the record now
	r.event(Adopted, stored, nil)
	if r.due(stored) {
		return stepPrepare
	}
	return r.adopt(stored)
}

// shareWrite gives the tool what is stored. What its file holds by now decides:
// the tool's tokens are never overwritten.
func (r *rotation) shareWrite() step {
	relation, err := r.lookAgain()
	switch {
	case err != nil || relation == share.Same:
	case relation == share.Theirs:
		err = share.ErrChanged // the next rotation adopts them
	default:
		err = r.theirs.lock.Write(r.record)
	}
	switch {
	case err != nil:
		r.shareFailed("writing", err)
	case relation == share.Missing && !r.first:
		r.event(ShareRestored, r.record, nil)
	}
	return stepRelease
}

// stalled reports whether the tool may believe that its lock is free, though
// nothing was sent yet.
func (r *rotation) stalled() bool {
	if r.theirs.lock == nil || r.report.Requests > 0 {
		return false
	}
	now := r.m.clock.Now()
	held := now.Wall.Sub(r.theirs.since.Wall).Abs()
	if sameBoot(r.theirs.since, now) {
		held = now.Boot - r.theirs.since.Boot
	}
	return held >= shareStall
}

func (r *rotation) releaseTheirs() {
	if r.theirs.lock == nil {
		return
	}
	if err := r.theirs.lock.Release(); err != nil {
		r.m.log.Warn("releasing the lock of the tool that shares the credential", "key", r.key, "err", err)
	}
	r.theirs.lock = nil
}

// failShare ends a rotation that has spent nothing.
func (r *rotation) failShare(doing string, err error) step {
	return r.endUnshared(ResultStore, r.shareFailed(doing, err))
}

// endUnshared ends a rotation that has spent nothing. What was only about the
// tool's file is no failure for readers.
func (r *rotation) endUnshared(how Result, err error) step {
	if r.goal == goalShare {
		return r.end(ResultAdopted, result{cred: r.record, unshared: err})
	}
	return r.end(how, result{err: err})
}

func (r *rotation) shareFailed(doing string, err error) error {
	tool := r.record.Share.Tool
	err = fmt.Errorf("%s the file that %s shares with %s: %w", doing, r.key, tool, err)
	r.m.log.Warn("sharing a credential", "key", r.key, "tool", tool, "err", err)
	r.result.unshared = err
	r.event(ShareFailed, r.record, err)
	return err
}
