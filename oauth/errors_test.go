package oauth_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/usherauth/usher/oauth"
)

func asError(t *testing.T, err error) *oauth.Error {
	t.Helper()
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		t.Fatalf("got error %v (%T), want *oauth.Error", err, err)
	}
	return e
}

func wantError(t *testing.T, err error, kind oauth.Kind, outcome oauth.Outcome, code string) {
	t.Helper()
	e := asError(t, err)
	if e.Kind != kind || e.Outcome != outcome || e.Code != code {
		t.Errorf("got kind %q outcome %q code %q (%v), want %q %q %q", e.Kind, e.Outcome, e.Code, e, kind, outcome, code)
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("line\nbreak")
	for want, e := range map[string]*oauth.Error{
		"refresh: provider answered invalid_grant (HTTP 400)":                          {Op: "refresh", Kind: oauth.KindOAuth, Code: "invalid_grant", Status: 400, Description: "secret words"},
		"authorization response: provider answered access_denied":                      {Op: "authorization response", Kind: oauth.KindOAuth, Code: "access_denied"},
		"refresh: provider answered HTTP 403 without an OAuth error":                   {Op: "refresh", Kind: oauth.KindStatus, Status: 403},
		"refresh: provider limits the rate of requests (HTTP 429)":                     {Op: "refresh", Kind: oauth.KindRateLimited, Status: 429},
		"refresh: provider has a fault (HTTP 502)":                                     {Op: "refresh", Kind: oauth.KindServer, Status: 502},
		"refresh: provider answered with a redirect (HTTP 307), which is not followed": {Op: "refresh", Kind: oauth.KindRedirect, Status: 307},
		`refresh: unusable answer (HTTP 200): line\u{a}break`:                          {Op: "refresh", Kind: oauth.KindMalformed, Status: 200, Err: cause},
		"authorization response: unusable answer: state does not match":                {Op: "authorization response", Kind: oauth.KindMalformed, Err: oauth.ErrState},
		`refresh: connection: line\u{a}break`:                                          {Op: "refresh", Kind: oauth.KindNetwork, Err: cause},
		"refresh: cancelled":                                                           {Op: "refresh", Kind: oauth.KindCanceled},
		"refresh: no answer in time":                                                   {Op: "refresh", Kind: oauth.KindTimeout},
		`refresh: securing the connection: line\u{a}break`:                             {Op: "refresh", Kind: oauth.KindTLS, Err: cause},
		`refresh: configuration: line\u{a}break`:                                       {Op: "refresh", Kind: oauth.KindConfig, Err: cause},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestCodeOfAndOutcomeOf(t *testing.T) {
	wrapped := fmt.Errorf("logging in: %w", &oauth.Error{Code: oauth.ErrorSlowDown, Outcome: oauth.NotSent})
	for _, tt := range []struct {
		err     error
		code    string
		outcome oauth.Outcome
	}{
		{nil, "", oauth.Answered},
		{errors.New("something else"), "", oauth.Ambiguous},
		{wrapped, oauth.ErrorSlowDown, oauth.NotSent},
	} {
		if code, outcome := oauth.CodeOf(tt.err), oauth.OutcomeOf(tt.err); code != tt.code || outcome != tt.outcome {
			t.Errorf("%v: got %q %q, want %q %q", tt.err, code, outcome, tt.code, tt.outcome)
		}
	}
}

func TestUnwrap(t *testing.T) {
	if err := error(&oauth.Error{Err: oauth.ErrIssuer}); !errors.Is(err, oauth.ErrIssuer) {
		t.Error("the underlying error is not found")
	}
}
