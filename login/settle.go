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

func persistFailed() *credential.Failure {
	return &credential.Failure{
		Code: FailurePersist, Hint: "the credential could not be stored; check disk space and permissions, then log in again",
	}
}

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
		r.finish(e, credential.LoginFailed, persistFailed())
	case !won && e.snapshot().Status != credential.LoginPersisting:
		// Somebody ended the login between our poll and its answer.
		r.lose(e, cred, "the login had ended when the token arrived")
	default:
		// Persisting without having won: our write was made, though the store
		// reported a failure first.
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
			r.authorized(e, after, &stored)
		case errors.Is(err, credential.ErrConflict):
			// A cancel or a logout was taken down meanwhile: look again.
			fresh, getErr := r.store.GetLogin(ctx, before.ID)
			if getErr != nil {
				return getErr
			}
			if !r.adoptForeign(e, fresh) {
				before = fresh // settled by an attempt that was reported as failed
				return errSettled
			}
		}
		return err
	})
	switch {
	case err == nil:
	case errors.Is(err, credential.ErrSuperseded):
		r.lose(e, *before.Won, "superseded by a logout")
		r.finish(e, credential.LoginFailed, &credential.Failure{
			Code: string(api.CodeSuperseded), Hint: "a logout of the same key came first",
		})
	case errors.Is(err, errSettled) && before.Status != credential.LoginAuthorized:
	case r.inPlace(e, before):
	default:
		r.cfg.Log.Error("storing the credential of a login", "error", err)
		status, failure, why := credential.LoginFailed, persistFailed(), "the store failed"
		if before.CancelAsked {
			status, failure, why = credential.LoginCancelled, nil, "cancelled, and the store failed"
		}
		// First the end: as long as the record has the token, whoever claims
		// the login may still store it, and must not store a revoked one.
		e.setSettling(false) // from here on it is anybody's
		saved := r.finish(e, status, failure)
		if e.snapshot().Status != credential.LoginAuthorized && (saved || errors.Is(err, credential.ErrNotFound)) {
			r.lose(e, *before.Won, why)
		}
	}
}

// errSettled: the login ended before this attempt to settle it.
var errSettled = errors.New("login is settled")

// inPlace ends a login as authorized, and reports true, if its credential is
// stored although the store reported a failure.
func (r *Registry) inPlace(e *entry, after credential.Login) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), persistTimeout)
	defer cancel()
	e.op.Lock()
	defer e.op.Unlock()
	stored, err := r.store.Get(ctx, after.Key)
	switch {
	case err == nil && stored.Grant == after.ID:
		if after.Status.Live() {
			end(&after, credential.LoginAuthorized, nil)
			e.setUnsaved(true)
		}
		r.authorized(e, after, &stored)
		return true
	case after.Status == credential.LoginAuthorized: // and replaced since
		r.authorized(e, after, nil)
		return true
	}
	return false
}

// authorized takes and tells the good end. The caller holds e.op.
func (r *Registry) authorized(e *entry, after credential.Login, stored *credential.Credential) {
	e.adopt(after)
	hint := ""
	if after.CancelAsked {
		hint = "the cancel came while the token was being stored; it is kept, as the person approved"
	}
	r.cfg.Observe(Event{Type: Authorized, Login: after, By: after.Initiator, Hint: hint, Credential: stored})
	e.wake()
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
