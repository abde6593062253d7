package login

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/failpoint"
)

// FailurePersist is the failure code of a login whose credential could not be
// stored.
const FailurePersist = api.KindPersistFailed

func persistFailed() credential.Ended {
	return failed(credential.Failure{
		Code: FailurePersist, Hint: "the credential could not be stored; check disk space and permissions, then log in again",
	})
}

// persistEnd is the end of l, whose credential could not be stored: a cancel
// that was taken down decides now.
func persistEnd(l credential.Login) credential.Ended {
	if p, ok := l.State.(credential.Persisting); ok && p.CancelAsked {
		return cancelled(cmp.Or(p.CancelledBy, l.Initiator))
	}
	return persistFailed()
}

// persistNotice is how long a store may take to notice that its context has
// ended before it counts as one that hangs: one that answers decides itself how
// the login ends.
const persistNotice = time.Second

// withinPersist runs do, which stores what e has won, and ends the login when
// it has outlasted persistTimeout: a store that hangs does not keep it alive.
// What do brings about afterwards is its own to tell.
func (r *Registry) withinPersist(e *entry, do func(ctx context.Context)) {
	ctx, cancel := r.persistContext()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		do(ctx)
	}()
	timeout := time.NewTimer(persistTimeout + persistNotice)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		r.endHere(e, persistEnd)
	}
}

// persistContext bounds what asks the store about a won token. Close does not
// cut it off.
func (r *Registry) persistContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.ctx), persistTimeout)
}

// win takes a token home: first into the login's record, so that whoever
// claims the login can finish, then into its place.
func (r *Registry) win(ctx context.Context, e *entry, cred credential.Credential) {
	failpoint.Hit("login.polled")
	var won bool
	err := r.persist(ctx, func() (err error) {
		won, err = r.transition(ctx, e, func(l *credential.Login) bool {
			switch l.State.(type) {
			case credential.Pending, credential.Exchanging:
				prompt, _ := l.Prompt()
				l.State = credential.Persisting{Prompt: prompt, Won: cred}
				return true
			}
			return false
		})
		return err
	})
	switch {
	case errors.Is(err, errEnded):
		// The record has the token now. Its end is stored by the watcher,
		// which then revokes it.
	case err != nil:
		r.lose(e.login(), cred, "the store failed before the token could be kept")
		r.finish(e, persistFailed())
	case !won && e.status() != credential.LoginPersisting:
		// Somebody ended the login between our poll and its answer.
		r.lose(e.login(), cred, "the login had ended when the token arrived")
	default:
		// Persisting without having won: our write was made, though the store
		// reported a failure first.
		failpoint.Hit("login.persisting")
		r.settle(ctx, e)
	}
}

// settle ends a persisting login with its credential. It does not hold e.op
// while the store works, so that a cancel is taken down at once however slow
// the disk is; the store's version tells whether that came first.
func (r *Registry) settle(ctx context.Context, e *entry) {
	e.setSettling(true)
	defer e.setSettling(false)
	var before credential.Login
	var at credential.Persisting // before's state
	err := r.persist(ctx, func() error {
		before = e.login()
		p, ok := before.State.(credential.Persisting)
		if !ok || !e.isSettling() {
			return errEnded
		}
		at = p
		ending := before
		ending.State = authorized()
		after, stored, err := r.store.Settle(ctx, ending, r.seen(p.Won))
		if err == nil {
			r.settled(ctx, stored)
		}
		e.op.Lock()
		defer e.op.Unlock()
		switch {
		case err == nil:
			failpoint.Hit("login.settled")
			r.authorized(e, after, &stored, p.CancelAsked)
		case errors.Is(err, credential.ErrConflict):
			// A cancel or a logout was taken down meanwhile: look again.
			fresh, getErr := r.store.GetLogin(ctx, before.ID)
			if getErr != nil {
				return getErr
			}
			if !r.takeForeign(e, fresh) {
				before = fresh // settled by an attempt that was reported as failed
				return errSettled
			}
		}
		return err
	})
	switch {
	case err == nil, errors.Is(err, errEnded):
	case errors.Is(err, credential.ErrSuperseded):
		r.lose(before, at.Won, "superseded by a logout")
		r.finish(e, failed(credential.Failure{
			Code: string(api.CodeSuperseded), Hint: "a logout of the same key came first",
		}))
	case errors.Is(err, errSettled) && before.Status() != credential.LoginAuthorized:
	case r.inPlace(e, before, at.CancelAsked):
	default:
		r.cfg.Log.Error("storing the credential of a login", "error", err)
		r.unsettled(e, before, at, err)
	}
}

