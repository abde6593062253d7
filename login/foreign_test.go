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
)

func adopting(c *login.Config) { c.Adopt = true }

func silent(c *login.Config) { c.Observe = nil }

// The daemon has seen the login while it was starting; who joins it there is
// shown the code all the same.
func TestJoinerIsShownTheCodeOfAStartThatItWatched(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.provider.begin = make(chan struct{})
		daemon, cli := b.registry(adopting, silent), b.registry()
		go func() { _, _, _ = cli.Start(t.Context(), login.Request{Key: key}) }()
		time.Sleep(1100 * time.Millisecond) // the daemon has met it
		type result struct {
			s   login.Snapshot
			err error
		}
		got := make(chan result)
		go func() {
			s, _, err := daemon.Start(t.Context(), login.Request{Key: key})
			got <- result{s, err}
		}()
		synctest.Wait()
		close(b.provider.begin)
		if r := <-got; r.err != nil || r.s.Status() != credential.LoginPending || userCode(r.s) == "" {
			t.Errorf("joined as %+v, %v", r.s.Login, r.err)
		}
	})
}

func TestWaitEndsWhenTheLoginIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.provider.begin = make(chan struct{})
		b.provider.startErr = &oauth.Error{Outcome: oauth.NotSent, Kind: oauth.KindNetwork}
		cli, other := b.registry(silent), b.registry(silent)
		go func() { _, _, _ = cli.Start(t.Context(), login.Request{Key: key}) }()
		synctest.Wait()
		all, err := other.List(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("List = %v, %v", all, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.AfterFunc(time.Second/2, func() { close(b.provider.begin) })
		if s, err := other.Wait(ctx, all[0].ID); err != nil || s.Status() != credential.LoginFailed {
			t.Errorf("Wait = %+v, %v", s.Login, err)
		}
	})
}

// A start that was killed is not waited for for ever, and does not count.
func TestStartOfADeadProcessEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		l, err := b.store.CreateLogin(t.Context(), credential.Login{
			ID: "11111111-1111-4111-8111-111111111111", Key: key, Method: credential.MethodDevice,
			State: credential.Starting{}, Owner: "dead", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(30 * time.Second),
		}, 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if s, err := b.registry(silent).Wait(ctx, l.ID); err != nil || s.Status() != credential.LoginFailed {
			t.Errorf("Wait = %+v, %v", s.Login, err)
		}
	})
}

func TestAbandonedLoginsDoNotUseUpTheCap(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		for _, account := range []string{"a", "b"} {
			r := b.registry(silent)
			if _, _, err := r.Start(t.Context(), login.Request{Key: credential.Key{Provider: "test", Account: account}}); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(t.Context()); err != nil { // as after login --no-wait
				t.Fatal(err)
			}
		}
		r := b.registry(silent, func(c *login.Config) { c.MaxActive = 2 })
		if _, _, err := r.Start(t.Context(), login.Request{Key: key}); !errors.Is(err, credential.ErrTooManyLogins) {
			t.Errorf("Start while both are pending: %v", err)
		}
		time.Sleep(time.Hour)
		if _, _, err := r.Start(t.Context(), login.Request{Key: key}); err != nil {
			t.Errorf("Start after both expired: %v", err)
		}
	})
}

func TestTakeOverIsToldOncePerClientAndNeverForAnonymousOnes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		b.start(r)
		for _, by := range []string{"", "cli-B", "cli-B", "cli-A", "", "cli-C"} {
			if _, _, err := r.Start(t.Context(), login.Request{Key: key, Initiator: by}); err != nil {
				t.Fatal(err)
			}
		}
		b.wantEvents(login.Started, login.Joined, login.Joined)
	})
}

// The owner's lock was lost while its process lives on, so another process
// claims the login: the first must stop.
func TestOwnerThatLostItsLoginStopsPolling(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry(silent)
		s := b.start(r)
		time.Sleep(7 * time.Second)
		if err := b.store.Close(); err != nil { // ends every owner
			t.Fatal(err)
		}
		b.registry(adopting, silent)
		time.Sleep(time.Minute)
		if s, err := b.store.GetLogin(t.Context(), s.ID); err != nil || s.Version < 3 {
			t.Fatalf("nobody claimed it: %+v, %v", s, err)
		}
		b.provider.mu.Lock()
		defer b.provider.mu.Unlock()
		for i, gap := range gapsOf(b.provider.polls) {
			if gap < 5*time.Second {
				t.Errorf("gap %d between polls is %v", i, gap)
			}
		}
	})
}

func TestCloseThatIsCutOffEndsAStartInFlight(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.provider.begin = make(chan struct{})
		r := b.registry()
		failed := make(chan error, 1)
		go func() { _, _, err := r.Start(t.Context(), login.Request{Key: key}); failed <- err }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := r.Close(ctx); err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
		if err := <-failed; !errors.Is(err, login.ErrClosed) {
			t.Errorf("Start: %v", err)
		}
		for l := range b.store.ListLogins(t.Context()) {
			t.Errorf("left behind %+v", l)
		}
	})
}

