package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// budget is the time of a whole rotation from the moment its lock is held,
// retries included, and also the longest wait for that lock, because whoever
// holds it has the same budget.
const budget = 60 * time.Second

// closeGrace is how long a rotation may go on to wait for its lock when the
// manager is closed.
const closeGrace = 250 * time.Millisecond

// step is a step of a rotation. Every step is one method, which names the step
// that follows; a rotation that ends, ends in stepRelease.
type step int

const (
	// stepLock takes the store's rotation lock, which re-reads the record.
	stepLock step = iota
	// stepReread decides again, on the record as read under the lock: someone
	// may have been faster. It notices an interrupted predecessor.
	stepReread
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
	// stepRefused reads the store once more before it believes a refusal.
	stepRefused
	// stepDemote stores that a login is needed.
	stepDemote
	// stepSuperseded deals with an answer that the record has no place for.
	stepSuperseded
	// stepRelease publishes the result, then gives the lock back.
	stepRelease
	// stepDone is not a step.
	stepDone
)

// rotation is one run of the protocol for one key. It belongs to one
// goroutine.
type rotation struct {
	m      *Manager
	entry  *entry
	epoch  uint64 // of entry, when the rotation began
	flight *flight
	key    credential.Key
	seen   uint64        // generation the reader decided on
	minTTL time.Duration // what that reader asked for

	ctx    context.Context // the budget; set by stepLock
	cancel context.CancelFunc

	held    credential.Rotation
	record  credential.Credential // as read under the lock
	attempt Renewer
	client  *oauth.Client // nil for an injected renewer

	before  tally
	wait    time.Duration
	touched bool // the refresh token may be spent
	lost    bool // a request may still be travelling

	answer   *oauth.Token
	received credential.Instant
	cause    credential.Cause

	result result
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
}

// run executes the steps. base is never cancelled: readers come and go.
func (r *rotation) run(base context.Context) {
	r.ctx, r.cancel = base, func() {}
	for s := stepLock; s != stepDone; {
		s = r.do(s)
	}
	r.cancel()
}

// do executes one step and returns the one that follows.
func (r *rotation) do(s step) step {
	switch s {
	case stepLock:
		return r.lock()
	case stepReread:
		return r.reread()
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
		return r.refused()
	case stepDemote:
		return r.demote()
	case stepSuperseded:
		return r.superseded()
	case stepRelease:
		return r.release()
	}
	panic("internal error: token: unknown step")
}

func (r *rotation) lock() step {
	base := r.ctx
	ctx, cancel := context.WithTimeout(base, budget)
	defer cancel()
	// Closing need not wait for somebody else's rotation. But a lock that is
	// free is taken: a short command in the last minutes of a token sets off a
	// renewal and closes at once.
	stop := context.AfterFunc(r.m.closing, func() { time.AfterFunc(closeGrace, cancel) })
	defer stop()

	held, err := r.m.cfg.Store.BeginRotation(ctx, r.key, r.seen)
	switch {
	case err == nil:
	case errors.Is(err, credential.ErrNotFound):
		return r.gone()
	case r.m.closing.Err() != nil:
		return r.fail(ErrClosed)
	case ctx.Err() != nil:
		return r.fail(fmt.Errorf("%w: %s: %w", ErrBusy, r.key, err))
	default:
		return r.failStore("locking", err)
	}
	r.held = held
	r.flight.locked.Store(true)
	r.ctx, r.cancel = context.WithTimeout(base, budget)
	return stepReread
}

func (r *rotation) reread() step {
	r.record = r.read()
	if r.record.Generation != r.seen {
		r.event(Adopted, r.record, nil)
	}
	if r.held.Interrupted() {
		// The same token goes out again, at once: it may have been spent, and
		// servers that forgive that do so for seconds.
		r.touched, r.lost = true, true
	}
	switch d := r.m.decide(r.record, r.minTTL); d.verdict {
	case renew, serveAndRenew:
		return stepPrepare
	default:
		return r.adopt(r.record)
	}
}

func (r *rotation) prepare() step {
	if renewer := r.m.cfg.Renewers[r.record.Kind]; renewer != nil {
		r.attempt = renewer
		return stepReserve
	}
	client, err := r.m.client(r.ctx, r.record)
	switch {
	case errors.Is(err, ErrProviderChanged):
		if r.record.State == credential.NeedsLogin {
			return r.adopt(r.record)
		}
		r.cause = credential.CauseProviderChanged
		return stepDemote
	case err != nil:
		return r.failProvider(err, 0)
	}
	r.client, r.attempt = client, refreshWith(client)
	return stepReserve
}

