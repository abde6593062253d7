package login

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// step is what one poll's answer means for a login.
type step int

const (
	stepWait     step = iota // authorization_pending: poll again after the interval
	stepSlowDown             // slow_down: the interval grows for good
	stepBackOff              // trouble on the way: poll again later, until the code expires
	stepWin                  // a token
	stepEnd                  // a definite refusal
)

// verdict is the decision about one poll.
type verdict struct {
	step       step
	status     credential.LoginStatus // for stepEnd
	failure    credential.Failure     // for stepEnd
	trouble    string                 // for stepBackOff
	retryAfter time.Duration          // for stepBackOff, 0 if the provider named none
	// unsure tells that the provider may have answered with a token that we
	// never saw.
	unsure bool
}

// decide turns the result of one poll into a verdict (RFC 8628 section 3.5). It is
// the only place that does. unsure tells that an earlier answer, ours or a
// dead owner's, may have been lost.
func decide(err error, unsure bool) verdict {
	if err == nil {
		return verdict{step: stepWin}
	}
	switch code := oauth.CodeOf(err); code {
	case "":
		return trouble(err)
	case oauth.ErrorAuthorizationPending:
		return verdict{step: stepWait}
	case oauth.ErrorSlowDown:
		return verdict{step: stepSlowDown}
	case oauth.ErrorAccessDenied:
		return refused(credential.LoginDenied, api.CodeAccessDenied, "the request was denied at the provider")
	case oauth.ErrorExpiredToken:
		return refused(credential.LoginExpired, api.CodeExpired, "the code expired before it was approved")
	case oauth.ErrorInvalidGrant:
		if unsure {
			return refused(credential.LoginFailed, api.CodeLostSuccess,
				"the provider's answer was lost and its code is spent; log in again")
		}
		return refused(credential.LoginFailed, api.CodeInvalidGrant, "the provider does not know this code any more; log in again")
	default:
		// Code is of the RFC's charset, checked by package oauth.
		return refused(credential.LoginFailed, api.CodeProviderRefused, "the provider refused the login with "+code)
	}
}

func refused(status credential.LoginStatus, code api.Code, hint string) verdict {
	return verdict{step: stepEnd, status: status, failure: credential.Failure{Code: string(code), Hint: hint, FromProvider: true}}
}

// The troubles of a pending login: it goes on, but not well.
const (
	TroubleUnreachable = "provider_unreachable"
	TroubleError       = "provider_error"
	TroubleRateLimited = "rate_limited"
)

// trouble judges an answer without an OAuth error code. None of them ends a
// login: a firewall page or a proxy's 4xx says nothing about the code.
func trouble(err error) verdict {
	v := verdict{step: stepBackOff, trouble: TroubleUnreachable}
	var e *oauth.Error
	if !errors.As(err, &e) {
		// Not ours: an in-process provider's own error.
		v.trouble, v.unsure = TroubleError, true
		return v
	}
	v.retryAfter = e.RetryAfter
	v.unsure = e.Outcome == oauth.Ambiguous
	switch e.Kind {
	case oauth.KindRateLimited:
		v.trouble = TroubleRateLimited
	case oauth.KindNetwork, oauth.KindTimeout, oauth.KindCanceled, oauth.KindTLS:
	default:
		v.trouble = TroubleError
	}
	return v
}

// slowDownStep is what a slow_down adds to the interval for good (RFC 8628
// section 3.5).
const slowDownStep = 5 * time.Second

// maxBackOff bounds the waiting after trouble, unless the interval itself is
// longer: a provider that is back should be noticed within a minute.
const maxBackOff = time.Minute

// backOff is the wait after the n-th trouble in a row (n from 1): the interval
// doubled each time, never less than the interval, with up to a tenth of
// jitter so that many clients do not return together.
func backOff(interval time.Duration, n int, retryAfter time.Duration) time.Duration {
	d := interval
	for range min(n, 10) {
		d *= 2
	}
	d = max(min(d, maxBackOff), interval, retryAfter)
	return d + rand.N(d/10+1)
}
