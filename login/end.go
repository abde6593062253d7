package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
)

// codeExpired is the failure of a login whose code ran out by our clock.
func codeExpired() *credential.Failure {
	return &credential.Failure{Code: string(api.CodeExpired), Hint: "the code expired before it was approved"}
}

// end turns l into an ended login, without code, link or token to hand out.
func end(l *credential.Login, status credential.LoginStatus, f *credential.Failure) {
	l.Status, l.Failure = status, f
	l.Device, l.Won = nil, nil
	l.EndedAt = time.Now().UTC().Round(0)
}

// finish ends a live login without a credential. A store that cannot be told
// does not keep it alive: the end then stands here, and is stored as soon as
// that is possible. saved tells that it is stored already.
func (r *Registry) finish(e *entry, status credential.LoginStatus, f *credential.Failure) (saved bool) {
	by := e.snapshot().CancelledBy
	_, err := r.transition(context.WithoutCancel(r.ctx), e, by, func(l *credential.Login) bool {
		if !l.Status.Live() {
			return false
		}
		end(l, status, f)
		return true
	})
	if err == nil {
		return true
	}
	r.cfg.Log.Error("recording the end of a login", "status", string(status), "error", err)
	e.op.Lock()
	defer e.op.Unlock()
	before := e.snapshot().Login
	if !before.Status.Live() {
		return false
	}
	after := before
	end(&after, status, f)
	e.setUnsaved(true)
	e.adopt(after)
	r.report(before, after, by)
	e.wake()
	return false
}

// saveEnd stores an end that the store could not be told when it came. A token
// that was still in the record is dropped with that, and therefore revoked
// only now. The caller holds e.op.
func (r *Registry) saveEnd(ctx context.Context, e *entry) error {
	mine := e.snapshot().Login
	stored, err := r.store.GetLogin(ctx, mine.ID)
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return nil // nothing is left that could go on; the end is remembered here
	case err != nil:
		return err
	}
	if stored.Status.Live() {
		ended, err := r.store.UpdateLogin(ctx, mine, stored.Version)
		if err != nil {
			return err
		}
		if stored.Won != nil && !stored.Superseded && mine.Status != credential.LoginAuthorized {
			r.lose(e, *stored.Won, "the store failed")
		}
		stored = ended
	}
	e.adopt(stored)
	e.setUnsaved(false)
	return nil
}

// vanished ends a login here whose record is gone: its start failed in another
// process, or somebody removed it. Nobody would end it any more.
func (r *Registry) vanished(ctx context.Context, e *entry) {
	if !e.op.TryLock() {
		return // a transition of ours is under way; next time
	}
	defer e.op.Unlock()
	gone := e.snapshot().Login
	if !gone.Status.Live() || e.ownedNow() {
		return
	}
	if _, err := r.store.GetLogin(ctx, gone.ID); !errors.Is(err, credential.ErrNotFound) {
		return
	}
	end(&gone, credential.LoginFailed, &credential.Failure{
		Code: string(api.CodeLoginNotFound), Hint: "its record is gone; log in again",
	})
	r.adoptForeign(e, gone)
}
