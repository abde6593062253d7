package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// The steps of a rotation up to the answer.

// budget is the time of a whole rotation from the moment its lock is held,
// retries included, and also the longest wait for that lock, because whoever
// holds it has the same budget.
const budget = 60 * time.Second

// closeGrace is how long a rotation may go on to wait for its lock when the
// manager is closed.
const closeGrace = 250 * time.Millisecond

// patience is ctx for waiting for a lock, at most for d.
func (r *rotation) patience(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	// Closing need not wait for somebody else's rotation. But a lock that is
	// free is taken: a short command in the last minutes of a token sets off a
	// renewal and closes at once.
	stop := context.AfterFunc(r.m.closing, func() { time.AfterFunc(closeGrace, cancel) })
	return ctx, func() {
		stop()
		cancel()
	}
}

func (r *rotation) lock() step {
	base, asked := r.ctx, time.Now()
	ctx, cancel := r.patience(base, budget)
	defer cancel()
	held, err := r.m.cfg.Store.BeginRotation(ctx, r.key, r.seen)
	r.report.LockWait = time.Since(asked)
	switch {
	case err == nil:
	case errors.Is(err, credential.ErrNotFound):
		return r.gone()
	case r.m.closing.Err() != nil:
		return r.failBusy(ErrClosed)
	case ctx.Err() != nil:
		return r.failBusy(fmt.Errorf("%w: %s: %w", ErrBusy, r.key, err))
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
		r.touched, r.lost, r.report.Recovered = true, true, true
	}
	shared := r.record.Share.Tool != ""
	switch {
	case r.goal == goalShare && shared, r.due(r.record) && shared:
		return stepShareLock
	case r.due(r.record):
		return stepPrepare
	}
	return r.adopt(r.record)
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
	if r.stalled() {
		r.releaseTheirs()
		return stepShareLock
	}
	if err := r.held.MaySend(r.ctx); err != nil {
		return r.failStore("keeping the right to refresh", err)
	}
	answer, err := r.attempt(r.ctx, r.sending())
	r.received = r.m.clock.Now()
	if err == nil && (answer == nil || answer.AccessToken.IsZero()) {
		err = errors.New("renewer returned no access token")
	}
	deadline, _ := r.ctx.Deadline()
	o := classify(err, r.before, time.Until(deadline))
	r.count(err, o)

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

// sending is the credential whose refresh token is sent.
func (r *rotation) sending() credential.Credential {
	if r.search.sent != nil {
		return *r.search.sent
	}
	return r.record
}

// count takes note of what an attempt came to.
func (r *rotation) count(err error, o outcome) {
	r.touched = r.touched || !o.untouched
	r.lost = r.lost || o.ambiguous
	if oauth.OutcomeOf(err) != oauth.NotSent {
		r.report.Requests++
	}
	switch {
	case o.ambiguous:
		r.before.ambiguous++
		r.report.Ambiguous++
		r.event(Ambiguous, r.record, err)
		r.salvage(err)
	case o.action == actRetry:
		r.before.notSent++
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