func TestDaemonTellsWhatBeganAndEndedBetweenTwoLooks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.registry(adopting)
		time.Sleep(1200 * time.Millisecond)
		cli := b.registry(silent)
		s := b.start(cli)
		if _, err := cli.Cancel(t.Context(), s.ID, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b.wantEvents(login.Started, login.Cancelled)
		time.Sleep(2 * login.Grace)
		b.wantEvents(login.Started, login.Cancelled)
	})
}

func TestDaemonTellsOfTheStartBeforeItsOwnCancel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		daemon := b.registry(adopting)
		time.Sleep(1200 * time.Millisecond)
		s := b.start(b.registry(silent))
		if _, err := daemon.Cancel(t.Context(), s.ID, "cli-B"); err != nil {
			t.Fatal(err)
		}
		b.wantEvents(login.Started, login.Cancelled)
	})
}

// A logout may mark a login without ending it, when it began only after the
// logout had looked for logins. Nobody should be asked to approve it any more.
func TestLoginThatALogoutOvertookEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		s := b.start(r)
		l, err := b.store.GetLogin(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		l.Superseded = true
		if _, err := b.store.UpdateLogin(t.Context(), l, l.Version); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if end, err := r.Wait(ctx, s.ID); err != nil || end.Status() != credential.LoginCancelled {
			t.Errorf("Wait = %+v, %v", end.Login, err)
		}
	})
}

// What is pending when a daemon starts is no news, also if it can only be read
// later; what comes then is.
func TestPendingLoginsAtTheStartAreNoNews(t *testing.T) {
	for name, readable := range map[string]bool{"at once": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBench(t, pending)
				cli := b.registry(silent)
				s := b.start(cli)
				time.Sleep(time.Second)
				if !readable {
					b.store.Intercept(func(op string, _ credential.Key) error {
						if op == "ListLogins" {
							return errDisk
						}
						return nil
					})
				}
				daemon := b.registry(adopting)
				time.Sleep(3 * time.Second)
				b.store.Intercept(nil)
				time.Sleep(2 * time.Second)
				b.wantEvents()
				if got, err := daemon.List(t.Context()); err != nil || len(got) != 1 || userCode(got[0]) != userCode(s) {
					t.Errorf("List = %+v, %v", got, err)
				}
				if _, err := cli.Cancel(t.Context(), s.ID, ""); err != nil {
					t.Fatal(err)
				}
				b.start(cli)
				time.Sleep(2 * time.Second)
				b.wantEvents(login.Cancelled, login.Started)
			})
		})
	}
}

// A daemon that starts where one was killed tells the starts that may not have
// been told, but none that come after it as its own.
func TestStartsBeforeACrashAreToldAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t)
		cli := b.registry(func(c *login.Config) { c.Observe = nil })
		s := b.start(cli)
		time.Sleep(time.Second)
		r := b.registry(func(c *login.Config) { c.Adopt, c.AfterCrash = true, true })
		time.Sleep(2 * time.Second)
		b.wantEvents(login.Started)
		if e := b.events[0]; e.Foreign || e.Login.ID != s.ID {
			t.Errorf("event = %+v", e)
		}
		if _, err := cli.Cancel(t.Context(), s.ID, ""); err != nil {
			t.Fatal(err)
		}
		b.start(cli)
		time.Sleep(2 * time.Second)
		b.wantEvents(login.Started, login.Cancelled, login.Started)
		if e := b.events[2]; !e.Foreign {
			t.Errorf("event = %+v", e)
		}
		if _, err := r.List(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Nor does it keep the ends to itself.
func TestEndsBeforeACrashAreToldAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		silent := b.registry(func(c *login.Config) { c.Observe = nil })
		s := b.start(silent)
		b.wait(silent, s.ID)
		time.Sleep(time.Second)
		b.registry(func(c *login.Config) { c.Adopt, c.AfterCrash = true, true })
		time.Sleep(login.Grace)
		b.wantEvents(login.Authorized)
		if e := b.events[0]; e.Foreign || e.Login.ID != s.ID || e.Credential == nil || e.Credential.Grant != s.ID {
			t.Errorf("event = %+v", e)
		}
	})
}

// A daemon that starts does not tell old stories, neither at its first look nor
// at a later one.
func TestLoginsThatEndedBeforeAreNoNews(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		cli := b.registry(func(c *login.Config) { c.Observe = nil })
		b.wait(cli, b.start(cli).ID)
		time.Sleep(time.Second)
		b.registry(func(c *login.Config) { c.Adopt = true })
		time.Sleep(login.Grace)
		b.wantEvents()
	})
}
