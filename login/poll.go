package login

import (
	"context"
	"time"

	"github.com/usherauth/usher/credential"
)

// arm schedules the next wake-up of an owned pending login: after the interval,
// or later when the back-off says so, but not after its code has expired; then,
// if it is not polled for.
func (r *Registry) arm(e *entry, backOff time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.armLocked(e, backOff)
}

func (r *Registry) armLocked(e *entry, backOff time.Duration) {
	if !e.owned || e.record.status() != credential.LoginPending {
		return
	}
	now := time.Now()
	wait := max(e.record.interval, backOff)
	_, polled := e.record.state.(credential.Pending)
	e.nextPollAt = now.Add(wait).UnixNano()
	if left := e.deadline - now.Sub(r.began); left < wait || !polled {
		wait, e.nextPollAt = max(left, 0), 0
	}
	r.schedule.set(e, now.Add(wait))
}

// wake runs one wake-up of a pending login, unless the registry is closing.
func (r *Registry) wake(e *entry) {
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return
	}
	r.work.Add(1)
	r.mu.Unlock()
	defer r.work.Done()
	r.tick(e)
}

// tick polls once and acts on the verdict.
func (r *Registry) tick(e *entry) {
	e.mu.Lock()
	l, unsure := e.record.login(), e.unsure
	pending, polled := l.State.(credential.Pending)
	if l.Status() != credential.LoginPending || !e.owned {
		e.mu.Unlock()
		return
	}
	now := time.Now()
	expired := now.Sub(r.began) >= e.deadline
	if polled && !expired && !l.Superseded {
		e.lastPolledAt = now.UnixNano()
	}
	e.mu.Unlock()

	switch {
	case l.Superseded:
		// A logout overtook it: nobody should still be asked to approve it.
		r.finish(e, cancelled(""))
		return
	case expired:
		r.finish(e, codeExpired())
		return
	case !polled:
		r.arm(e, 0)
		return
	}

	token, err := r.poll(e, l, pending.Device)
	if err != nil && r.ctx.Err() != nil {
		return // cut off by Close: the next owner polls again
	}
	v := decide(err, unsure)
	e.mu.Lock()
	e.trouble = v.trouble
	if v.step == stepBackOff {
		e.troubles++
		e.unsure = e.unsure || v.unsure
		// At once: whoever learns of the trouble learns when the next poll comes.
		r.armLocked(e, backOff(l.Interval, int(e.troubles), v.retryAfter))
	} else {
		e.troubles = 0
	}
	e.mu.Unlock()

	switch v.step {
	case stepWait:
		r.arm(e, 0)
	case stepSlowDown:
		r.slowDown(e)
	case stepBackOff:
		r.cfg.Log.Info("polling the provider", "key", l.Key.String(), "trouble", v.trouble, "error", err)
	case stepWin:
		cred := r.credential(l, token)
		r.withinPersist(e, func(ctx context.Context) { r.win(ctx, e, cred) })
	case stepEnd:
		r.finish(e, ended(v.status, v.failure))
	}
}

// slowDown makes the interval longer for good. It is written down, so that
// whoever owns the login next does not fall back to the old one.
func (r *Registry) slowDown(e *entry) {
	_, err := r.transition(r.ctx, e, func(l *credential.Login) bool {
		if l.Status() != credential.LoginPending {
			return false
		}
		l.Interval += slowDownStep
		return true
	})
	if err != nil {
		r.cfg.Log.Warn("recording slow_down", "error", err)
		e.mu.Lock()
		e.record.interval += slowDownStep
		e.slowed = true
		e.mu.Unlock()
	}
	r.arm(e, 0)
}
