package login

import (
	"context"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// arm schedules the next wake-up of an owned pending login: after the interval,
// or later when the back-off says so, but not after its code has expired.
func (r *Registry) arm(e *entry, backOff time.Duration) {
	select {
	case <-r.stop:
		return
	default:
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.owned || e.login.Status != credential.LoginPending {
		return
	}
	wait := max(e.login.Interval, backOff)
	if left := time.Until(e.deadline); left < wait {
		wait = max(left, 0)
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	e.timer = time.AfterFunc(wait, func() { r.wake(e) })
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
	l, deadline, unsure := e.login, e.deadline, e.unsure
	if l.Status != credential.LoginPending || !e.owned {
		e.mu.Unlock()
		return
	}
	expired := !time.Now().Before(deadline)
	if !expired {
		e.lastPolledAt = time.Now()
	}
	e.mu.Unlock()

	switch {
	case l.Superseded:
		// A logout overtook it: nobody should still be asked to approve it.
		r.finish(e, credential.LoginCancelled, nil)
		return
	case expired:
		r.finish(e, credential.LoginExpired, codeExpired())
		return
	}

	token, err := r.poll(l)
	if err != nil && r.ctx.Err() != nil {
		return // cut off by Close: the next owner polls again
	}
	v := decide(err, unsure)
	e.mu.Lock()
	e.trouble = v.trouble
	if v.step == stepBackOff {
		e.troubles++
		e.unsure = e.unsure || v.unsure
	} else {
		e.troubles = 0
	}
	n := e.troubles
	e.mu.Unlock()

	switch v.step {
	case stepWait:
		r.arm(e, 0)
	case stepSlowDown:
		r.slowDown(e)
	case stepBackOff:
		r.cfg.Log.Info("polling the provider", "key", l.Key.String(), "trouble", v.trouble, "error", err)
		r.arm(e, backOff(l.Interval, n, v.retryAfter))
	case stepWin:
		r.win(e, l, token)
	case stepEnd:
		r.finish(e, v.status, &v.failure)
	}
}

func (r *Registry) poll(l credential.Login) (*oauth.Token, error) {
	ctx, cancel := context.WithTimeout(r.ctx, pollTimeout)
	defer cancel()
	p, err := r.provider(ctx, l)
	if err != nil {
		return nil, err
	}
	return checkPoll(p.Poll(ctx, *l.Device))
}

// slowDown makes the interval longer for good. It is written down, so that
// whoever owns the login next does not fall back to the old one.
func (r *Registry) slowDown(e *entry) {
	_, err := r.transition(r.ctx, e, "", func(l *credential.Login) bool {
		if l.Status != credential.LoginPending {
			return false
		}
		l.Interval += slowDownStep
		return true
	})
	if err != nil {
		r.cfg.Log.Warn("recording slow_down", "error", err)
		e.mu.Lock()
		e.login.Interval += slowDownStep
		e.mu.Unlock()
	}
	r.arm(e, 0)
}
