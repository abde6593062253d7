package login_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/oauthtest"
)

// completed runs Complete beside the test.
func completed(t *testing.T, r *login.Registry, id string, a login.Answer) <-chan error {
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { _, err := r.Complete(ctx, id, a); done <- err }()
	synctest.Wait()
	return done
}

// parked is a code login whose exchange is on its way.
func parked(t *testing.T, answers ...string) (*bench, *tokens, func(...func(*login.Config)) *login.Registry, *login.Registry, login.Snapshot, <-chan error) {
	b, as, registry := codeBench(t, answers...)
	as.park = make(chan struct{})
	r := registry()
	s := startCode(t, r)
	done := completed(t, r, s.ID, redirected(t, s))
	inFlight(t, as)
	if now, err := r.Get(t.Context(), s.ID); err != nil || now.Status() != credential.LoginExchanging {
		t.Fatalf("in flight: %+v, %v", now.Login, err)
	}
	return b, as, registry, r, s, done
}

func TestRFC6749_15_SecondAnswerWaitsForTheFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry, r, s, first := parked(t)
		second := completed(t, r, s.ID, redirected(t, s, "code", "another"))
		stray := completed(t, r, s.ID, redirected(t, s, "state", "x"))
		elsewhere := <-completed(t, registry(silent), s.ID, redirected(t, s, "code", "another"))
		if !errors.Is(elsewhere, login.ErrCompleting) {
			t.Errorf("an answer in another process: %v", elsewhere)
		}
		close(as.park)
		if err := <-first; err != nil {
			t.Errorf("the first answer: %v", err)
		}
		wantEnded(t, <-second, credential.LoginAuthorized)
		wantEnded(t, <-stray, credential.LoginAuthorized)
		if n := len(as.requests()); n != 1 {
			t.Errorf("%d exchanges", n)
		}
		b.wantEvents(login.Started, login.Authorized)
	})
}

func TestCallerThatGivesUpDoesNotEndTheExchange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		as.park = make(chan struct{})
		r := registry()
		s := startCode(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := r.Complete(ctx, s.ID, redirected(t, s)); done <- err }()
		inFlight(t, as)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Complete: %v", err)
		}
		close(as.park)
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
	})
}

// A token that comes when the login has been cancelled, by a client or by a
// logout, is not kept.
func TestTokenOfAnExchangeThatWasOvertakenIsLost(t *testing.T) {
	for name, overtake := range map[string]func(t *testing.T, r *login.Registry, id string) error{
		"cancel": func(t *testing.T, r *login.Registry, id string) error {
			got, err := r.Cancel(t.Context(), id, "cli-B")
			if got.Status() != credential.LoginCancelled {
				t.Errorf("Cancel: %+v", got.Login)
			}
			return err
		},
		"logout": func(t *testing.T, r *login.Registry, _ string) error {
			hit, err := r.Supersede(t.Context(), key)
			if len(hit) != 1 {
				t.Errorf("Supersede hit %+v", hit)
			}
			return err
		},
	} {
		for _, answers := range [][]string{{"200 " + goodToken}, {"unsent"}} {
			t.Run(name+" "+answers[0][:3], func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b, as, registry := codeBench(t, answers...)
					as.park = make(chan struct{})
					r := registry()
					s := startCode(t, r)
					done := completed(t, r, s.ID, redirected(t, s))
					if err := overtake(t, r, s.ID); err != nil {
						t.Fatal(err)
					}
					close(as.park)
					err := <-done
					if answers[0] == "unsent" {
						wantEnded(t, err, credential.LoginCancelled)
						b.wantEvents(login.Started, login.Cancelled)
					} else {
						if err != nil {
							t.Errorf("Complete: %v", err)
						}
						b.wantEvents(login.Started, login.Cancelled, login.LostSuccess)
					}
					if _, err := b.store.Get(t.Context(), key); !errors.Is(err, credential.ErrNotFound) {
						t.Errorf("the credential was stored: %v", err)
					}
				})
			})
		}
	}
}

func TestCancelledCodeLoginTakesNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		r := registry()
		s := startCode(t, r)
		if got, err := r.Cancel(t.Context(), s.ID, "cli-B"); err != nil || got.Status() != credential.LoginCancelled {
			t.Fatalf("Cancel = %+v, %v", got.Login, err)
		}
		_, err := r.Complete(t.Context(), s.ID, redirected(t, s))
		wantEnded(t, err, credential.LoginCancelled)
		if n := len(as.requests()); n != 0 {
			t.Errorf("%d exchanges", n)
		}
		b.wantEvents(login.Started, login.Cancelled)
	})
}

