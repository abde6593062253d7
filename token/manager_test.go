package token_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/token"
)

func TestTokenFromMemoryAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		got := f.want(f.m, 0, "at-1")
		if got.Type != "Bearer" || got.Scopes[0] != "read" || got.ResourceURL != "https://api.test" || got.Generation != 1 || got.Short {
			t.Errorf("Token = %+v, want the credential's Bearer token of generation 1", got)
		}
		if want := f.stored().ExpiresAt(); !got.ExpiresAt.Equal(want) {
			t.Errorf("ExpiresAt = %v, want %v", got.ExpiresAt, want)
		}
		f.store.Intercept(func(op string, _ credential.Key) error {
			t.Errorf("store was asked to %s", op)
			return nil
		})
		for range 100 {
			f.want(f.m, 0, "at-1")
		}
		f.store.Intercept(nil)
		f.wantSeen()
	})
}

func TestNotLoggedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		other := credential.Key{Provider: "acme", Account: "other"}
		_, err := f.m.Token(t.Context(), other, 0)
		needed, ok := errors.AsType[*token.LoginNeededError](err)
		if !ok || !needed.NeverLoggedIn || needed.Key != other {
			t.Errorf("Token = %v, want LoginNeededError of a key never logged in", err)
		}
	})
}

// A token that ended is renewed before it is handed out, and the renewal is
// stored first.
func TestRefreshOfEndedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		time.Sleep(time.Hour)
		got := f.want(f.m, 0, "at-2")
		c := f.stored()
		if c.RefreshToken.Reveal() != "rt-2" || c.Generation != 2 || got.Generation != 2 || !c.RefreshedAt.Equal(time.Now()) {
			t.Errorf("stored %+v, want generation 2 with rt-2, refreshed now", c)
		}
		// R8: what the answer left out is as it was.
		if c.IDToken.Reveal() != "id-1" || c.Scopes[0] != "read" || c.ResourceURL != "https://api.test" || c.Extra.Reveal() != `{"region":"eu"}` {
			t.Errorf("stored %+v, want id token, scopes, resource URL and extra members of the login", c)
		}
		f.wantSeen("rt-1")
		f.wantEvents(token.Refreshed)
	})
}

// R1 in one process: everybody shares one refresh.
func TestManyReadersOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 10*time.Minute)
		managers := []*token.Manager{f.m, f.manager(), f.manager()}
		for expiry := range 3 {
			f.provider.script[expiry+1] = slowly(func() {}) // until everybody waits
			time.Sleep(10 * time.Minute)
			var readers sync.WaitGroup
			for i := range 60 {
				readers.Go(func() {
					got, err := managers[i%len(managers)].Token(t.Context(), key, 0)
					if err != nil || got.Generation != uint64(expiry+2) {
						t.Errorf("Token = generation %d, %v, want %d", got.Generation, err, expiry+2)
					}
				})
			}
			readers.Wait()
		}
		f.wantSeen("rt-1", "rt-2", "rt-3")
		told := map[token.EventType]int{}
		for _, e := range f.eventTypes() {
			told[e]++
		}
		if told[token.Refreshed] != 3 || told[token.Adopted] != 6 {
			t.Errorf("events = %v, want 3 refreshed, and each adopted by the two others", told)
		}
		if f.provider.overlap != 1 || f.provider.reuse != 0 {
			t.Errorf("overlap %d, reuse %d, want 1, 0", f.provider.overlap, f.provider.reuse)
		}
	})
}

// Close to its end a token is handed out at once and renewed beside the reader.
func TestEarlyRefreshDoesNotKeepReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = func(w http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
			time.Sleep(20 * time.Second)
			grant(w)
		}
		time.Sleep(55*time.Minute - time.Second)
		f.want(f.m, 0, "at-1")
		synctest.Wait()
		f.wantSeen()

		time.Sleep(time.Second)
		before := time.Now()
		for range 5 {
			f.want(f.m, 0, "at-1")
		}
		if waited := time.Since(before); waited != 0 {
			t.Errorf("readers waited %v, want not at all", waited)
		}
		time.Sleep(21 * time.Second)
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-1")
	})
}

