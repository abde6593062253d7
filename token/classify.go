package token

import (
	"errors"
	"time"

	"github.com/usherauth/usher/oauth"
)

// action is what to do after an attempt to refresh.
type action int

const (
	// actPersist: the answer holds a token; make it durable.
	actPersist action = iota
	// actRetry: send the same token again after a short wait.
	actRetry
	// actRefused: the provider says the refresh token is dead.
	actRefused
	// actFail: no more now; the credential stays as it is.
	actFail
)

// outcome is the result of classify.
type outcome struct {
	action action
	// wait is the time until the retry, for actRetry; for actFail, the
	// time the provider asked for, or 0.
	wait time.Duration
	// ambiguous: the request may have been carried out.
	ambiguous bool
	// untouched: the token was certainly not spent by this attempt.
	untouched bool
}

// The waits before a retry. An answer that was lost is asked for again at 0.5
// and 1.5 s after the loss: the shortest periods of grace that servers give to
// a spent token are a few seconds. A request that never left is not urgent.
var (
	ambiguousWaits = []time.Duration{500 * time.Millisecond, time.Second}
	notSentWaits   = []time.Duration{250 * time.Millisecond, time.Second}
)

const (
	// leastAttempt is what must remain of the budget for a retry to start: one
	// that is cut off by the budget is worse than none.
	leastAttempt = 5 * time.Second
	// defaultPause is for a provider that limits the rate without saying for
	// how long, and for one that was asked and is still silent.
	defaultPause = 30 * time.Second
)

// gitHubBadRefreshToken is what GitHub says in place of invalid_grant:
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
const gitHubBadRefreshToken = "bad_refresh_token"

// tally counts the attempts of one rotation that failed, by outcome.
type tally struct{ ambiguous, notSent int }

// classify decides what the result of an attempt means. before counts the
// attempts before this one; budget is what remains of the rotation's time.
func classify(err error, before tally, budget time.Duration) outcome {
	if err == nil {
		return outcome{action: actPersist}
	}
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		// An injected renewer that says nothing about what was sent.
		return outcome{action: actFail, ambiguous: true}
	}
	switch e.Outcome {
	case oauth.NotSent:
		retriable := e.Kind == oauth.KindNetwork || e.Kind == oauth.KindTimeout
		if retriable {
			if wait, ok := nextWait(notSentWaits, before.notSent, budget); ok {
				return outcome{action: actRetry, wait: wait, untouched: true}
			}
		}
		return outcome{action: actFail, untouched: true}
	case oauth.Answered:
		return classifyAnswer(e)
	default:
		// A slow answer is not a lost one: a second request beside the first
		// is what strict servers punish. And who says when to come back is
		// taken at their word.
		final := e.Kind == oauth.KindTimeout || e.Kind == oauth.KindCanceled || e.RetryAfter > 0
		if !final {
			if wait, ok := nextWait(ambiguousWaits, before.ambiguous, budget); ok {
				return outcome{action: actRetry, wait: wait, ambiguous: true}
			}
		}
		wait := e.RetryAfter
		if e.Kind == oauth.KindTimeout {
			wait = max(wait, defaultPause)
		}
		return outcome{action: actFail, wait: wait, ambiguous: true}
	}
}

// classifyAnswer is for requests that the server decided. Only an OAuth error
// code can say that the refresh token is dead, and only one does.
func classifyAnswer(e *oauth.Error) outcome {
	switch {
	case e.Code == oauth.ErrorInvalidGrant || e.Code == gitHubBadRefreshToken:
		return outcome{action: actRefused, untouched: true}
	case e.Kind == oauth.KindRateLimited || e.Code == oauth.ErrorSlowDown:
		pause := e.RetryAfter
		if pause == 0 {
			pause = defaultPause
		}
		return outcome{action: actFail, wait: pause, untouched: true}
	}
	// A bare 4xx status may come from something between us and a server that
	// did act.
	untouched := e.Kind == oauth.KindOAuth || e.Kind == oauth.KindRedirect
	return outcome{action: actFail, wait: e.RetryAfter, untouched: untouched}
}

func nextWait(waits []time.Duration, used int, budget time.Duration) (time.Duration, bool) {
	if used >= len(waits) || budget < waits[used]+leastAttempt {
		return 0, false
	}
	return waits[used], true
}
