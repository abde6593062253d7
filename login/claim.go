package login

import (
	"context"
	"errors"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
)

// claim makes this process the owner of e's login if its owner is dead, and
// goes on where that one stopped. Otherwise nothing happens.
func (r *Registry) claim(ctx context.Context, e *entry) {
	owner, err := r.ownerID(ctx)
	if err != nil || !e.op.TryLock() {
		return // what holds op looks for itself
	}
	cur := e.login()
	if e.ownedNow() || !cur.Live() || r.inHand(cur) {
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
	r.takeForeign(e, claimed)
	e.mu.Lock()
	e.owned = true
	e.unsure = true // the dead owner's last answer may have been a token
	e.deadline = claimed.ExpiresAt.Sub(r.began)
	e.mu.Unlock()
	e.op.Unlock()
	r.goOn(e, claimed)
}

// inHand reports whether a start or a completion of ours is at work on l.
func (r *Registry) inHand(l credential.Login) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.starting[l.Key]
	return f != nil && f.id == l.ID || r.completing[l.ID] != nil
}

// goOn does what is next for a login that was claimed.
func (r *Registry) goOn(e *entry, claimed credential.Login) {
	pending := claimed.Status() == credential.LoginPending
	switch {
	case claimed.Status() == credential.LoginExchanging:
		r.finish(e, lostExchange())
	case claimed.Status() == credential.LoginPersisting:
		r.work.Go(func() {
			r.withinPersist(e, func(ctx context.Context) { r.settle(ctx, e) })
		})
	case !pending:
		r.finish(e, failed(credential.Failure{
			Code: string(api.CodeInternal), Hint: "the process that started this login died; log in again",
		}))
	case !time.Now().Before(claimed.ExpiresAt):
		r.finish(e, codeExpired())
	default:
		// A full interval first: nobody knows when the dead owner last polled.
		r.arm(e, 0)
	}
}
