package login

import (
	"context"
	"errors"

	"github.com/usherauth/usher/credential"
)

// adoptLocked makes l the known state. The caller holds e.mu.
func (r *Registry) adoptLocked(e *entry, l credential.Login) {
	// Another owner: ours was taken for dead, and two must not poll, nor settle.
	lost := l.Owner != e.record.common.Value().owner
	if e.record.status() == credential.LoginPending && l.Interval > e.record.interval {
		e.slowed = true
	}
	e.record = makeRecord(l)
	r.changes.Add(1)
	if !l.Live() {
		e.trouble = ""
	}
	if lost || !l.Live() {
		e.owned = false
		r.schedule.remove(e)
	}
	if lost {
		e.settling = false
	}
}

// take makes l the known state of e, tells what event returns, and wakes those
// who wait. It is false, and nothing happens, if the login has been ended here
// and its end is not stored yet, or event says no.
func (r *Registry) take(e *entry, l credential.Login, event func(before credential.Login) (ev Event, ok bool)) bool {
	e.say.Lock()
	defer e.say.Unlock()
	e.mu.Lock()
	before := e.record.login()
	if e.unsaved {
		e.mu.Unlock()
		return false
	}
	ev, ok := event(before)
	if !ok {
		e.mu.Unlock()
		return false
	}
	r.adoptLocked(e, l)
	e.mu.Unlock()
	r.tell(ev)
	e.wake()
	return true
}

// endHere ends e in this process alone, because the store cannot be told or
// does not answer: it is stored when that is possible.
func (r *Registry) endHere(e *entry, end func(credential.Login) credential.Ended) bool {
	e.say.Lock()
	defer e.say.Unlock()
	e.mu.Lock()
	before := e.record.login()
	if !before.Live() {
		e.mu.Unlock()
		return false
	}
	after := before
	after.State = end(before)
	r.adoptLocked(e, after)
	e.unsaved = true
	e.mu.Unlock()
	r.tell(eventFor(before, after))
	e.wake()
	return true
}

// errEnded: the login has been ended here while the store was being asked, or
// has been claimed by another process, which ends it.
var errEnded = errors.New("login has ended")

// transition applies change to the login, in the store and then here, and
// reports whether it won: change returns false when the state no longer allows
// it, and then nothing happens. Whoever wins reports the event.
func (r *Registry) transition(ctx context.Context, e *entry, change func(*credential.Login) bool) (won bool, err error) {
	e.op.Lock()
	defer e.op.Unlock()
	for {
		if e.isUnsaved() {
			return false, r.saveEnd(ctx, e)
		}
		before := standing(e.login())
		next := before
		if !change(&next) {
			return false, nil
		}
		stored, err := r.store.UpdateLogin(ctx, next, before.Version)
		switch {
		case err == nil:
			if !r.take(e, stored, func(credential.Login) (Event, bool) { return eventFor(before, stored), true }) {
				return false, errEnded
			}
			return true, nil
		case errors.Is(err, credential.ErrConflict):
			fresh, err := r.store.GetLogin(ctx, before.ID)
			if err != nil {
				return false, err
			}
			if fresh.Version == before.Version {
				return false, credential.ErrConflict
			}
			if !r.takeForeign(e, fresh) {
				return false, nil
			}
		default:
			return false, err
		}
	}
}

// takeForeign takes a state that another process stored and tells what it
// shows. It is false, and nothing happens, for the work of a settle of ours
// that is about to say so itself; whoever else settles the login has claimed it
// first. The caller holds e.op.
func (r *Registry) takeForeign(e *entry, fresh credential.Login) bool {
	return r.take(e, fresh, func(before credential.Login) (Event, bool) {
		ev := eventFor(before, fresh)
		ev.Foreign = true
		ours := e.settling && fresh.Status() == credential.LoginAuthorized && fresh.Owner == before.Owner
		return ev, !ours
	})
}

// tell passes an event on; one without a type is none.
func (r *Registry) tell(e Event) {
	if e.Type != "" {
		r.cfg.Observe(e)
	}
}