// unsettled ends a login whose credential could not be stored, before its state
// at being at. First comes the end: as long as the record has the token,
// whoever claims the login may still store it, and must not store a revoked one.
func (r *Registry) unsettled(e *entry, before credential.Login, at credential.Persisting, err error) {
	e.setSettling(false) // from here on it is anybody's
	givenUp := e.isUnsaved()
	saved := r.finish(e, persistEnd(before))
	if givenUp || e.status() == credential.LoginAuthorized {
		return // storing the end revokes the token, or did
	}
	if saved || errors.Is(err, credential.ErrNotFound) {
		why := "the store failed"
		if at.CancelAsked {
			why = "cancelled, and the store failed"
		}
		r.lose(before, at.Won, why)
	}
}

// errSettled: the login ended before this attempt to settle it.
var errSettled = errors.New("login is settled")

// inPlace ends a login as authorized, and reports true, if its credential is
// stored although the store reported a failure.
func (r *Registry) inPlace(e *entry, after credential.Login, cancelAsked bool) bool {
	ctx, cancel := r.persistContext()
	defer cancel()
	e.op.Lock()
	defer e.op.Unlock()
	stored, err := r.store.Get(ctx, after.Key)
	switch {
	case err == nil && stored.Grant == after.ID:
		r.settled(ctx, stored)
		unsaved := after.Live()
		if unsaved {
			after.State = authorized()
		}
		r.authorized(e, after, &stored, cancelAsked)
		if unsaved {
			e.mu.Lock()
			e.unsaved = true
			e.mu.Unlock()
		}
		return true
	case after.Status() == credential.LoginAuthorized: // and replaced since
		r.authorized(e, after, nil, cancelAsked)
		return true
	}
	return false
}

// authorized takes and tells the good end. If the login was given up before,
// that end stays: it has been told. The credential is kept all the same, since
// the person approved it, and only the audit log hears of it. The caller holds
// e.op.
func (r *Registry) authorized(e *entry, after credential.Login, stored *credential.Credential, cancelAsked bool) {
	ev := Event{Type: Authorized, Login: after, By: after.Initiator, Credential: stored}
	if cancelAsked {
		ev.Hint = hintKept
	}
	if r.take(e, after, func(credential.Login) (Event, bool) { return ev, true }) {
		failpoint.Hit("login.ended")
		return
	}
	ev.Type, ev.Hint = LateSuccess, hintLate(credential.Credential{})
	if stored != nil {
		ev.Hint = hintLate(*stored)
	}
	r.tell(ev)
	ctx, cancel := r.persistContext()
	defer cancel()
	if told, err := r.store.UpdateLogin(ctx, e.login(), after.Version); err != nil {
		r.cfg.Log.Error("recording the end of a login", "error", err)
	} else {
		e.saved(told)
	}
}

// persist repeats do while the store fails, until ctx ends: a token that was
// won is worth waiting for a disk. Answers that decide something end it.
func (r *Registry) persist(ctx context.Context, do func() error) error {
	pause := 250 * time.Millisecond
	for {
		err := do()
		switch {
		case err == nil,
			errors.Is(err, errSettled),
			errors.Is(err, errEnded),
			errors.Is(err, credential.ErrSuperseded),
			errors.Is(err, credential.ErrNotFound):
			return err
		}
		wait := pause
		if errors.Is(err, credential.ErrConflict) {
			wait = 10 * time.Millisecond // the new state is read already; this only bounds a dispute
		} else {
			pause = min(2*pause, 8*time.Second)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// lose gives a won token back and says so in the audit log.
func (r *Registry) lose(l credential.Login, cred credential.Credential, why string) {
	r.tell(Event{Type: LostSuccess, Login: l, By: l.Initiator, Hint: why + "; " + r.revoke(l, cred)})
}
