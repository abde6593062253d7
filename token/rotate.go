package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/failpoint"
	"github.com/usherauth/usher/oauth"
)

// step is a step of a rotation. Every step is one method, which names the step
// that follows; a rotation that ends, ends in stepRelease.
type step int

const (
	// stepLock takes the store's rotation lock, which re-reads the record.
	stepLock step = iota
	// stepReread decides again, on the record as read under the lock: someone
	// may have been faster. It notices an interrupted predecessor.
	stepReread
	// stepShareLock takes the lock of the tool that shares the credential.
	stepShareLock
	// stepShareRead looks, under both locks, whether the tool was faster.
	stepShareRead
	// stepShareAdopt stores what the tool got, and decides again.
	stepShareAdopt
	// stepPrepare gathers what a request needs, before anything is written.
	stepPrepare
	// stepReserve makes sure that the answer will find room, and makes the
	// intent to spend the refresh token durable.
	stepReserve
	// stepSend makes one attempt and classifies its result.
	stepSend
	// stepWait waits before the same token is sent again.
	stepWait
	// stepPersist makes the answer durable, however long that takes.
	stepPersist
	// stepOvertaken takes the record as it is now: a logout or a new login does
	// not wait for the rotation lock.
	stepOvertaken
	// stepRefused reads everything once more before it believes a refusal.
	stepRefused
	// stepCandidate goes on with another refresh token that the store has kept,
	// after the record's was refused.
	stepCandidate
	// stepDemote stores that a login is needed.
	stepDemote
	// stepSuperseded deals with an answer that the record has no place for.
	stepSuperseded
	// stepShareWrite gives the tool its part of what is stored.
	stepShareWrite
	// stepRelease publishes the result, then gives the locks back.
	stepRelease
	// stepDone is not a step.
	stepDone
)

var stepNames = [...]string{
	stepLock: "lock", stepReread: "reread",
	stepShareLock: "share-lock", stepShareRead: "share-read", stepShareAdopt: "share-adopt",
	stepPrepare: "prepare", stepReserve: "reserve", stepSend: "send", stepWait: "wait",
	stepPersist: "persist", stepOvertaken: "overtaken", stepRefused: "refused",
	stepCandidate: "candidate", stepDemote: "demote", stepSuperseded: "superseded",
	stepShareWrite: "share-write", stepRelease: "release", stepDone: "done",
}

func (s step) String() string { return stepNames[s] }

// rotation is one run of the protocol for one key. It belongs to one
// goroutine.
type rotation struct {
	plan
	m       *Manager
	entry   *entry
	reading uint64 // its number
	flight  *flight
	key     credential.Key
	began   time.Time

	ctx    context.Context // the budget; set by stepLock
	cancel context.CancelFunc

	held   credential.Rotation
	record credential.Credential // as read under the lock, or stored since
	search search
	theirs theirs

	attempt  Renewer
	client   *oauth.Client // nil for an injected renewer
	before   tally
	wait     time.Duration
	touched  bool // the refresh token may be spent
	lost     bool // a request may still be travelling
	answer   *oauth.Token
	received credential.Instant
	cause    credential.Cause

	result result
	report Report
	events []Event
}

// result is what a rotation leaves to its readers.
type result struct {
	// cred is the newest record known; it is valid if err is nil.
	cred credential.Credential
	err  error
	// pause is how long the provider asked not to be asked again.
	pause time.Duration
	// pauses: the failure is one to back off from.
	pauses bool
	// unstored is why cred is not durable; nil if it is.
	unstored error
	// unshared is why the tool that shares cred does not have it; nil if it
	// does, or nobody tried.
	unshared error
}

// run executes the steps. base is never cancelled: readers come and go.
func (r *rotation) run(base context.Context) {
	r.began = time.Now()
	r.ctx, r.cancel = base, func() {}
	for s := stepLock; s != stepDone; {
		s = r.do(s)
	}
	r.cancel()
}

