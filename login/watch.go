package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
)

// watch returns the entry of l, making one if needed, and counts a waiter on
// it. The caller gives it back with unwatch.
func (r *Registry) watch(l credential.Login) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[l.ID]
	if e == nil {
		e = newEntry(l)
		r.entries[l.ID] = e
	}
	e.mu.Lock()
	e.waiters++
	e.mu.Unlock()
	r.watchLocked()
	return e
}

// watchLocked starts the watcher unless it runs. It ends by itself when there
// is nothing left to watch.
func (r *Registry) watchLocked() {
	if r.watching || r.stopped {
		return
	}
	r.watching = true
	r.work.Go(func() {
		tick := time.NewTicker(watchPeriod)
		defer tick.Stop()
		lastSweep := time.Time{}
		for {
			sweep := time.Since(lastSweep) >= sweepPeriod
			if sweep {
				lastSweep = time.Now()
			}
			r.reconcile(r.ctx, sweep)
			if r.watchDone() {
				return
			}
			select {
			case <-tick.C:
			case <-r.stop:
				return
			}
		}
	})
}

func (r *Registry) watchDone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cfg.Adopt {
		return false
	}
	for _, e := range r.entries {
		if s := e.snapshot(); s.Status.Live() || e.isUnsaved() {
			return false
		}
	}
	r.watching = false
	return true
}

// reconcile compares what this process knows with the store: it adopts what
// others changed, claims logins whose owner died, and drops what is gone.
func (r *Registry) reconcile(ctx context.Context, sweep bool) {
	seen := map[string]bool{}
	for l, err := range r.store.ListLogins(ctx) {
		if err != nil {
			r.cfg.Log.Debug("unreadable login", "error", err)
			continue
		}
		seen[l.ID] = true
		e := r.entry(l.ID)
		if e == nil && r.cfg.Adopt && l.Status.Live() {
			e = r.meet(l)
		}
		if e != nil {
			r.catchUp(ctx, e, l)
		}
		if sweep && !l.Status.Live() && time.Since(l.EndedAt) >= Grace {
			if err := r.store.DeleteLogin(ctx, l.ID); err != nil {
				r.cfg.Log.Debug("deleting ended login", "login", l.ID, "error", err)
			}
			delete(seen, l.ID)
		}
	}
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, e := range r.entries {
		s := e.snapshot()
		switch {
		case s.Status.Live():
		case e.isUnsaved() && time.Since(s.EndedAt) < Grace:
		case !seen[id] || time.Since(s.EndedAt) >= Grace:
			delete(r.entries, id)
		}
	}
}

// meet makes an entry for a login that another process started.
func (r *Registry) meet(l credential.Login) *entry {
	e := r.watch(l)
	e.unwatch()
	if l.Status == credential.LoginPending {
		r.cfg.Observe(Event{Type: Started, Login: l, By: l.Initiator, Foreign: true})
	}
	return e
}

// catchUp brings e up to l as it stands in the store, and takes the login over
// if its owner is dead and somebody here cares.
func (r *Registry) catchUp(ctx context.Context, e *entry, l credential.Login) {
	if !e.op.TryLock() {
		return // a transition of ours is under way; next time
	}
	cur := e.snapshot().Login
	if l.Version > cur.Version && !e.isUnsaved() {
		r.adoptForeign(e, l)
	}
	e.op.Unlock()

	e.mu.Lock()
	care := !e.owned && e.login.Status.Live() && e.login.Status != credential.LoginStarting &&
		(r.cfg.Adopt || e.waiters > 0)
	e.mu.Unlock()
	if care {
		r.claim(ctx, e)
	}
}

// claim makes this process the owner of e's login if its owner is dead, and
// goes on where that one stopped. Otherwise nothing happens.
func (r *Registry) claim(ctx context.Context, e *entry) {
	owner, err := r.ownerID(ctx)
	if err != nil {
		return
	}
	e.op.Lock()
	cur := e.snapshot().Login
	if e.ownedNow() || !cur.Status.Live() {
		e.op.Unlock()
		return
	}
	claimed, err := r.store.ClaimLogin(ctx, cur.ID, owner)
	if err != nil {
		e.op.Unlock()
		if !errors.Is(err, credential.ErrOwned) && !errors.Is(err, credential.ErrConflict) {
			r.cfg.Log.Debug("claiming login", "login", cur.ID, "error", err)
		}
		return
	}
	r.adoptForeign(e, claimed)
	e.mu.Lock()
	e.owned = true
	e.unsure = true // the dead owner's last answer may have been a token
	e.deadline = claimed.ExpiresAt
	e.mu.Unlock()
	e.op.Unlock()

	switch {
	case claimed.Status == credential.LoginPersisting:
		r.work.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), persistTimeout)
			defer cancel()
			r.settle(ctx, e)
		})
	case claimed.Device == nil:
		r.finish(e, credential.LoginFailed, credential.Failure{
			Code: string(api.CodeInternal), Hint: "the process that started this login died; log in again",
		})
	case !time.Now().Before(claimed.ExpiresAt):
		r.finish(e, credential.LoginExpired, credential.Failure{
			Code: string(api.CodeExpired), Hint: "the code expired before it was approved",
		})
	default:
		// A full interval first: nobody knows when the dead owner last polled.
		r.arm(e, 0)
	}
}

func (e *entry) ownedNow() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.owned
}
