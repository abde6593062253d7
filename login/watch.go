package login

import (
	"context"
	"errors"
	"sync"
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
		if !r.cfg.Adopt {
			// It has not been followed so far, and may have changed since l was read.
			r.again[l.ID] = true
		}
	}
	e.mu.Lock()
	e.waiters++
	e.mu.Unlock()
	r.watchLocked()
	r.mu.Unlock()
	if met && r.cfg.Adopt && l.Status() == credential.LoginPending {
		r.tellStart(l)
	}
	return e
}

// tellStart tells of a login that was met when it was pending. One that is older
// than this registry is no news, unless nobody else may have told of it.
func (r *Registry) tellStart(l credential.Login) {
	ev := Event{Type: Started, Login: l, By: l.Initiator, Foreign: true}
	if l.CreatedAt.Before(r.began) {
		if !r.cfg.AfterCrash {
			return
		}
		ev.Foreign, ev.Hint = false, hintRetold
	}
	r.tell(ev)
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
	err := r.readChanges(ctx)
	if err != nil {
		r.cfg.Log.Debug("reading changes of logins", "error", err)
	}
	r.setLookFailure(err)
	for id := range r.takeAgain() {
		r.follow(ctx, credential.LoginChange{ID: id})
	}
	select {
	case <-r.looked:
	default:
		close(r.looked)
	}
	r.lookAfterAll(ctx)
	if r.closing() {
		return
	}
	if time.Since(r.lastSweep) >= sweepPeriod {
		r.lastSweep = time.Now()
		r.sweep(ctx)
		if r.unreadable {
			r.cursor, r.unreadable = "", false // it may be readable next time
		}
	}
}

// readChanges takes what the store tells since the last time.
func (r *Registry) readChanges(ctx context.Context) error {
	told, err := r.store.LoginChanges(ctx, r.cursor)
	if err != nil {
		return err
	}
	if told.All {
		if err := r.reconcile(ctx); err != nil {
			return err
		}
	}
	for _, c := range told.Logins {
		r.follow(ctx, c)
	}
	r.cursor = told.Next
	return nil
}

func (r *Registry) setLookFailure(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if (err == nil) != (r.unlooked == nil) {
		r.changes.Add(1) // List answers otherwise now
	}
	r.unlooked = err
}

func (r *Registry) lookFailure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unlooked
}

// isUnreadable reports whether err is about one record of a listing alone.
func isUnreadable(err error) bool {
	_, ok := errors.AsType[*credential.UnreadableError](err)
	return ok
}

// lookAgain has the next look read the login whatever the store tells by then:
// what it told already could not be taken.
func (r *Registry) lookAgain(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.again[id] = true
}

func (r *Registry) takeAgain() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.again
	r.again = map[string]bool{}
	return again
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

// reconcile compares what this process knows with the whole store.
func (r *Registry) reconcile(ctx context.Context) error {
	seen := map[string]bool{}
	for l, err := range r.store.ListLogins(ctx) {
		if isUnreadable(err) {
			r.unreadable = true
			r.cfg.Log.Debug("unreadable login", "error", err)
			continue
		}
		if err != nil {
			return err
		}
		seen[l.ID] = true
		r.see(ctx, l)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, e := range r.all() {
		if id := e.id(); !seen[id] && e.live() {
			r.vanished(ctx, e)
		}
	}
	return nil
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
		r.lookAgain(l.ID) // what holds op may see for itself, or not
		return
	}
	defer e.op.Unlock()
	if l.Version > e.version() {
		r.takeForeign(e, l)
	}
}

// carers bounds the logins that are looked after at a time.
const carers = 64

// lookAfterAll looks after the logins that need it. After the death of a daemon
// there may be thousands to take over: many at a time, since the store is quicker
// so, and for no longer than a watchPeriod, as other changes are to be seen too.
// What is left is for the next look, which is due by then.
func (r *Registry) lookAfterAll(ctx context.Context) {
	began := time.Now()
	free := make(chan struct{}, carers)
	var caring sync.WaitGroup
	for _, e := range r.all() {
		if r.closing() || time.Since(began) >= watchPeriod {
			break
		}
		if !r.needsCare(e) {
			continue
		}
		free <- struct{}{}
		caring.Go(func() {
			defer func() { <-free }()
			r.lookAfter(ctx, e)
		})
	}
	caring.Wait()
}

func (r *Registry) needsCare(e *entry) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unsaved || r.orphanLocked(e)
}

// orphanLocked reports whether e is to be taken over if its owner is dead. The
// caller holds e.mu.
func (r *Registry) orphanLocked(e *entry) bool {
	return !e.owned && e.record.live() && (r.cfg.Adopt || e.waiters > 0)
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
	orphan := r.orphanLocked(e)
	e.mu.Unlock()
	if orphan {
		r.claim(ctx, e)
	}
}

// sweep forgets the logins whose grace is over, and ends those that have
// expired while nobody looked after them.
func (r *Registry) sweep(ctx context.Context) {
	for _, e := range r.all() {
		if r.closing() {
			return
		}
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
