package token

import (
	"time"

	"github.com/usherauth/usher/credential"
)

// verdict is what to do about a read of a credential.
type verdict int

const (
	// serve: hand out the token that is there.
	serve verdict = iota
	// serveAndRenew: hand it out, and renew it beside the reader.
	serveAndRenew
	// renew: it is not enough; renew first.
	renew
	// hold: nothing is usable, and a hold-off bars a renewal a little longer.
	hold
	// login: nothing is usable and nothing can be renewed.
	login
)

// decision is a verdict with its reasons.
type decision struct {
	verdict verdict
	// usable: the token may be handed out if a renewal fails.
	usable bool
	// cause: why a login is needed, for login.
	cause credential.Cause
	// wait: how long the hold-off lasts, for hold.
	wait time.Duration
}

// decide judges c at now for a reader who asks for minTTL. canMint reports
// whether credentials of c's kind are renewed without a refresh token.
func decide(c credential.Credential, now credential.Instant, minTTL time.Duration, canMint bool) decision {
	remains := left(c, now)
	d := decision{
		usable: !c.AccessToken.IsZero() && remains > Margin(c.Lifetime),
		cause:  loginCause(c, canMint),
	}
	enough := d.usable && remains > need(c.Lifetime, minTTL)
	if d.cause != "" {
		if !d.usable {
			d.verdict = login
		}
		return d
	}
	wait, held := heldOff(c, now)
	switch {
	case !d.usable && held:
		d.verdict, d.wait = hold, wait
	case !d.usable:
		d.verdict = renew
	case held || !spaced(c, now):
		d.verdict = serve
	case !enough:
		d.verdict = renew
	case remains <= RefreshEarly(c.Lifetime):
		d.verdict = serveAndRenew
	}
	return d
}

// spaced reports whether c was received long enough ago for another rotation
// that is not urgent.
func spaced(c credential.Credential, now credential.Instant) bool {
	elapsed, known := age(c, now)
	return !known || elapsed >= Spacing(c.Lifetime)
}

// loginCause is why c cannot be renewed, or "" if it can.
func loginCause(c credential.Credential, canMint bool) credential.Cause {
	switch {
	case c.State == credential.NeedsLogin && c.Cause != credential.CauseProviderChanged:
		return c.Cause
	case c.RefreshToken.IsZero() && !canMint:
		return credential.CauseNoRefreshToken
	}
	// A provider that changed may have changed back: whoever supplies the
	// client secret says so at the next renewal.
	return ""
}