// While the token is stored, a cancel is only taken down and a logout has the
// token revoked, as with a device login.
func TestCodeLoginThatIsPersisting(t *testing.T) {
	for _, logout := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			b, _, registry := codeBench(t)
			r := registry()
			g := newGate(b, "Settle")
			s := startCode(t, r)
			done := completed(t, r, s.ID, redirected(t, s))
			<-g.reach
			var err error
			if logout {
				_, err = r.Supersede(t.Context(), key)
			} else {
				_, err = r.Cancel(t.Context(), s.ID, "cli-B")
			}
			if err != nil {
				t.Fatal(err)
			}
			close(g.open)
			if err := <-done; err != nil {
				t.Errorf("Complete: %v", err)
			}
			end := b.wait(r, s.ID)
			if !logout {
				if end.Status() != credential.LoginAuthorized {
					t.Errorf("cancelled while it was stored: %+v", end.Login)
				}
				return
			}
			if end.Status() != credential.LoginFailed || end.Failure().Code != "superseded" {
				t.Errorf("superseded: %+v", end.Login)
			}
			b.wantEvents(login.Started, login.LostSuccess, login.Failed)
		})
	}
}

func TestCodeLoginOutlivesItsProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		first := registry()
		s := startCode(t, first)
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := registry(silent, adopting)
		time.Sleep(2 * time.Second) // it is claimed
		now, err := r.Get(t.Context(), s.ID)
		if err != nil || now.Status() != credential.LoginPending || asked(t, now).Encode() != asked(t, s).Encode() {
			t.Fatalf("after the restart: %+v, %v", now.Login, err)
		}
		got, err := r.Complete(t.Context(), s.ID, redirected(t, s))
		if err != nil || got.Status() != credential.LoginAuthorized || len(as.requests()) != 1 {
			t.Errorf("Complete = %+v, %v", got.Login, err)
		}
		b.wantEvents(login.Started)
	})
	inBubble(t, func(t *testing.T) {
		b, _, registry := codeBench(t)
		first := registry()
		s := startCode(t, first)
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if end := b.wait(registry(silent, adopting), s.ID); end.Status() != credential.LoginExpired || !end.EndedAt().Equal(s.ExpiresAt) {
			t.Errorf("claimed, it ended as %+v", end.Login)
		}
	})
}

// Whoever brings the answer makes the exchange, also while another process
// waits for the login.
func TestAnswerBroughtToAnotherProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		waiter := registry()
		s := startCode(t, waiter)
		other := registry(silent)
		got, err := other.Complete(t.Context(), s.ID, redirected(t, s))
		if err != nil || got.Status() != credential.LoginAuthorized {
			t.Fatalf("Complete = %+v, %v", got.Login, err)
		}
		if end := b.wait(waiter, s.ID); end.Status() != credential.LoginAuthorized || len(as.requests()) != 1 {
			t.Errorf("the process that waited saw %+v", end.Login)
		}
		b.wantEvents(login.Started, login.Authorized)
	})
	inBubble(t, func(t *testing.T) { // and hands it back when it goes
		b, as, registry := codeBench(t, "unsent", "unsent", "unsent", "200 "+goodToken)
		waiter := registry(adopting)
		s := startCode(t, waiter)
		other := registry(silent)
		if _, err := other.Complete(t.Context(), s.ID, redirected(t, s)); oauth.OutcomeOf(err) != oauth.NotSent {
			t.Fatalf("Complete: %v", err)
		}
		if err := other.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if end := b.wait(waiter, s.ID); end.Status() != credential.LoginExpired || len(as.requests()) != 0 {
			t.Errorf("ended as %+v", end.Login)
		}
	})
	inBubble(t, func(t *testing.T) { // or looks after it as long as it stays
		b, _, registry := codeBench(t, "unsent")
		first := registry()
		s := startCode(t, first)
		time.Sleep(7 * time.Second) // no sweep of the other one is due at the end
		other := registry(silent)
		if _, err := other.Complete(t.Context(), s.ID, redirected(t, s)); oauth.OutcomeOf(err) != oauth.NotSent {
			t.Fatalf("Complete: %v", err)
		}
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(s.ExpiresAt) + time.Second)
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Status() != credential.LoginExpired || !l.EndedAt().Equal(s.ExpiresAt) {
			t.Errorf("stored as %+v, %v", l, err)
		}
	})
}

// A process that is not the owner looks after the login that it exchanges the
// code for, and takes its own exchange for nobody's.
func TestSlowExchangeInAnotherProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		as.park = make(chan struct{})
		waiter := registry(adopting)
		s := startCode(t, waiter)
		done := completed(t, registry(silent, adopting), s.ID, redirected(t, s))
		time.Sleep(5 * time.Second)
		// Should it die now, its own owner is what tells.
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Owner == s.Owner {
			t.Errorf("exchanging for the owner %s, %v", l.Owner, err)
		}
		close(as.park)
		if err := <-done; err != nil {
			t.Errorf("Complete: %v", err)
		}
		if end := b.wait(waiter, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
	})
}

