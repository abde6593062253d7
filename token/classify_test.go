package token

import (
	"errors"
	"testing"
	"time"

	"github.com/usherauth/usher/oauth"
)

func TestClassify(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	fault := func(o oauth.Outcome, k oauth.Kind) *oauth.Error { return &oauth.Error{Outcome: o, Kind: k} }
	answered := func(code string) *oauth.Error {
		return &oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindOAuth, Code: code}
	}
	limited := &oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindRateLimited, RetryAfter: 90 * s}
	busy := &oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindRateLimited, RetryAfter: 90 * s}

	fail, lost, kept := outcome{action: actFail}, outcome{action: actFail, ambiguous: true}, outcome{action: actFail, untouched: true}
	paused := func(o outcome, d time.Duration) outcome { o.wait = d; return o }
	again := func(d time.Duration, ambiguous bool) outcome {
		return outcome{action: actRetry, wait: d, ambiguous: ambiguous, untouched: !ambiguous}
	}

	for _, tt := range []struct {
		name   string
		err    error
		before tally
		budget time.Duration
		want   outcome
	}{
		{"success", nil, tally{}, 0, outcome{action: actPersist}},

		// R3: never left.
		{"not sent", fault(oauth.NotSent, oauth.KindNetwork), tally{}, 60 * s, again(250*ms, false)},
		{"not sent twice", fault(oauth.NotSent, oauth.KindNetwork), tally{notSent: 1}, 60 * s, again(s, false)},
		{"not sent three times", fault(oauth.NotSent, oauth.KindNetwork), tally{notSent: 2}, 60 * s, kept},
		{"dialling too slow", fault(oauth.NotSent, oauth.KindTimeout), tally{}, 60 * s, again(250*ms, false)},
		{"bad certificate", fault(oauth.NotSent, oauth.KindTLS), tally{}, 60 * s, kept},
		{"bad configuration", fault(oauth.NotSent, oauth.KindConfig), tally{}, 60 * s, kept},

		// R4: left, and no answer came back.
		{"connection broke", fault(oauth.Ambiguous, oauth.KindNetwork), tally{}, 60 * s, again(500*ms, true)},
		{"broke twice", fault(oauth.Ambiguous, oauth.KindNetwork), tally{ambiguous: 1}, 60 * s, again(s, true)},
		{"broke three times", fault(oauth.Ambiguous, oauth.KindNetwork), tally{ambiguous: 2}, 60 * s, lost},
		{"broke late in the budget", fault(oauth.Ambiguous, oauth.KindNetwork), tally{}, 5 * s, lost},
		{"server fault", fault(oauth.Ambiguous, oauth.KindServer), tally{}, 60 * s, again(500*ms, true)},
		{"success without a token", fault(oauth.Ambiguous, oauth.KindMalformed), tally{}, 60 * s, again(500*ms, true)},
		{"a slow answer is not a lost one", fault(oauth.Ambiguous, oauth.KindTimeout), tally{}, 60 * s, paused(lost, 30*s)},
		{"cancelled", fault(oauth.Ambiguous, oauth.KindCanceled), tally{}, 60 * s, lost},
		{"503 with Retry-After", busy, tally{}, 60 * s, paused(lost, 90*s)},
		{"a renewer's own error", errors.New("boom"), tally{}, 60 * s, lost},

		// R5, R6, R7: the server decided, or something before it.
		{"invalid_grant", answered("invalid_grant"), tally{}, 60 * s, outcome{action: actRefused, untouched: true}},
		{"GitHub's invalid_grant", answered("bad_refresh_token"), tally{}, 60 * s, outcome{action: actRefused, untouched: true}},
		{"invalid_client", answered("invalid_client"), tally{}, 60 * s, kept},
		{"invalid_request", answered("invalid_request"), tally{}, 60 * s, kept},
		{"unauthorized_client", answered("unauthorized_client"), tally{}, 60 * s, kept},
		{"invalid_scope", answered("invalid_scope"), tally{}, 60 * s, kept},
		{"temporarily_unavailable", answered("temporarily_unavailable"), tally{}, 60 * s, kept},
		{"slow_down", answered("slow_down"), tally{}, 60 * s, paused(kept, 30*s)},
		{"429", fault(oauth.Answered, oauth.KindRateLimited), tally{}, 60 * s, paused(outcome{action: actFail, untouched: true}, 30*s)},
		{"429 with Retry-After", limited, tally{}, 60 * s, paused(outcome{action: actFail, untouched: true}, 90*s)},
		{"redirect", fault(oauth.Answered, oauth.KindRedirect), tally{}, 60 * s, kept},
		{"empty 400", fault(oauth.Answered, oauth.KindStatus), tally{}, 60 * s, fail},
	} {
		if got := classify(tt.err, tt.before, tt.budget); got != tt.want {
			t.Errorf("%s: classify = %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
