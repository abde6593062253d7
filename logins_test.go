package usher_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
)

func TestLoginHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		_, c := newDaemon(t, b)
		login, err := c.Login(t.Context(), "github", usher.LoginOptions{Scopes: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		if login.ID != "l-1" || login.Key != "github" || login.UserCode != "ABCD-1234" || login.VerificationURI != "https://idp.example/device" ||
			login.VerificationURIComplete != "https://idp.example/device?user_code=ABCD-1234" || !login.ExpiresAt.Equal(time.Now().Add(15*time.Minute)) {
			t.Errorf("handle = %+v", login)
		}
		resumed, err := c.ResumeLogin(t.Context(), login.ID)
		if err != nil {
			t.Fatal(err)
		}
		if resumed.UserCode != login.UserCode {
			t.Errorf("resumed handle = %+v", resumed)
		}
		began := time.Now()
		time.AfterFunc(95*time.Second, func() { b.end(api.LoginAuthorized, nil) })
		got, err := resumed.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(usher.Credential{Key: "github", State: "active", Generation: 1}, got); diff != "" {
			t.Errorf("credential (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took != 95*time.Second {
			t.Errorf("waited %v, want 95s", took)
		}
	})
}

func TestWaitTellsHowTheLoginEnded(t *testing.T) {
	tests := map[string]struct {
		status  string
		failure *api.Failure
		want    *usher.Error
	}{
		"denied":    {api.LoginDenied, nil, usher.ErrAccessDenied},
		"expired":   {api.LoginExpired, nil, usher.ErrExpired},
		"cancelled": {api.LoginCancelled, nil, usher.ErrCancelled},
		"failed":    {api.LoginFailed, &api.Failure{Code: api.CodeStoreFailure, Hint: "disk is full"}, usher.ErrStoreFailure},
		"unclear":   {api.LoginFailed, nil, &usher.Error{Code: api.CodeInternal}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBroker()
			_, c := newDaemon(t, b)
			login, err := c.Login(t.Context(), "github", usher.LoginOptions{})
			if err != nil {
				t.Fatal(err)
			}
			b.end(tt.status, tt.failure)
			_, err = login.Wait(t.Context())
			if !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want code %s", err, tt.want.Code)
			}
			if tt.failure != nil && !strings.HasSuffix(err.Error(), tt.failure.Hint) {
				t.Errorf("err = %q, want the reason in it", err)
			}
		})
	}
}

func TestCancelEndsTheLogin(t *testing.T) {
	_, c := newDaemon(t, newBroker())
	login, err := c.Login(t.Context(), "github", usher.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := login.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := login.Wait(t.Context()); !errors.Is(err, usher.ErrCancelled) {
		t.Errorf("error = %v", err)
	}
}

// A daemon that goes away in the middle of a long poll and comes back is not
// noticed.
func TestWaitSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		d, c := newDaemon(t, b)
		login, err := c.Login(t.Context(), "github", usher.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(40 * time.Second)
			d.stop()
			time.Sleep(2 * time.Minute)
			d.start(t, b)
			time.Sleep(time.Minute)
			b.end(api.LoginAuthorized, nil)
		}()
		began := time.Now()
		if _, err := login.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 220*time.Second {
			t.Errorf("waited %v, want 220s", took)
		}
		// Two polls, then pauses from 250 ms up to 15 s, then at most three more.
		if n := d.requests(); n > 25 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	start := func(t *testing.T) (*daemon, *usher.Client, *usher.Login) {
		d, c := newDaemon(t, newBroker())
		login, err := c.Login(t.Context(), "github", usher.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d, c, login
	}
	bounded := func(t *testing.T, d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		t.Cleanup(cancel)
		return ctx
	}
	tests := map[string]struct {
		wait func(t *testing.T) error
		want error
		took time.Duration
	}{
		"with the context": {func(t *testing.T) error {
			_, _, login := start(t)
			_, err := login.Wait(bounded(t, 100*time.Second))
			return err
		}, usher.ErrLoginPending, 100 * time.Second},
		"with the context, of the plain call": {func(t *testing.T) error {
			_, c, _ := start(t)
			state, err := c.WaitLogin(bounded(t, 100*time.Second), "l-1")
			if state.ID != "l-1" || state.UserCode != "ABCD-1234" {
				t.Errorf("state = %+v", state)
			}
			return err
		}, usher.ErrLoginPending, 100 * time.Second},
		"with the context while the daemon is away": {func(t *testing.T) error {
			d, _, login := start(t)
			d.stop()
			_, err := login.Wait(bounded(t, 100*time.Second))
			return err
		}, usher.ErrLoginPending, 100 * time.Second},
		"at once with the plain call when the daemon goes away": {func(t *testing.T) error {
			d, c, _ := start(t)
			time.AfterFunc(10*time.Second, d.stop)
			_, err := c.WaitLogin(t.Context(), "l-1")
			return err
		}, usher.ErrDaemonUnreachable, 10 * time.Second},
		"at once when the daemon has lost the login": {func(t *testing.T) error {
			d, _, login := start(t)
			d.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", api.ProblemType)
				w.WriteHeader(404)
				_, _ = io.WriteString(w, `{"code":"login_not_found"}`)
			}))
			_, err := login.Wait(t.Context())
			return err
		}, usher.ErrLoginNotFound, 0},
		"at once for a login that is gone": {func(t *testing.T) error {
			_, c, _ := start(t)
			_, err := c.WaitLogin(t.Context(), "other")
			return err
		}, usher.ErrLoginNotFound, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if err := tt.wait(t); !errors.Is(err, tt.want) {
					t.Errorf("error = %v, want %v", err, tt.want)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// Without a bound of the caller's, the code's end is one.
func TestWaitGivesUpOnADaemonThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := newDaemon(t, newBroker())
		login, err := c.Login(t.Context(), "github", usher.LoginOptions{})
		if err != nil {
			t.Fatal(err)
		}
		d.stop()
		began := time.Now()
		if _, err := login.Wait(t.Context()); !errors.Is(err, usher.ErrDaemonUnreachable) {
			t.Errorf("error = %v", err)
		}
		if took := time.Since(began); took < 16*time.Minute || took > 17*time.Minute {
			t.Errorf("waited %v, want the code's 15 minutes and one more", took)
		}
	})
}