// A process died with the code on its way: it may be spent and is never sent
// again.
func TestExchangeOfADeadProcessEndsInLostSuccess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, registry := codeBench(t)
		first := registry()
		s := startCode(t, first)
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		l := s.Login
		prompt, _ := l.Prompt()
		l.State = credential.Exchanging{Prompt: prompt}
		if _, err := b.store.UpdateLogin(t.Context(), l, l.Version); err != nil {
			t.Fatal(err)
		}
		r := registry(adopting)
		end := b.wait(r, s.ID)
		if end.Status() != credential.LoginFailed || end.Failure().Code != "lost_success" {
			t.Errorf("ended as %+v", end.Login)
		}
		_, err := r.Complete(t.Context(), s.ID, redirected(t, s))
		wantEnded(t, err, credential.LoginFailed)
		if n := len(as.requests()); n != 0 {
			t.Errorf("%d exchanges", n)
		}
	})
}

func TestCloseWaitsForAnExchange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, as, _, r, s, done := parked(t)
		closed := make(chan error, 1)
		go func() { closed <- r.Close(context.Background()) }()
		synctest.Wait()
		if _, err := r.Complete(t.Context(), s.ID, redirected(t, s)); !errors.Is(err, login.ErrClosed) {
			t.Errorf("Complete of a registry that closes: %v", err)
		}
		close(as.park)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Complete: %v", err)
		}
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Status() != credential.LoginAuthorized {
			t.Errorf("stored as %+v, %v", l, err)
		}
	})
	inBubble(t, func(t *testing.T) { // but not for ever
		b, _, _, r, s, done := parked(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Complete: %v", err)
		}
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Failure().Code != "lost_success" {
			t.Errorf("stored as %+v, %v", l, err)
		}
	})
}

// The code is not sent before it is written down that it will be.
func TestStoreThatFailsBeforeAnExchange(t *testing.T) {
	for name, tt := range map[string]struct {
		fails  int  // how many writes
		writes bool // although they are made
		want   credential.LoginStatus
		sent   int
	}{
		"for good":       {100, false, credential.LoginPending, 0},
		"once":           {1, false, credential.LoginAuthorized, 1},
		"once, but made": {1, true, credential.LoginAuthorized, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b, as, registry := codeBench(t)
				odd := &oddStore{Store: b.store}
				r := registry(func(c *login.Config) { c.Store = odd })
				s := startCode(t, r)
				left := tt.fails
				odd.update = func(l credential.Login, v uint64) (credential.Login, error) {
					if left--; left < 0 {
						return b.store.UpdateLogin(context.Background(), l, v)
					}
					if tt.writes {
						if _, err := b.store.UpdateLogin(context.Background(), l, v); err != nil {
							return l, err
						}
					}
					return l, errDisk
				}
				got, err := r.Complete(t.Context(), s.ID, redirected(t, s))
				if wantErr := tt.want == credential.LoginPending; errors.Is(err, errDisk) != wantErr || got.Status() != tt.want {
					t.Errorf("Complete = %s, %v; want %s", got.Status(), err, tt.want)
				}
				if n := len(as.requests()); n != tt.sent {
					t.Errorf("%d exchanges, want %d", n, tt.sent)
				}
			})
		})
	}
}

// Whatever a server answers to an exchange: few requests, never a credential
// that is not one, and an end.
func TestHostileExchangeAnswers(t *testing.T) {
	n := 0
	for _, c := range oauthtest.Cases(t) {
		if c.Refresh == nil {
			continue // what a token endpoint says to a refresh, it may say to a code
		}
		n++
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hc, seen := hostileServer(t, c, "/token")
				b := newBench(t)
				r := b.registry(func(cfg *login.Config) { cfg.Providers, cfg.HTTP = nil, hc })
				req := codeRequest
				req.Binding.Endpoints = oauth.Endpoints{
					Issuer: codeIssuer, Authorization: codeIssuer + "/authorize", Token: "http://127.0.0.1/token", RequireISS: true,
				}
				s, _, err := r.Start(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				end, err := r.Complete(t.Context(), s.ID, redirected(t, s))
				if err != nil || end.Live() {
					t.Fatalf("Complete = %+v, %v", end.Login, err)
				}
				requests := 1
				if c.Refresh.Kind == oauth.KindNetwork || c.Refresh.Kind == oauth.KindServer {
					requests = 2
				}
				if got := len(seen()); got != requests {
					t.Errorf("the server saw %d requests, want %d", got, requests)
				}
				if took := time.Since(began); took > 31*time.Second {
					t.Errorf("took %v", took)
				}
				_, getErr := b.store.Get(t.Context(), key)
				if stored := getErr == nil; stored != c.Refresh.OK || (end.Status() == credential.LoginAuthorized) != c.Refresh.OK {
					t.Errorf("ended as %s (%+v), stored %v, want ok %v", end.Status(), end.Failure(), stored, c.Refresh.OK)
				}
			})
		})
	}
	if n < 100 {
		t.Errorf("%d cases are about a token endpoint, want 100 at least", n)
	}
}