// R5: trouble at the provider leaves the credential as it was, and the token
// is served while it lives.
func TestProviderTrouble(t *testing.T) {
	html := http.Header{"Content-Type": {"text/html"}}
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   string
		sent   int // requests of one refresh
	}{
		{"500", 500, nil, "", 3},
		{"502 page", 502, html, "<html>bad gateway</html>", 3},
		{"503 with Retry-After", 503, http.Header{"Retry-After": {"120"}}, "", 1},
		{"429", 429, nil, `{"error":"slow_down"}`, 1},
		{"captive portal", 200, html, "<html>please log in</html>", 3},
		{"400 page", 400, html, "<html>no</html>", 1},
		{"empty 400", 400, nil, "", 1},
		{"empty 401", 401, nil, "", 1},
		{"500 that says invalid_grant", 500, nil, `{"error":"invalid_grant"}`, 3},
		// R7: not about the token.
		{"invalid_client", 401, nil, `{"error":"invalid_client"}`, 1},
		{"invalid_request", 400, nil, `{"error":"invalid_request"}`, 1},
		{"unauthorized_client", 400, nil, `{"error":"unauthorized_client"}`, 1},
		{"invalid_scope", 400, nil, `{"error":"invalid_scope"}`, 1},
		{"redirect", 307, http.Header{"Location": {"https://evil.test/"}}, "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				for n := range 20 {
					f.provider.script[n+1] = says(tt.status, tt.header, tt.body)
				}
				before := f.stored()
				time.Sleep(56 * time.Minute)
				f.want(f.m, 0, "at-1")
				synctest.Wait()
				time.Sleep(10 * time.Second)
				if got := len(f.provider.seen()); got != tt.sent {
					t.Errorf("requests of the early refresh = %d, want %d", got, tt.sent)
				}
				f.want(f.m, 0, "at-1")
				// Asked for more, it still serves what there is, and says so.
				if got := f.want(f.m, 30*time.Minute, "at-1"); !got.Short {
					t.Error("Short = false, want true")
				}
				time.Sleep(5 * time.Minute)
				_, err := f.m.Token(t.Context(), key, 0)
				failed, ok := errors.AsType[*token.RefreshError](err)
				if !ok || !failed.RetryAt.After(time.Now()) {
					t.Fatalf("Token after the end = %v, want RefreshError with a time to retry", err)
				}
				sent := len(f.provider.seen())
				if _, again := f.m.Token(t.Context(), key, 0); !errors.Is(again, failed) {
					t.Errorf("Token at once again = %v, want the same error", again)
				}
				if got := len(f.provider.seen()); got != sent {
					t.Errorf("provider was asked %d times while backing off", got-sent)
				}
				if after := f.stored(); !after.Equal(before) {
					t.Errorf("credential changed to %+v", after)
				}
			})
		})
	}
}

func TestRecoversAfterBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = says(429, http.Header{"Retry-After": {"90"}}, "")
		time.Sleep(time.Hour)
		_, err := f.m.Token(t.Context(), key, 0)
		failed, ok := errors.AsType[*token.RefreshError](err)
		if !ok || time.Until(failed.RetryAt) != 90*time.Second {
			t.Fatalf("Token = %v, want RefreshError to retry in 90 s", err)
		}
		time.Sleep(89 * time.Second)
		if _, err := f.m.Token(t.Context(), key, 0); !errors.Is(err, failed) {
			t.Errorf("Token after 89 s = %v, want the same error", err)
		}
		time.Sleep(time.Second)
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-1", "rt-1")
	})
}

// R3: a request that the server never saw is made again.
func TestRequestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1], f.provider.script[2] = dropped, dropped
		time.Sleep(time.Hour)
		start := time.Now()
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-1", "rt-1", "rt-1")
		for n, want := range []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond} {
			if got := f.provider.at(n).Sub(start); got != want {
				t.Errorf("request %d after %v, want %v", n+1, got, want)
			}
		}
		if hold := f.stored().HoldOffUntil; !hold.Equal(time.Now().Add(30 * time.Second)) {
			t.Errorf("HoldOffUntil = %v, want in 30 s", hold)
		}
	})
}

// R4 with a server that forgives: the answer is asked for again within 2 s.
func TestAnswerLostLenient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.lenient = true
		f.provider.script[1] = lost
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-1", "rt-1")
		f.wantEvents(token.Ambiguous, token.Refreshed)
	})
}

// R4 with a strict server: the login is lost, which is said, and the token is
// served to its end.
func TestAnswerLostStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = lost
		time.Sleep(56 * time.Minute)
		f.want(f.m, 0, "at-1")
		time.Sleep(3 * time.Second)
		f.wantEvents(token.Ambiguous, token.NeedsLogin)
		c := f.stored()
		if c.State != credential.NeedsLogin || c.Cause != credential.CauseAnswerLost || c.RefreshToken.Reveal() != "rt-1" {
			t.Errorf("stored %+v, want needs_login with its refresh token kept", c)
		}
		f.want(f.m, 0, "at-1")
		time.Sleep(4 * time.Minute)
		for range 3 {
			_, err := f.m.Token(t.Context(), key, 0)
			if needed, ok := errors.AsType[*token.LoginNeededError](err); !ok || needed.Cause != credential.CauseAnswerLost {
				t.Errorf("Token = %v, want LoginNeededError, answer_lost", err)
			}
		}
		f.wantSeen("rt-1", "rt-1")
	})
}

