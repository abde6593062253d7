package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/token"
)

// Why a login is needed shows wherever it shows that one is.
func TestCauseShowsEverywhere(t *testing.T) {
	for cause, words := range map[credential.Cause]string{
		credential.CauseRefused:         "the provider refused the refresh token",
		credential.CauseAnswerLost:      "an answer of the provider was lost",
		credential.CauseNoRefreshToken:  "the provider gave no refresh token",
		credential.CauseProviderChanged: "names another client or issuer now",
	} {
		c := refreshable(keyA, time.Now())
		c.Grant, c.State, c.Cause = "l1", credential.NeedsLogin, cause
		b := metricsBroker(t, &listedStore{creds: []credential.Credential{c}})
		sub := b.Events().Subscribe("")

		e := apiError(&token.LoginNeededError{Key: keyA, Cause: cause}, "a")
		if e.Code != api.CodeLoginNeeded || e.Kind != string(cause) || !strings.Contains(e.Message, words) || e.Hint != "run: usher login a" {
			t.Errorf("%s: the error is %+v", cause, e)
		}
		if got := e.Problem(); got.Kind != string(cause) {
			t.Errorf("%s: the problem document is %+v", cause, got)
		}
		if got := credentialView(c); got.State != api.StateNeedsLogin || got.Cause != string(cause) {
			t.Errorf("%s: the view is %+v", cause, got)
		}
		status, err := b.AuthStatus(t.Context())
		want := []api.AuthProvider{{
			Kind: "auth_provider", Status: api.AuthError, ProviderID: "a", ExpiresAt: millis(c.ExpiresAt()),
			Error: "login needed: " + string(cause), Hint: "start a new login for a",
		}}
		if diff := cmp.Diff(want, status.Providers); err != nil || diff != "" {
			t.Errorf("%s: auth/status, %v (-want +got):\n%s", cause, err, diff)
		}
		wantSamples(t, samples(t, b, "usher_credential_needs_login{"), `usher_credential_needs_login{key="a",cause="`+string(cause)+`"} 1`)

		active := c
		active.State, active.Cause = credential.Active, ""
		b.announce(active, stored)
		c.Generation++
		b.onToken(token.Event{Type: token.NeedsLogin, Credential: c})
		for _, typ := range []string{api.EventCredentialStored, api.EventCredentialNeedsLogin} {
			got, err := sub.Next(t.Context())
			if err != nil || got.Type != typ {
				t.Fatalf("%s: event %+v, %v, want %s", cause, got, err, typ)
			}
			if typ == api.EventCredentialNeedsLogin && got.Credential.Cause != string(cause) {
				t.Errorf("%s: the event tells of %+v", cause, got.Credential)
			}
		}
	}
}
