package token_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/token"
)

// R20: a token that a resource rejected is renewed once, however many tell.
func TestRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		time.Sleep(10 * time.Minute)
		f.want(f.m, 0, "at-1")
		results := make(chan error, 10)
		for range 10 {
			go func() { results <- f.m.Rejected(context.Background(), key, hide("at-1")) }()
		}
		for range 10 {
			if err := <-results; err != nil {
				t.Errorf("Rejected = %v", err)
			}
		}
		f.want(f.m, 0, "at-2")
		// Who is late, and who is rejected again at once, costs nothing.
		for _, accessToken := range []string{"at-1", "at-2"} {
			if err := f.m.Rejected(t.Context(), key, hide(accessToken)); err != nil {
				t.Errorf("Rejected(%s) = %v", accessToken, err)
			}
		}
		f.wantSeen("rt-1")
		time.Sleep(31 * time.Second)
		if err := f.m.Rejected(t.Context(), key, hide("at-1")); err != nil {
			t.Errorf("Rejected of a token that was replaced = %v", err)
		}
		f.wantSeen("rt-1")
		if err := f.m.Rejected(t.Context(), key, hide("at-2")); err != nil {
			t.Errorf("Rejected = %v", err)
		}
		f.wantSeen("rt-1", "rt-2")
	})
}

func TestRejectedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		other := credential.Key{Provider: "acme", Account: "other"}
		if _, ok := errors.AsType[*token.LoginNeededError](f.m.Rejected(t.Context(), other, hide("x"))); !ok {
			t.Error("Rejected of nothing does not say that a login is needed")
		}
		f.provider.script[1] = says(http.StatusUnauthorized, nil, `{"error":"invalid_client"}`)
		f.provider.script[2] = refuses
		time.Sleep(10 * time.Minute)
		for n := range 2 {
			if _, ok := errors.AsType[*token.RefreshError](f.m.Rejected(t.Context(), key, hide("at-1"))); !ok {
				t.Errorf("Rejected number %d gives no RefreshError", n)
			}
		}
		f.wantSeen("rt-1")
		time.Sleep(2 * time.Second)
		needed, ok := errors.AsType[*token.LoginNeededError](f.m.Rejected(t.Context(), key, hide("at-1")))
		if !ok || needed.Cause != credential.CauseRefused {
			t.Error("Rejected after a refusal does not say that a login is needed")
		}
		if got := f.provider.seen(); !slices.Equal(got, []string{"rt-1", "rt-1"}) {
			t.Errorf("sent %v, want rt-1 twice", got)
		}
	})
}