// A slow answer is not a lost one: one request, for as long as the budget lasts.
func TestTimeOutIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = func(_ http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
			<-r.Context().Done()
		}
		time.Sleep(time.Hour)
		start := time.Now()
		_, err := f.m.Token(t.Context(), key, 0)
		if _, ok := errors.AsType[*token.RefreshError](err); !ok || time.Since(start) != 60*time.Second {
			t.Errorf("Token = %v after %v, want RefreshError after the budget of 60 s", err, time.Since(start))
		}
		f.wantSeen("rt-1")
		// The next one knows that the token may be spent, and holds off after it.
		time.Sleep(30 * time.Second)
		f.want(f.m, 0, "at-2")
		if f.stored().HoldOffUntil.IsZero() {
			t.Error("no hold-off after an answer that may still come")
		}
	})
}

// R6: a refusal of a token that somebody has replaced meanwhile says nothing.
func TestRefusalOfReplacedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
			relogin := f.credential(time.Hour)
			relogin.AccessToken = hide("at-new")
			seed(t, f.store, relogin)
			refuse(w, "invalid_grant")
		}
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-new")
		if c := f.stored(); c.State != credential.Active {
			t.Errorf("state = %s, want active", c.State)
		}
		f.wantEvents(token.Adopted)
		if got := f.discards.Load(); got != 0 {
			t.Errorf("%d refusals were written aside, want none", got)
		}
	})
}

// R6: a refusal that stands ends the credential, and a login revives it at once.
func TestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.revoked = true
		time.Sleep(time.Hour)
		_, err := f.m.Token(t.Context(), key, 0)
		if needed, ok := errors.AsType[*token.LoginNeededError](err); !ok || needed.Cause != credential.CauseRefused || needed.NeverLoggedIn {
			t.Fatalf("Token = %v, want LoginNeededError, refresh_refused", err)
		}
		f.wantSeen("rt-1")
		relogin := f.credential(time.Hour)
		relogin.AccessToken = hide("at-new")
		seed(t, f.store, relogin)
		f.want(f.m, 0, "at-new")
	})
}

func TestNoRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		bare := f.stored()
		bare.RefreshToken = hide("")
		if _, err := f.store.Update(t.Context(), bare, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		f.want(f.m, 0, "at-1")
		time.Sleep(time.Minute)
		_, err := f.m.Token(t.Context(), key, 0)
		if needed, ok := errors.AsType[*token.LoginNeededError](err); !ok || needed.Cause != credential.CauseNoRefreshToken {
			t.Errorf("Token = %v, want LoginNeededError, no_refresh_token", err)
		}
		f.wantSeen()
	})
}

// Without a lifetime only a refusal ends a token, and nothing is renewed.
func TestNoLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, 0)
		f.want(f.m, 0, "at-1")
		time.Sleep(1000 * time.Hour)
		if got := f.want(f.m, time.Hour, "at-1"); got.Short || !got.ExpiresAt.IsZero() {
			t.Errorf("Token = %+v, want one without an end", got)
		}
		f.wantSeen()
	})
}

func TestMinTTL(t *testing.T) {
	const m = time.Minute
	for _, tt := range []struct {
		name   string
		age    time.Duration
		minTTL time.Duration
		want   string
		short  bool
	}{
		{"there is enough", 10 * m, 49 * m, "at-1", false},
		{"there is not", 10 * m, 51 * m, "at-2", false},
		{"more than a fresh token has", 10 * m, 2 * time.Hour, "at-2", true},
		{"the same, right after a renewal", 20 * time.Second, 2 * time.Hour, "at-1", true},
		{"all of it", 10 * m, time.Hour, "at-2", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				f.want(f.m, 0, "at-1")
				time.Sleep(tt.age)
				if got := f.want(f.m, tt.minTTL, tt.want); got.Short != tt.short {
					t.Errorf("Short = %v, want %v", got.Short, tt.short)
				}
			})
		})
	}
}

// R19: tokens that live for seconds are not renewed in a loop, and neither are
// greedy readers served by one.
func TestSpacing(t *testing.T) {
	for _, lifetime := range []time.Duration{3 * time.Second, 30 * time.Second, 10 * time.Minute} {
		t.Run(lifetime.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, lifetime)
				for start := time.Now(); time.Since(start) < 10*lifetime; time.Sleep(lifetime / 100) {
					if _, err := f.m.Token(t.Context(), key, 24*time.Hour); err != nil {
						t.Fatal(err)
					}
				}
				requests := len(f.provider.seen())
				for n := 1; n < requests; n++ {
					if gap := f.provider.at(n).Sub(f.provider.at(n - 1)); gap < token.Spacing(lifetime) {
						t.Errorf("requests %d and %d are %v apart, want %v", n, n+1, gap, token.Spacing(lifetime))
					}
				}
				if requests < 2 {
					t.Errorf("%d requests, want some", requests)
				}
				if f.provider.reuse != 0 {
					t.Errorf("reuse = %d", f.provider.reuse)
				}
			})
		})
	}
}

