package cli

import (
	"time"

	"github.com/usherauth/usher/api"
)

// tellEnd tells how a login ended. before is the credential that the key had.
func (a *app) tellEnd(l api.Login, before api.Credential) error {
	if l.Status != api.LoginAuthorized {
		return endError(l)
	}
	c := l.Credential
	if c == nil {
		a.sayf("Logged in to %s.", a.titled(l))
		return nil
	}
	as := ""
	if c.Alias != "" {
		as = " as " + c.Alias
	}
	a.sayf("Logged in to %s%s; %s.", a.titled(l), as, lifetime(*c, time.Now()))
	a.tellShared(*c)
	if before.Alias != "" && c.Alias != "" && before.Alias != c.Alias {
		a.warnf("this is another account than before, which was %s", before.Alias)
	}
	return nil
}

// titled is what a login was for, by the name that people know: the title of the
// provider, and the key if there is an account to tell.
func (a *app) titled(l api.Login) string {
	dirs, err := a.dirs()
	if err != nil {
		return show(l.Key)
	}
	p, err := catalogue(dirs).Lookup(l.Provider)
	switch {
	case err != nil || p.Title == p.Name:
		return show(l.Key)
	case l.Key == p.Name:
		return show(p.Title)
	}
	return show(p.Title) + " (" + show(l.Key) + ")"
}

// lifetime says how long a fresh credential lasts.
func lifetime(c api.Credential, now time.Time) string {
	if c.ExpiresAt.IsZero() {
		return "the token lasts until it is revoked"
	}
	left := freshSpan(c.ExpiresAt.Sub(now))
	switch {
	case !c.ExpiresAt.After(now) && loginNeeded(c, now) == nil: // of an import
		return "the token has ended and renews itself"
	case c.NeedsLoginBy.IsZero():
		return "the token lasts " + left + " and renews itself"
	case c.NeedsLoginBy.After(c.ExpiresAt):
		return "the token lasts " + left + " and renews itself for " + freshSpan(c.NeedsLoginBy.Sub(now))
	default:
		return "the token lasts " + left + ", then log in again"
	}
}

// freshBy is how old a credential may be that counts as fresh: storing it took time.
const freshBy = 10 * time.Second

// freshSpan is d in words, as it was when the credential was new: 8 hours are not 7
// because a few seconds have gone by.
func freshSpan(d time.Duration) string {
	if whole := d + freshBy; whole >= 2*time.Minute {
		return span(whole)
	}
	return span(seconds(d))
}

// endError is the error for a login that ended without a credential.
func endError(l api.Login) *api.Error {
	var e *api.Error
	switch l.Status {
	case api.LoginDenied:
		e = api.Errorf(api.CodeAccessDenied, "the login for %s was denied", l.Key)
	case api.LoginExpired:
		e = api.Errorf(api.CodeExpired, "the login for %s expired before it was approved", l.Key)
	case api.LoginCancelled:
		e = api.Errorf(api.CodeCancelled, "the login for %s was cancelled", l.Key)
	default:
		e = api.Errorf(api.CodeInternal, "the login for %s failed", l.Key)
	}
	if l.Error != nil {
		e.Code = l.Error.Code
		// What other ends hint at is said already.
		if l.Error.Hint != "" && l.Status == api.LoginFailed {
			e.Message += ": " + l.Error.Hint
		}
	}
	return e.WithHint("run: usher login %s", l.Key)
}
