package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
)

// watch returns the entry of l, making one if needed, and counts a waiter on
// it. The caller gives it back with unwatch. A registry that tells what other
// processes do tells of a start when it meets the login.
func (r *Registry) watch(l credential.Login) *entry {
	r.mu.Lock()
	e := r.entries[l.ID]
	met := e == nil
	if met {
		e = newEntry(l)
		e.op.Lock() // so that nothing is told of it before its start
		defer e.op.Unlock()
		r.entries[l.ID] = e
	}
	e.mu.Lock()
	e.waiters++
	e.mu.Unlock()
	r.watchLocked()
	r.mu.Unlock()
	if met && r.cfg.Adopt && l.Status == credential.LoginPending {
		r.cfg.Observe(Event{Type: Started, Login: l, By: l.Initiator, Foreign: true})
	}
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
	seen, unreadable := map[string]bool{}, false
	for l, err := range r.store.ListLogins(ctx) {
		if err != nil {
			r.cfg.Log.Debug("unreadable login", "error", err)
			unreadable = true
			continue
		}
		seen[l.ID] = true
		e := r.entry(l.ID)
		if e == nil && r.cfg.Adopt {
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
	if sweep {
		r.retire(ctx)
	}
	var lost []*entry
	r.mu.Lock()
	for id, e := range r.entries {
		switch s := e.snapshot(); {
		case s.Status.Live():
			if !seen[id] {
				lost = append(lost, e)
			}
		case e.isUnsaved() && (seen[id] || unreadable): // the store is still to be told
		case time.Since(s.EndedAt) >= Grace:
			delete(r.entries, id)
		}
	}
	r.mu.Unlock()
	for _, e := range lost {
		r.vanished(ctx, e)
	}
}

// meet makes an entry for a login that another process started, or returns nil
// if it is old news: what had ended before this process looked, or never was
// shown to anybody.
func (r *Registry) meet(l credential.Login) *entry {
	if !l.Status.Live() {
		if l.EndedAt.Before(r.began) || l.Interval == 0 || time.Since(l.EndedAt) >= Grace {
			return nil
		}
		// It began and ended since the last look: first it was pending.
		l.Status = credential.LoginPending
		l.Version--
	}
	e := r.watch(l)
	e.unwatch()
	return e
}

// retire ends the logins that have expired while their owner was dead, which
// would count for the cap for ever. A token that one of them has won is stored.
func (r *Registry) retire(ctx context.Context) {
	for l, err := range r.store.ListLogins(ctx) {
		if err == nil && l.Status.Live() && !time.Now().Before(l.ExpiresAt) {
			e := r.watch(l)
			r.catchUp(ctx, e, l)
			e.unwatch()
		}
	}
}

// catchUp brings e up to l as it stands in the store, and takes the login over
// if its owner is dead and somebody here cares.
func (r *Registry) catchUp(ctx context.Context, e *entry, l credential.Login) {
	if !e.op.TryLock() {
		return // a transition of ours is under way; next time
	}
	switch {
	case e.isUnsaved():
		if err := r.saveEnd(ctx, e); err != nil {
			r.cfg.Log.Debug("recording the end of a login", "login", l.ID, "error", err)
		}
	case l.Version > e.snapshot().Version:
		r.adoptForeign(e, l)
	}
	e.op.Unlock()

	e.mu.Lock()
	care := !e.owned && e.login.Status.Live() && (r.cfg.Adopt || e.waiters > 0)
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
	begins := cur.Status == credential.LoginStarting && cur.Owner == owner
	if e.ownedNow() || !cur.Status.Live() || begins {
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
		r.finish(e, credential.LoginFailed, &credential.Failure{
			Code: string(api.CodeInternal), Hint: "the process that started this login died; log in again",
		})
	case !time.Now().Before(claimed.ExpiresAt):
		r.finish(e, credential.LoginExpired, codeExpired())
	default:
		// A full interval first: nobody knows when the dead owner last polled.
		r.arm(e, 0)
	}
}
