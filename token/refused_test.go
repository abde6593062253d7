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

// keeper is a store that has kept other tokens of a credential.
type keeper struct {
	credential.Store
	kept []string // refresh tokens, the newest first
	err  error
}

func (k *keeper) BeginRotation(ctx context.Context, key credential.Key, seen uint64) (credential.Rotation, error) {
	r, err := k.Store.BeginRotation(ctx, key, seen)
	return keeperRotation{r, k}, err
}

type keeperRotation struct {
	credential.Rotation
	k *keeper
}

func (r keeperRotation) Candidates(context.Context) ([]credential.Credential, error) {
	var found []credential.Credential
	for _, refreshToken := range r.k.kept {
		c := r.Record()
		c.RefreshToken = hide(refreshToken)
		found = append(found, c)
	}
	return found, r.k.err
}

// refuses is a script that refuses without revoking anything.
func refuses(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
	refuse(w, "invalid_grant")
}

// R6: before a login is needed, what else the store holds is tried, each once.
func TestRefusedThenCandidates(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kept   []string
		sent   []string
		stored string // the refresh token after it
		state  credential.State
	}{
		{"the first one works", []string{"rt-5", "rt-4"}, []string{"rt-1", "rt-5"}, "rt-6", credential.Active},
		{"the second one works", []string{"rt-9", "rt-1", "rt-5"}, []string{"rt-1", "rt-9", "rt-5"}, "rt-6", credential.Active},
		{"none works", []string{"rt-9", "rt-8"}, []string{"rt-1", "rt-9", "rt-8"}, "rt-1", credential.NeedsLogin},
		{"the same and nothing", []string{"rt-1", ""}, []string{"rt-1"}, "rt-1", credential.NeedsLogin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				f.provider.gen = 5
				for n, refreshToken := range tt.sent {
					if refreshToken != "rt-5" {
						f.provider.script[n+1] = refuses
					}
				}
				m := f.managerWith(token.Config{Store: &keeper{Store: f.store, kept: tt.kept}})
				time.Sleep(time.Hour)
				_, err := m.Token(t.Context(), key, 0)
				needed, ok := errors.AsType[*token.LoginNeededError](err)
				if ok != (tt.state == credential.NeedsLogin) || ok && needed.Cause != credential.CauseRefused {
					t.Errorf("Token = %v, want state %s", err, tt.state)
				}
				f.wantSeen(tt.sent...)
				c := f.stored()
				if c.RefreshToken.Reveal() != tt.stored || c.State != tt.state || c.IDToken.Reveal() != "id-1" || c.Generation != 2 {
					t.Errorf("stored %+v, want %s with %s in generation 2", c, tt.state, tt.stored)
				}
			})
		})
	}
}

// A server that answers a candidate without a refresh token has not rotated it:
// the candidate is the one to keep.
func TestCandidateThatIsNotRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = refuses
		f.provider.script[2] = says(200, http.Header{"Content-Type": {"application/json"}}, `{"access_token":"at-x","token_type":"Bearer","expires_in":3600}`)
		m := f.managerWith(token.Config{Store: &keeper{Store: f.store, kept: []string{"rt-5"}}})
		time.Sleep(time.Hour)
		f.want(m, 0, "at-x")
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-5" {
			t.Errorf("stored %s, want rt-5", c.RefreshToken.Reveal())
		}
	})
}

// An answer to a candidate that is lost is asked for again like any other.
func TestCandidatesAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.lenient, f.provider.gen = true, 5
		f.provider.script[1], f.provider.script[2] = refuses, lost
		m := f.managerWith(token.Config{Store: &keeper{Store: f.store, kept: []string{"rt-5"}}})
		time.Sleep(time.Hour)
		f.want(m, 0, "at-6")
		f.wantSeen("rt-1", "rt-5", "rt-5")
		if f.stored().HoldOffUntil.IsZero() {
			t.Error("no hold-off after an answer that was lost")
		}
	})
}

// Who cannot look for other tokens does not say that a login is needed.
func TestCandidatesUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = refuses
		m := f.managerWith(token.Config{Store: &keeper{Store: f.store, err: errDisk}})
		time.Sleep(time.Hour)
		if _, err := m.Token(t.Context(), key, 0); !errors.Is(err, errDisk) {
			t.Errorf("Token = %v, want the store's error", err)
		}
		if c := f.stored(); c.State != credential.Active {
			t.Errorf("state = %s, want active", c.State)
		}
	})
}

