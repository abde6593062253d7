package login

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// FailurePersist is the failure code of a login whose credential could not be
// stored.
const FailurePersist = "persist_failed"

const persistHint = "the credential could not be stored; check disk space and permissions, then log in again"

// win takes a token home: first into the login's record, so that whoever
// claims the login can finish, then into its place.
func (r *Registry) win(e *entry, polled credential.Login, token *oauth.Token) {
	cred := r.credential(polled, token)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), persistTimeout)
	defer cancel()

	var won bool
	err := r.persist(ctx, func() (err error) {
		won, err = r.transition(ctx, e, "", func(l *credential.Login) bool {
			if l.Status != credential.LoginPending {
				return false
			}
			l.Status, l.Won = credential.LoginPersisting, &cred
			return true
		})
		return err
	})
	switch {
	case err != nil:
		r.lose(e, cred, "the store failed before the token could be kept")
		r.finishUnsaved(e, credential.LoginFailed, credential.Failure{Code: FailurePersist, Hint: persistHint}, err)
	case !won:
		// Somebody ended the login between our poll and its answer.
		r.lose(e, cred, "the login had ended when the token arrived")
	default:
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
	err := r.persist(ctx, func() error {
		before = e.snapshot().Login
		if before.Status != credential.LoginPersisting {
			return errSettled
		}
		ending := before
		ending.EndedAt = time.Now().UTC().Round(0)
		after, stored, err := r.store.Settle(ctx, ending, *before.Won)
		e.op.Lock()
		defer e.op.Unlock()
		switch {
		case err == nil:
			e.adopt(after)
			hint := ""
			if before.CancelAsked {
				hint = "the cancel came while the token was being stored; it is kept, as the person approved"
			}
			r.cfg.Observe(Event{Type: Authorized, Login: after, By: after.Initiator, Hint: hint, Credential: &stored})
			e.wake()
		case errors.Is(err, credential.ErrConflict):
			// A cancel or a logout was taken down meanwhile: look again.
			fresh, getErr := r.store.GetLogin(ctx, before.ID)
			if getErr != nil {
				return getErr
			}
			r.adoptForeign(e, fresh)
		}
		return err
	})
	switch {
	case err == nil, errors.Is(err, errSettled):
	case errors.Is(err, credential.ErrSuperseded):
		r.lose(e, *before.Won, "superseded by a logout")
		r.finish(e, credential.LoginFailed, credential.Failure{
			Code: string(api.CodeSuperseded), Hint: "a logout of the same key came first",
		})
	case before.CancelAsked:
		r.lose(e, *before.Won, "cancelled, and the store failed")
		r.finishAs(e, credential.LoginCancelled, nil, err)
	default:
		r.lose(e, *before.Won, "the store failed")
		r.finishAs(e, credential.LoginFailed, &credential.Failure{Code: FailurePersist, Hint: persistHint}, err)
	}
}

// errSettled: somebody else finished the login.
var errSettled = errors.New("login is settled")

// finishAs ends a login whose settle failed with cause.
func (r *Registry) finishAs(e *entry, status credential.LoginStatus, f *credential.Failure, cause error) {
	r.cfg.Log.Error("storing the credential of a login", "error", cause)
	by := e.snapshot().CancelledBy
	_, err := r.transition(context.WithoutCancel(r.ctx), e, by, func(l *credential.Login) bool {
		if !l.Status.Live() {
			return false
		}
		end(l, status, f)
		return true
	})
	if err != nil {
		if f == nil {
			f = &credential.Failure{}
		}
		r.finishUnsaved(e, status, *f, err)
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
func (r *Registry) lose(e *entry, cred credential.Credential, why string) {
	l := e.snapshot().Login
	r.cfg.Observe(Event{Type: LostSuccess, Login: l, By: l.Initiator, Hint: why + "; " + r.revoke(l, cred)})
}

// credential makes the credential that token yields for l.
func (r *Registry) credential(l credential.Login, token *oauth.Token) credential.Credential {
	c := credential.Credential{
		Key: l.Key, Kind: credential.Refreshable, Binding: l.Binding, Grant: l.ID, State: credential.Active,
		AccessToken: token.AccessToken, RefreshToken: token.RefreshToken, IDToken: token.IDToken,
		TokenType: token.Type, Scopes: token.Scopes, ResourceURL: token.ResourceURL, Extra: token.Extra,
		Received: r.cfg.Received(), Lifetime: token.Lifetime,
	}
	if c.Scopes == nil {
		c.Scopes = l.Scopes // RFC 6749 section 5.1: absent means as requested
	}
	if token.RefreshLifetime > 0 {
		c.RefreshExpiresAt = c.Received.Wall.Add(token.RefreshLifetime)
	}
	if iss, sub, ok := oauth.Subject(token.IDToken); ok && r.cfg.AliasKey != nil {
		if key, err := r.cfg.AliasKey(); err != nil {
			r.cfg.Log.Warn("no account alias", "error", err) // a label is not worth a login
		} else {
			c.Alias = alias(key, iss, sub)
		}
	}
	return c
}

// alias labels an account without personal data: equal for the same subject at
// the same issuer, and meaningless to whoever lacks the key.
func alias(key secret.String, issuer, subject string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(issuer + "\x00" + subject))
	return "acct-" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:6])
}
