package login

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

func answered(code string) error {
	return &oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindOAuth, Code: code, Status: 400}
}

func TestDecide(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		unsure bool
		want   step
		status credential.LoginStatus
		code   string
	}{
		{name: "token", want: stepWin},
		{name: "pending", err: answered("authorization_pending"), want: stepWait},
		{name: "wrapped pending", err: fmt.Errorf("polling: %w", answered("authorization_pending")), want: stepWait},
		{name: "slow down", err: answered("slow_down"), want: stepSlowDown},
		{name: "denied", err: answered("access_denied"), want: stepEnd, status: credential.LoginDenied, code: "access_denied"},
		{name: "expired", err: answered("expired_token"), want: stepEnd, status: credential.LoginExpired, code: "expired_token"},
		{name: "spent code", err: answered("invalid_grant"), want: stepEnd, status: credential.LoginFailed, code: "invalid_grant"},
		{name: "spent code after a lost answer", err: answered("invalid_grant"), unsure: true, want: stepEnd, status: credential.LoginFailed, code: "lost_success"},
		{name: "bad client", err: answered("invalid_client"), want: stepEnd, status: credential.LoginFailed, code: "provider_refused"},
		{name: "unknown code", err: answered("foo"), want: stepEnd, status: credential.LoginFailed, code: "provider_refused"},
		{name: "network", err: &oauth.Error{Outcome: oauth.NotSent, Kind: oauth.KindNetwork}, want: stepBackOff},
		{name: "time-out", err: &oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindTimeout}, want: stepBackOff},
		{name: "5xx", err: &oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindServer, Status: 503}, want: stepBackOff},
		{name: "html page", err: &oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindStatus, Status: 403}, want: stepBackOff},
		{name: "redirect", err: &oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindRedirect, Status: 302}, want: stepBackOff},
		{name: "foreign error", err: errors.New("boom"), want: stepBackOff},
	}
	for _, tt := range tests {
		v := decide(tt.err, tt.unsure)
		if v.step != tt.want || v.status != tt.status || v.failure.Code != tt.code {
			t.Errorf("%s: got %+v", tt.name, v)
		}
		if v.step == stepEnd && (v.failure.Hint == "" || !v.failure.FromProvider) {
			t.Errorf("%s: no hint, or not from the provider: %+v", tt.name, v.failure)
		}
		if (v.step == stepBackOff) != (v.trouble != "") {
			t.Errorf("%s: trouble = %q", tt.name, v.trouble)
		}
	}
}

func TestBackOffNeverBeatsTheInterval(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 5 * time.Second, 2 * time.Minute} {
		last := time.Duration(0)
		for n := 1; n < 40; n++ {
			d := backOff(interval, n, 0)
			limit := max(interval, maxBackOff)
			if d < interval || d > limit+limit/10 {
				t.Errorf("backOff(%v, %d) = %v", interval, n, d)
			}
			if n < 3 && d < last {
				t.Errorf("backOff(%v, %d) = %v, after %v", interval, n, d, last)
			}
			last = d - d/10
		}
	}
	if d := backOff(time.Second, 1, time.Hour); d < time.Hour {
		t.Errorf("Retry-After ignored: %v", d)
	}
}
