package login_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// brought is a credential that somebody else obtained.
func brought(token string) credential.Credential {
	return credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active,
		AccessToken: secret.New("access-" + token), RefreshToken: secret.New(token), TokenType: "Bearer",
		Scopes: []string{"openid"}, Lifetime: time.Hour,
		Received: credential.Instant{Wall: time.Now().Round(0)},
	}
}

// wantLogins fails the test unless the store has n logins, all authorized.
func (b *bench) wantLogins(n int) {
	b.t.Helper()
	for l, err := range b.store.ListLogins(b.t.Context()) {
		n--
		if err != nil || l.Status() != credential.LoginAuthorized {
			b.t.Errorf("left behind: %+v, %v", l, err)
		}
	}
	if n != 0 {
		b.t.Errorf("%d logins too few are left behind", n)
	}
}

func TestImportIsStored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		var settled []credential.Credential
		r := b.registry(adopting, func(cfg *login.Config) {
			cfg.Settled = func(_ context.Context, c credential.Credential) { settled = append(settled, c) }
		})
		got, err := r.Import(t.Context(), brought("rt-1"), false)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := b.store.Get(t.Context(), key)
		if err != nil || !stored.Equal(got) || stored.RefreshToken.Reveal() != "rt-1" || stored.Grant == "" || stored.Generation == 0 {
			t.Errorf("stored %+v, %v, returned %+v", stored, err, got)
		}
		if len(settled) != 1 || !settled[0].Equal(stored) {
			t.Errorf("Settled was told %d credentials", len(settled))
		}
		b.wantLogins(1)
		time.Sleep(3 * time.Second) // the watcher looks
		synctest.Wait()
		for _, e := range b.events {
			if e.Login.Begun() || !e.Foreign {
				t.Errorf("told of %+v", e)
			}
		}
		// The key is free for a login.
		b.wait(r, b.start(r).ID)
	})
}

func TestImportLeavesWhatIsInUse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		if _, err := r.Import(t.Context(), brought("rt-1"), false); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Import(t.Context(), brought("rt-2"), false); !errors.Is(err, login.ErrActive) {
			t.Errorf("over an active credential: %v", err)
		}
		b.wantLogins(1)
		first, err := b.store.Get(t.Context(), key)
		if err != nil || first.RefreshToken.Reveal() != "rt-1" {
			t.Fatalf("stored %+v, %v", first, err)
		}
		if _, err := r.Import(t.Context(), brought("rt-2"), true); err != nil {
			t.Errorf("to replace it: %v", err)
		}
		second, err := b.store.Get(t.Context(), key)
		if err != nil || second.RefreshToken.Reveal() != "rt-2" || second.Generation <= first.Generation || second.Grant == first.Grant {
			t.Errorf("replaced by %+v, %v", second, err)
		}
		// One that needs a login is nothing to be kept.
		second.State, second.Cause = credential.NeedsLogin, credential.CauseRefused
		if _, err := b.store.Update(t.Context(), second, second.Generation); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Import(t.Context(), brought("rt-3"), false); err != nil {
			t.Errorf("over one that needs a login: %v", err)
		}
	})
}

func TestImportWaitsForNoLogin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending, won)
		r := b.registry()
		s := b.start(r)
		if _, err := b.registry().Import(t.Context(), brought("rt-1"), true); !errors.Is(err, credential.ErrLoginExists) {
			t.Errorf("beside a pending login: %v", err)
		}
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("the login ended as %s", end.Status())
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := r.Import(t.Context(), brought("rt-1"), true); !errors.Is(err, login.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestImportThatFailsKeepsTheToken: the store fails, first for the import, then
// for whoever finishes it: the token is revoked by nobody, and stored as soon as
// that works, if it was not given up.
func TestImportThatFailsKeepsTheToken(t *testing.T) {
	for _, from := range []string{"CreateLogin", "UpdateLogin", "Settle"} {
		t.Run(from, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBench(t)
				revoked := 0
				cred := brought("rt-1")
				cred.Binding = credential.Binding{Endpoints: oauth.Endpoints{Revocation: "https://as.test/revoke"}, ClientID: "c"}
				r := b.registry(func(cfg *login.Config) {
					cfg.Providers = nil
					cfg.HTTP = counting(&revoked)
				})
				b.store.Intercept(func(op string, _ credential.Key) error {
					if op == from {
						return errDisk
					}
					return nil
				})
				if _, err := r.Import(t.Context(), cred, false); !errors.Is(err, errDisk) {
					t.Errorf("Import: %v", err)
				}
				b.store.Intercept(nil)
				if err := r.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := b.store.Get(t.Context(), key); !errors.Is(err, credential.ErrNotFound) {
					t.Errorf("stored all the same: %v", err)
				}
				next := b.registry(adopting, func(cfg *login.Config) {
					cfg.Providers = nil
					cfg.HTTP = counting(&revoked)
				})
				if _, err := next.Import(t.Context(), cred, false); err != nil {
					t.Errorf("the second time: %v", err)
				}
				if revoked != 0 {
					t.Errorf("%d requests to the provider", revoked)
				}
			})
		})
	}
}

// TestImportOfADeadProcessIsFinished: the record of the import has the
// credential, and its owner is dead.
func TestImportOfADeadProcessIsFinished(t *testing.T) {
	for _, full := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			b := newBench(t)
			revoked := 0
			dead, err := b.store.NewOwner(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cred := brought("rt-1")
			cred.Binding = credential.Binding{Endpoints: oauth.Endpoints{Revocation: "https://as.test/revoke"}, ClientID: "c"}
			l, err := b.store.CreateLogin(t.Context(), credential.Login{
				ID: "import-1", Key: key, Method: credential.MethodDevice, State: credential.Starting{}, Binding: cred.Binding,
				Owner: dead.ID(), CreatedAt: time.Now().Round(0), ExpiresAt: time.Now().Add(time.Minute).Round(0),
			}, 0)
			if err != nil {
				t.Fatal(err)
			}
			l.State = credential.Persisting{Won: cred}
			if _, err = b.store.UpdateLogin(t.Context(), l, l.Version); err != nil {
				t.Fatal(err)
			}
			if full {
				b.store.Intercept(func(op string, _ credential.Key) error {
					if op == "Settle" {
						return errDisk
					}
					return nil
				})
			}
			if err := dead.Close(); err != nil {
				t.Fatal(err)
			}
			b.registry(adopting, func(cfg *login.Config) {
				cfg.Providers = nil
				cfg.HTTP = counting(&revoked)
			})
			time.Sleep(time.Minute)
			_, err = b.store.Get(t.Context(), key)
			if full != errors.Is(err, credential.ErrNotFound) {
				t.Errorf("full disk %v: %v", full, err)
			}
			if revoked != 0 {
				t.Errorf("full disk %v: %d requests to the provider", full, revoked)
			}
		})
	}
}

// counting is a client that counts requests, and answers none.
func counting(n *int) *http.Client {
	return httpClient(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*n++
		w.WriteHeader(http.StatusNotFound)
	}))
}