// do executes one step and returns the one that follows.
func (r *rotation) do(s step) step {
	failpoint.Hit("token." + s.String())
	switch s {
	case stepLock:
		return r.lock()
	case stepReread:
		return r.reread()
	case stepShareLock:
		return r.shareLock()
	case stepShareRead:
		return r.shareRead()
	case stepShareAdopt:
		return r.shareAdopt()
	case stepPrepare:
		return r.prepare()
	case stepReserve:
		return r.reserve()
	case stepSend:
		return r.send()
	case stepWait:
		return r.pause()
	case stepPersist:
		return r.persist()
	case stepOvertaken:
		return r.overtaken()
	case stepRefused:
		return r.refuse()
	case stepCandidate:
		return r.tryCandidate()
	case stepDemote:
		return r.demote()
	case stepSuperseded:
		return r.superseded()
	case stepShareWrite:
		return r.shareWrite()
	case stepRelease:
		return r.release()
	}
	panic("internal error: token: unknown step")
}

// sameLogin reports whether c is still of the grant and refresh token that this
// rotation works with; anything else about it may have changed.
func (r *rotation) sameLogin(c credential.Credential) bool {
	return c.Grant == r.record.Grant && c.RefreshToken.Equal(r.record.RefreshToken)
}

// sameToken is sameLogin, or the same refresh token imported once more: that was
// spent with ours, and its successor is the answer to ours.
func (r *rotation) sameToken(c credential.Credential) bool {
	return r.sameLogin(c) || !c.RefreshToken.IsZero() && c.RefreshToken.Equal(r.record.RefreshToken)
}

// generation is that of the record this rotation worked with.
func (r *rotation) generation() uint64 {
	if r.record.Generation != 0 {
		return r.record.Generation
	}
	return r.seen
}

func (r *rotation) event(t EventType, c credential.Credential, err error) {
	r.events = append(r.events, Event{Type: t, Credential: c, Err: err})
}

// The ways a rotation ends.

func (r *rotation) end(how Result, res result) step {
	r.report.Result, r.result = how, res
	return stepRelease
}

func (r *rotation) adopt(c credential.Credential) step {
	return r.end(ResultAdopted, result{cred: c})
}

// refreshed ends it with the answer stored as c.
func (r *rotation) refreshed(c credential.Credential) step {
	r.event(Refreshed, c, nil)
	r.record = c
	r.end(ResultRefreshed, result{cred: c})
	if r.theirs.lock != nil {
		return stepShareWrite
	}
	return stepRelease
}

func (r *rotation) gone() step {
	r.event(Removed, credential.Credential{Key: r.key}, nil)
	r.entry.drop()
	return r.end(ResultSuperseded, result{err: &LoginNeededError{Key: r.key, NeverLoggedIn: true}})
}

func (r *rotation) failBusy(err error) step {
	return r.end(ResultBusy, result{err: err})
}

func (r *rotation) failProvider(err error, pause time.Duration) step {
	r.m.log.Warn("refresh did not succeed", "key", r.key, "err", err)
	return r.end(ResultProvider, result{err: &RefreshError{Key: r.key, Err: err}, pause: pause, pauses: true})
}

func (r *rotation) failStore(doing string, err error) step {
	r.m.log.Error("store failed in a rotation", "key", r.key, "doing", doing, "err", err)
	// No pause: it is ours, not the provider's, and a disk that has room again
	// should be noticed at once.
	return r.end(ResultStore, result{err: fmt.Errorf("%s credential %s: %w", doing, r.key, err)})
}

// finish ends it for those who watch.
func (r *rotation) finish() {
	if r.goal == goalShare {
		return // nothing was to be renewed
	}
	c := r.record
	if r.result.err == nil {
		c = r.result.cred
	}
	c.Key = r.key
	r.report.Took = time.Since(r.began)
	r.events = append(r.events, Event{Type: Finished, Credential: c, Err: r.result.err, Report: r.report})
}

// release publishes the result and gives the locks back, the tool's first.
func (r *rotation) release() step {
	if r.result.err == nil {
		r.entry.publish(r.reading, r.m.snapshot(r.result.cred, ""))
	}
	r.releaseTheirs()
	if r.held != nil {
		if err := r.held.Release(!r.touched); err != nil {
			r.m.log.Error("releasing the rotation lock", "key", r.key, "err", err)
		}
	}
	r.finish()
	return stepDone
}

// discard removes what a superseded commit kept aside.
func (r *rotation) discard(ctx context.Context) {
	if err := r.held.Discard(ctx); err != nil && !errors.Is(err, context.Canceled) {
		r.m.log.Error("removing a superseded token", "key", r.key, "err", err)
	}
}
