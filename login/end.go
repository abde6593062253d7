package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
)

// The ends of a login, as of now.

func failed(f credential.Failure) credential.Ended { return ended(credential.LoginFailed, f) }

func ended(status credential.LoginStatus, f credential.Failure) credential.Ended {
	return credential.Ended{Status: status, At: stamp(), Failure: f}
}

func authorized() credential.Ended {
	return credential.Ended{Status: credential.LoginAuthorized, At: stamp()}
}

func cancelled(by string) credential.Ended {
	return credential.Ended{Status: credential.LoginCancelled, At: stamp(), CancelledBy: by}
}

// codeExpired is the end of a login whose code ran out by our clock.
func codeExpired() credential.Ended {
	return ended(credential.LoginExpired, credential.Failure{
		Code: string(api.CodeExpired), Hint: "the code expired before it was approved",
	})
}

// stamp is now as records have it.
func stamp() time.Time { return time.Now().UTC().Round(0) }

// finish ends a live login without a credential. A store that cannot be told
// does not keep it alive: the end then stands here, and is stored as soon as
// that is possible. saved tells that it is stored already.
func (r *Registry) finish(e *entry, end credential.Ended) (saved bool) {
	_, err := r.transition(context.WithoutCancel(r.ctx), e, func(l *credential.Login) bool {
		if !l.Live() {
			return false
		}
		l.State = end
		return true
	})
	switch {
	case err == nil:
		return true
	case !errors.Is(err, errEnded):
		r.cfg.Log.Error("recording the end of a login", "status", string(end.Status), "error", err)
		r.endHere(e, func(credential.Login) credential.Ended { return end })
	}
	return false
}

// saveEnd stores an end that the store could not be told when it came. A token
// that was still in the record is dropped with that, and therefore revoked
// only now. The caller holds e.op.
func (r *Registry) saveEnd(ctx context.Context, e *entry) error {
	if !e.saveable() {
		return nil
	}
	mine := e.login()
	stored, err := r.store.GetLogin(ctx, mine.ID)
	switch {
	case errors.Is(err, credential.ErrNotFound):
		return nil // nothing is left that could go on; the end is remembered here
	case err != nil:
		return err
	}
	if stored.Live() {
		saved, err := r.store.UpdateLogin(ctx, mine, stored.Version)
		if err != nil {
			return err
		}
		if p, ok := stored.State.(credential.Persisting); ok && !stored.Superseded && mine.Status() != credential.LoginAuthorized {
			r.lose(mine, p.Won, "the store failed")
		}
		stored = saved
	}
	e.saved(stored)
	return nil
}

// vanished ends a login here whose record is gone: its start failed in another
// process, or somebody removed it. Nobody would end it any more.
func (r *Registry) vanished(ctx context.Context, e *entry) {
	if !e.op.TryLock() {
		r.lookAgain(e.id())
		return
	}
	defer e.op.Unlock()
	gone := e.login()
	if !gone.Live() || e.ownedNow() {
		return
	}
	if _, err := r.store.GetLogin(ctx, gone.ID); !errors.Is(err, credential.ErrNotFound) {
		return
	}
	gone.State = failed(credential.Failure{
		Code: string(api.CodeLoginNotFound), Hint: "its record is gone; log in again",
	})
	r.takeForeign(e, gone)
}
