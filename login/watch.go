package login

import (
	"context"
	"errors"
	"time"

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
		e.say.Lock() // so that nothing is told of it before its start
		defer e.say.Unlock()
		r.entries[l.ID] = e
		r.changes.Add(1)
	}
	e.mu.Lock()
	e.waiters++
	e.mu.Unlock()
	r.watchLocked()
	r.mu.Unlock()
	if met && r.cfg.Adopt && l.Status() == credential.LoginPending {
		ev := Event{Type: Started, Login: l, By: l.Initiator, Foreign: true}
		if r.cfg.AfterCrash && l.CreatedAt.Before(r.began) {
			ev.Foreign, ev.Hint = false, hintRetold
		}
		r.tell(ev)
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
		for {
			r.look(r.ctx)
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
		if e.live() || e.isUnsaved() {
			return false
		}
	}
	r.watching = false
	return true
}

// look brings this process up to date with the store, and looks after what
// nobody writes down: owners that died, ends that are not stored, and time.
func (r *Registry) look(ctx context.Context) {
	told, err := r.store.LoginChanges(ctx, r.cursor)
	switch {
	case err != nil:
		r.cfg.Log.Debug("reading changes of logins", "error", err)
	case told.All:
		if r.reconcile(ctx) {
			r.cursor = told.Next
		}
	default:
		for _, c := range told.Logins {
			r.follow(ctx, c)
		}
		r.cursor = told.Next
	}
	select {
	case <-r.looked:
	default:
		close(r.looked)
	}
	for _, e := range r.all() {
		if r.closing() {
			return // there may be thousands to take over
		}
		r.lookAfter(ctx, e)
	}
	if time.Since(r.lastSweep) >= sweepPeriod {
		r.lastSweep = time.Now()
		r.sweep(ctx)
		if r.unreadable {
			r.cursor, r.unreadable = "", false // it may be readable next time
		}
	}
}

// follow takes one change of the store. A login that is known to be as new is
// not read: most changes are our own.
func (r *Registry) follow(ctx context.Context, c credential.LoginChange) {
	e := r.entry(c.ID)
	switch {
	case e == nil && (!r.cfg.Adopt || c.Version == 0):
		return
	case e != nil && c.Version > 0 && e.version() >= c.Version:
		return
	}
	l, err := r.store.GetLogin(ctx, c.ID)
	switch {
	case err == nil:
		r.see(ctx, l)
	case errors.Is(err, credential.ErrNotFound) && e != nil:
		r.vanished(ctx, e)
	default:
		r.unreadable = true
		r.cfg.Log.Debug("unreadable login", "error", err)
	}
}

// reconcile compares what this process knows with the whole store. It is false
// if that could not be read.
func (r *Registry) reconcile(ctx context.Context) bool {
	seen := map[string]bool{}
	for l, err := range r.store.ListLogins(ctx) {
		if err != nil {
			r.unreadable = true
			r.cfg.Log.Debug("unreadable login", "error", err)
			continue
		}
		seen[l.ID] = true
		r.see(ctx, l)
	}
	if ctx.Err() != nil {
		return false
	}
	for _, e := range r.all() {
		if id := e.id(); !seen[id] && e.live() {
			r.vanished(ctx, e)
		}
	}
	return true
}

// see takes a login as the store has it.
func (r *Registry) see(ctx context.Context, l credential.Login) {
	e := r.entry(l.ID)
	if e == nil && !l.Live() && time.Since(l.EndedAt()) >= Grace {
		r.forget(ctx, l.ID)
		return
	}
	if e == nil && r.cfg.Adopt {
		e = r.meet(ctx, l)
	}
	if e != nil {
		r.catchUp(e, l)
	}
}

// meet makes an entry for a login that another process started.
func (r *Registry) meet(ctx context.Context, l credential.Login) *entry {
	if !l.Live() {
		if old := l.EndedAt().Before(r.began); old || !l.Begun() {
			// Old news, or never shown to anybody: nothing is told of it,
			// unless nobody else may have.
			r.mu.Lock()
			r.entries[l.ID] = newEntry(l)
			r.changes.Add(1)
			r.mu.Unlock()
			if old && l.Begun() && r.cfg.AfterCrash {
				r.retell(ctx, l)
			}
			return nil
		}
		// It began and ended since the last look: first it was pending.
		l.State = credential.Pending{}
		l.Version--
	}
	e := r.watch(l)
	e.unwatch()
	return e
}

// retell tells the end of l, which the process that was killed may have told or
// not.
func (r *Registry) retell(ctx context.Context, l credential.Login) {
	before := l
	before.State = credential.Pending{}
	ev := eventFor(before, l)
	ev.Hint = hintRetold
	if ev.Type == Authorized {
		if c, err := r.store.Get(ctx, l.Key); err == nil && c.Grant == l.ID {
			ev.Credential = &c
		}
	}
	r.tell(ev)
}

// catchUp brings e up to l as it stands in the store.
func (r *Registry) catchUp(e *entry, l credential.Login) {
	if !e.op.TryLock() {
		return // a transition of ours is under way, and will see for itself
	}
	defer e.op.Unlock()
	if l.Version > e.version() {
		r.takeForeign(e, l)
	}
}

// lookAfter does for e what nobody writes down.
func (r *Registry) lookAfter(ctx context.Context, e *entry) {
	if e.saveable() && e.op.TryLock() {
		if err := r.saveEnd(ctx, e); err != nil {
			r.cfg.Log.Debug("recording the end of a login", "login", e.id(), "error", err)
		}
		e.op.Unlock()
	}
	e.mu.Lock()
	care := !e.owned && e.record.live() && (r.cfg.Adopt || e.waiters > 0)
	e.mu.Unlock()
	if care {
		r.claim(ctx, e)
	}
}

// sweep forgets the logins whose grace is over, and ends those that have
// expired while nobody looked after them.
func (r *Registry) sweep(ctx context.Context) {
	for _, e := range r.all() {
		e.mu.Lock()
		over := !e.record.live() && time.Since(e.record.endedAt()) >= Grace
		unsaved, id := e.unsaved, e.record.id
		e.mu.Unlock()
		if !over || unsaved && r.stored(ctx, id) {
			continue
		}
		r.forget(ctx, id)
		r.mu.Lock()
		delete(r.entries, id)
		r.changes.Add(1)
		r.mu.Unlock()
	}
	if !r.cfg.Adopt {
		r.retire(ctx)
	}
}

// stored reports whether the store may have a login of that id.
func (r *Registry) stored(ctx context.Context, id string) bool {
	_, err := r.store.GetLogin(ctx, id)
	return !errors.Is(err, credential.ErrNotFound)
}

// forget removes an ended login from the store.
func (r *Registry) forget(ctx context.Context, id string) {
	if err := r.store.DeleteLogin(ctx, id); err != nil {
		r.cfg.Log.Debug("deleting ended login", "login", id, "error", err)
	}
}

// retire ends the logins that have expired while their owner was dead, which
// would count for the cap for ever. A token that one of them has won is stored.
// A registry that adopts has claimed them already.
func (r *Registry) retire(ctx context.Context) {
	for l, err := range r.store.ListLogins(ctx) {
		if err == nil && l.Live() && !time.Now().Before(l.ExpiresAt) {
			e := r.watch(l)
			r.catchUp(e, l)
			r.lookAfter(ctx, e)
			e.unwatch()
		}
	}
}