// R18: servers that do not rotate.
func TestServerKeepsRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.keep = true
		for n := range 3 {
			time.Sleep(time.Hour)
			f.want(f.m, 0, []string{"at-2", "at-3", "at-4"}[n])
			if c := f.stored(); c.RefreshToken.Reveal() != "rt-1" || c.Generation != uint64(n+2) {
				t.Errorf("stored %s of generation %d, want rt-1 of %d", c.RefreshToken.Reveal(), c.Generation, n+2)
			}
		}
		f.wantSeen("rt-1", "rt-1", "rt-1")
	})
}

// R12: the reader goes, the refresh goes on.
func TestReaderGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = func(w http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
			time.Sleep(10 * time.Second)
			grant(w)
		}
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := f.m.Token(ctx, key, 0)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, token.ErrBusy) || time.Since(start) != 2*time.Second {
			t.Errorf("Token = %v after %v, want the reader's own deadline after 2 s", err, time.Since(start))
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" {
			t.Errorf("stored %s, want rt-2", c.RefreshToken.Reveal())
		}
		f.want(f.m, 0, "at-2")
		f.wantSeen("rt-1")
	})
}

// A reader who asked for more than there is gets what there is when its
// patience ends.
func TestReaderGivesUpWithUsableToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = func(w http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
			time.Sleep(10 * time.Second)
			grant(w)
		}
		time.Sleep(30 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		got, err := f.m.Token(ctx, key, 50*time.Minute)
		if err != nil || got.AccessToken.Reveal() != "at-1" || !got.Short {
			t.Errorf("Token = %+v, %v, want at-1, short", got, err)
		}
	})
}

// Somebody else holds the lock: wait, serve what is usable, else say busy.
func TestLockHeldElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		held, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(56 * time.Minute)
		f.want(f.m, 0, "at-1")
		time.Sleep(4 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := f.m.Token(ctx, key, 0); !errors.Is(err, token.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Token = %v, want ErrBusy and the deadline", err)
		}
		// The holder renews; who waited adopts.
		next := f.stored()
		next.AccessToken, next.RefreshToken, next.Received = hide("at-2"), hide("rt-2"), f.clock.Now()
		if err := held.Reserve(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := held.Commit(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if err := held.Release(false); err != nil {
			t.Fatal(err)
		}
		f.want(f.m, 0, "at-2")
		f.wantSeen()
	})
}

// The predecessor died with its request on the way: the same token again, at
// once, and then no second rotation for a while.
func TestRecovery(t *testing.T) {
	for _, tt := range []struct{ lifetime, hold time.Duration }{{time.Hour, 30 * time.Second}, {40 * time.Second, 20 * time.Second}} {
		t.Run(tt.lifetime.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, tt.lifetime)
				time.Sleep(tt.lifetime)
				dead, err := f.store.BeginRotation(t.Context(), key, 1)
				if err != nil {
					t.Fatal(err)
				}
				if err := dead.Reserve(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := dead.Release(false); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				f.want(f.m, 0, "at-2")
				for time.Since(start) < tt.hold-time.Second {
					time.Sleep(time.Second)
					f.want(f.m, 24*time.Hour, "at-2")
				}
				f.wantSeen("rt-1")
				time.Sleep(2 * time.Second)
				f.want(f.m, 24*time.Hour, "at-3")
			})
		})
	}
}

// A recovery that gets nowhere leaves the intent for the next one.
func TestRecoveryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		time.Sleep(time.Hour)
		dead, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := dead.Reserve(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := dead.Release(false); err != nil {
			t.Fatal(err)
		}
		f.provider.script[1] = says(401, nil, `{"error":"invalid_client"}`)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Fatal("Token succeeded, want an error")
		}
		next, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !next.Interrupted() {
			t.Error("the intent of the dead predecessor is gone")
		}
		if err := next.Release(true); err != nil {
			t.Fatal(err)
		}
	})
}

// An answered failure spent nothing, so no intent is left behind.
func TestAnsweredFailureClearsIntent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = says(401, nil, `{"error":"invalid_client"}`)
		time.Sleep(time.Hour)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Fatal("Token succeeded, want an error")
		}
		next, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		if next.Interrupted() {
			t.Error("an intent is left though the token was not spent")
		}
		if err := next.Release(true); err != nil {
			t.Fatal(err)
		}
	})
}
