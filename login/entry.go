package login

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/usherauth/usher/credential"
)

// entry is what this process knows of one login.
type entry struct {
	// op serialises this process's transitions of the login, and is held
	// across their store calls, but for Settle; the store's version
	// arbitrates between processes. Never taken while mu is held.
	op sync.Mutex

	mu           sync.Mutex
	login        credential.Login
	owned        bool
	settling     bool // this process is storing the credential
	unsaved      bool // it ended here, but the store could not be told yet
	lastPolledAt time.Time
	trouble      string
	troubles     int  // in a row
	unsure       bool // an answer with a token may have been lost
	timer        *time.Timer
	deadline     time.Time
	taker        string // the client id whose joining was told last
	waiters      int
	changed      chan struct{} // closed and replaced at every change
}

func newEntry(l credential.Login) *entry {
	return &entry{login: l, changed: make(chan struct{})}
}

func (e *entry) snapshot() Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Snapshot{Login: e.login, LastPolledAt: e.lastPolledAt, Trouble: e.trouble}
}

func (e *entry) setSettling(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settling = on
}

func (e *entry) isUnsaved() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unsaved
}

func (e *entry) setUnsaved(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unsaved = on
}

func (e *entry) ownedNow() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.owned
}

// takenBy notes that the client id by joined, and reports whether that is
// worth telling: it is someone, someone else, and was not told just now.
func (e *entry) takenBy(by string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if by == "" || by == e.login.Initiator || by == e.taker {
		return false
	}
	e.taker = by
	return true
}

// wait returns the login and a channel that is closed at its next change.
func (e *entry) wait() (Snapshot, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Snapshot{Login: e.login, LastPolledAt: e.lastPolledAt, Trouble: e.trouble}, e.changed
}

// adopt takes l as the newest known state. Those who wait are woken apart, with
// wake, so that an event is out before anyone acts on what it tells.
func (e *entry) adopt(l credential.Login) {
	e.mu.Lock()
	defer e.mu.Unlock()
	// Another owner: ours was taken for dead, and two must not poll.
	lost := l.Owner != e.login.Owner
	e.login = l
	if !l.Status.Live() {
		e.trouble = ""
	}
	if lost || !l.Status.Live() {
		e.owned = false
		if e.timer != nil {
			e.timer.Stop()
		}
	}
}

// wake wakes those who wait for a change.
func (e *entry) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *entry) unwatch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiters--
}

func (e *entry) stopTimer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
	}
}

// transition applies change to the login, in the store and then here, and
// reports whether it won: change returns false when the state no longer allows
// it, and then nothing happens. Whoever wins reports the event; by names who
// asked, for the event.
func (r *Registry) transition(ctx context.Context, e *entry, by string, change func(*credential.Login) bool) (won bool, err error) {
	e.op.Lock()
	defer e.op.Unlock()
	if e.isUnsaved() {
		return false, r.saveEnd(ctx, e)
	}
	for {
		before := e.snapshot().Login
		next := before
		if !change(&next) {
			return false, nil
		}
		stored, err := r.store.UpdateLogin(ctx, next, before.Version)
		switch {
		case err == nil:
			e.adopt(stored)
			r.report(before, stored, by)
			e.wake()
			return true, nil
		case errors.Is(err, credential.ErrConflict):
			fresh, err := r.store.GetLogin(ctx, before.ID)
			if err != nil {
				return false, err
			}
			if fresh.Version == before.Version {
				return false, credential.ErrConflict
			}
			if !r.adoptForeign(e, fresh) {
				return false, nil
			}
		default:
			return false, err
		}
	}
}

// report emits the event of a transition that this process made. Persisting
// and what is recorded while it lasts are nobody's business.
func (r *Registry) report(before, after credential.Login, by string) {
	switch {
	case before.Status.Live() && !after.Status.Live():
		if after.Status != credential.LoginCancelled {
			by = after.Initiator // nobody here decided it
		}
		r.cfg.Observe(Event{Type: eventOf(after.Status), Login: after, By: by})
	case before.Status == credential.LoginStarting && after.Status == credential.LoginPending:
		r.cfg.Observe(Event{Type: Started, Login: after, By: after.Initiator})
	case after.Status == credential.LoginPending && after.Interval > before.Interval:
		r.cfg.Observe(Event{Type: Throttled, Login: after, By: after.Initiator})
	}
}

// adoptForeign takes a state that another process stored and reports what it
// shows. It is false, and nothing happens, for the work of a settle of ours
// that is about to say so itself. The caller holds e.op.
func (r *Registry) adoptForeign(e *entry, fresh credential.Login) bool {
	e.mu.Lock()
	before, settling := e.login, e.settling
	e.mu.Unlock()
	if settling && fresh.Status == credential.LoginAuthorized {
		return false
	}
	e.adopt(fresh)
	defer e.wake()
	ev := Event{Login: fresh, By: fresh.CancelledBy, Foreign: true}
	switch {
	case before.Status.Live() && !fresh.Status.Live():
		ev.Type = eventOf(fresh.Status)
	case before.Status == credential.LoginStarting && fresh.Status == credential.LoginPending:
		ev.Type = Started
	case fresh.Status == credential.LoginPending && fresh.Interval > before.Interval:
		ev.Type = Throttled
	default:
		return true
	}
	r.cfg.Observe(ev)
	return true
}