func (r *rotation) reserve() step {
	err := r.held.Reserve(r.ctx)
	switch {
	case errors.Is(err, credential.ErrConflict):
		return stepOvertaken
	case err != nil:
		return r.failStore("preparing to store", err)
	}
	return stepSend
}

func (r *rotation) send() step {
	if err := r.held.MaySend(r.ctx); err != nil {
		return r.failStore("keeping the right to refresh", err)
	}
	answer, err := r.attempt(r.ctx, r.record)
	r.received = r.m.clock.Now()
	if err == nil && (answer == nil || answer.AccessToken.IsZero()) {
		err = errors.New("renewer returned no access token")
	}
	deadline, _ := r.ctx.Deadline()
	o := classify(err, r.before, time.Until(deadline))
	r.touched = r.touched || !o.untouched
	r.lost = r.lost || o.ambiguous
	switch {
	case o.ambiguous:
		r.before.ambiguous++
		r.event(Ambiguous, r.record, err)
		r.salvage(err)
	case o.action == actRetry:
		r.before.notSent++
	}

	switch o.action {
	case actPersist:
		r.answer = answer
		return stepPersist
	case actRetry:
		r.m.log.Info("retrying refresh", "key", r.key, "after", o.wait, "err", err)
		r.wait = o.wait
		return stepWait
	case actRefused:
		return stepRefused
	default:
		return r.failProvider(err, o.wait)
	}
}

func (r *rotation) pause() step {
	// classify retries only within the budget.
	time.Sleep(r.wait)
	return stepSend
}

// salvage keeps an answer that claims success and cannot be understood.
func (r *rotation) salvage(err error) {
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Body.IsZero() {
		return
	}
	if err := r.held.Salvage(r.ctx, e.Body); err != nil {
		r.m.log.Error("keeping an answer that was not understood", "key", r.key, "err", err)
	}
}

func (r *rotation) overtaken() step {
	current, err := r.m.cfg.Store.Get(r.ctx, r.key)
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return r.gone()
	case err != nil:
		return r.failStore("re-reading", err)
	}
	r.event(Adopted, current, nil)
	return r.adopt(current)
}

func (r *rotation) refused() step {
	current, err := r.m.cfg.Store.Get(r.ctx, r.key)
	if err != nil || !r.sameToken(current) {
		// Refused was a token that may not be the record's any more.
		return stepOvertaken
	}
	r.cause = credential.CauseRefused
	return stepDemote
}

func (r *rotation) release() step {
	if r.result.err == nil {
		r.entry.publish(r.epoch, r.m.snapshot(r.result.cred, ""))
	}
	if r.held == nil {
		return stepDone
	}
	if err := r.held.Release(!r.touched); err != nil {
		r.m.log.Error("releasing the rotation lock", "key", r.key, "err", err)
	}
	return stepDone
}

// sameToken reports whether c is still of the grant and refresh token that
// this rotation works with; anything else about it may have changed.
func (r *rotation) sameToken(c credential.Credential) bool {
	return c.Grant == r.record.Grant && c.RefreshToken.Equal(r.record.RefreshToken)
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

func (r *rotation) adopt(c credential.Credential) step {
	r.result = result{cred: c}
	return stepRelease
}

func (r *rotation) gone() step {
	r.event(Removed, credential.Credential{Key: r.key}, nil)
	r.entry.drop(r.epoch)
	return r.fail(&LoginNeededError{Key: r.key, NeverLoggedIn: true})
}

func (r *rotation) fail(err error) step {
	r.result = result{err: err}
	return stepRelease
}

func (r *rotation) failProvider(err error, pause time.Duration) step {
	r.m.log.Warn("refresh did not succeed", "key", r.key, "err", err)
	r.result = result{err: &RefreshError{Key: r.key, Err: err}, pause: pause, pauses: true}
	return stepRelease
}

func (r *rotation) failStore(doing string, err error) step {
	r.m.log.Error("store failed in a rotation", "key", r.key, "doing", doing, "err", err)
	// No pause: it is ours, not the provider's, and a disk that has room again
	// should be noticed at once.
	r.result = result{err: fmt.Errorf("%s credential %s: %w", doing, r.key, err)}
	return stepRelease
}