// R4: a refusal after an interrupted rotation has another cause than one out of
// the blue.
func TestRefusedAfterInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		time.Sleep(time.Hour)
		dead, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(dead.Reserve(t.Context()), dead.Release(false)); err != nil {
			t.Fatal(err)
		}
		f.provider.revoked = true
		_, err = f.m.Token(t.Context(), key, 0)
		if needed, ok := errors.AsType[*token.LoginNeededError](err); !ok || needed.Cause != credential.CauseAnswerLost {
			t.Errorf("Token = %v, want LoginNeededError, answer_lost", err)
		}
		if got := f.reports(); len(got) != 1 || !got[0].Recovered || got[0].Result != token.ResultRefused {
			t.Errorf("reports = %+v, want one that recovered and was refused", got)
		}
	})
}

// orphanage is a store with orphans.
type orphanage struct {
	credential.Store
	orphans []credential.Orphan
	err     error
}

func (o *orphanage) Orphans(context.Context) ([]credential.Orphan, error) { return o.orphans, o.err }

// Orphans are revoked, and kept for another time while the provider is silent.
func TestRevokeOrphans(t *testing.T) {
	for _, tt := range []struct {
		name      string
		answer    int // of the provider; 0: the connection breaks
		endpoint  string
		discarded bool
		failed    bool
	}{
		{"revoked", 200, "https://as.test/revoke", true, false},
		{"refused", 400, "https://as.test/revoke", true, false},
		{"rate limited", 429, "https://as.test/revoke", false, true},
		{"in trouble", 503, "https://as.test/revoke", false, true},
		{"silent", 0, "https://as.test/revoke", false, true},
		{"revokes nothing", 200, "", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				f.provider.revocation = tt.answer
				c := f.credential(time.Hour)
				c.Binding.Endpoints.Revocation = tt.endpoint
				c.RefreshToken = hide("rt-0")
				discarded := 0
				store := &orphanage{Store: f.store, orphans: []credential.Orphan{{
					Credential: c, Discard: func(context.Context) error { discarded++; return nil },
				}}}
				m := f.managerWith(token.Config{Store: store})
				err := m.RevokeOrphans(t.Context())
				if (err != nil) != tt.failed {
					t.Errorf("RevokeOrphans = %v", err)
				}
				want := []string{"rt-0"}
				if tt.endpoint == "" {
					want = []string{}
				}
				if got := f.provider.revocations(); !slices.Equal(got, want) {
					t.Errorf("revoked %v, want %v", got, want)
				}
				if (discarded == 1) != tt.discarded {
					t.Errorf("discarded %d times", discarded)
				}
				if tt.discarded {
					f.wantEvents(token.Superseded)
				} else {
					f.wantEvents()
				}
			})
		})
	}
}

func TestRevokeOrphansFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.managerWith(token.Config{Store: &orphanage{Store: f.store, err: errDisk}})
		if err := m.RevokeOrphans(t.Context()); !errors.Is(err, errDisk) {
			t.Errorf("RevokeOrphans = %v, want the store's error", err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := m.RevokeOrphans(t.Context()); !errors.Is(err, token.ErrClosed) {
			t.Errorf("RevokeOrphans = %v, want ErrClosed", err)
		}
	})
}

// What a superseded rotation cannot revoke stays aside.
func TestSupersededButNotRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.revocation = 503
		f.provider.script[1] = slowly(f.logout)
		time.Sleep(time.Hour)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token after a logout succeeded")
		}
		f.wantEvents(token.Superseded, token.Removed)
		if got := f.discards.Load(); got != 0 {
			t.Errorf("what could not be revoked was discarded %d times", got)
		}
	})
}

// What a rotation tells of itself.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1], f.provider.script[2] = dropped, slowly(func() {})
		held, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		go func() {
			time.Sleep(3 * time.Second)
			held.Release(true)
		}()
		f.want(f.m, 0, "at-2")
		time.Sleep(time.Hour)
		f.provider.script[3] = says(429, nil, `{"error":"slow_down"}`)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token succeeded, want an error")
		}
		got := f.reports()
		want := []token.Report{
			{Result: token.ResultRefreshed, Requests: 2, Ambiguous: 1, LockWait: 3 * time.Second, Took: 13500 * time.Millisecond},
			{Result: token.ResultProvider, Requests: 1},
		}
		if !slices.Equal(got, want) {
			t.Errorf("reports = %+v, want %+v", got, want)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if last := f.events[len(f.events)-1]; last.Type != token.Finished || last.Err == nil || last.Credential.Key != key {
			t.Errorf("last event = %+v, want Finished with its error and key", last)
		}
	})
}

// A token that cannot be stored is news at once.
func TestUnstoredIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Commit" {
				return errDisk
			}
			return nil
		})
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		f.wantEvents(token.Unstored)
		f.store.Intercept(nil)
		time.Sleep(time.Minute)
		f.wantEvents(token.Unstored, token.Refreshed)
	})
}
