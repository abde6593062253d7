package token_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/token"
)

// slowly answers well after 10 s, and runs then just before it does.
func slowly(then func()) func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) {
	return func(w http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
		time.Sleep(10 * time.Second)
		then()
		grant(w)
	}
}

// R21, I11: a logout beside a refresh is final, and what the refresh won is
// revoked.
func TestLogoutDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = slowly(f.logout)
		time.Sleep(time.Hour)
		_, err := f.m.Token(t.Context(), key, 0)
		if needed, ok := errors.AsType[*token.LoginNeededError](err); !ok || !needed.NeverLoggedIn {
			t.Errorf("Token = %v, want not logged in", err)
		}
		if got, want := f.provider.revocations(), []string{"rt-2"}; !slices.Equal(got, want) {
			t.Errorf("revoked %v, want %v", got, want)
		}
		f.wantEvents(token.Superseded, token.Removed)
		if _, err := f.store.Get(t.Context(), key); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Get = %v, want ErrNotFound", err)
		}
		if got := f.discards.Load(); got != 1 {
			t.Errorf("what was kept aside was discarded %d times, want once", got)
		}
	})
}

func TestLoginDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = slowly(func() {
			relogin := f.credential(time.Hour)
			relogin.AccessToken, relogin.RefreshToken = hide("at-new"), hide("rt-new")
			seed(t, f.store, relogin)
		})
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-new")
		if got, want := f.provider.revocations(), []string{"rt-2"}; !slices.Equal(got, want) {
			t.Errorf("revoked %v, want %v", got, want)
		}
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-new" {
			t.Errorf("stored %s, want rt-new", c.RefreshToken.Reveal())
		}
	})
}

// Somebody changed another field of the same login: both changes stay.
func TestUpdateDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = slowly(func() {
			c := f.stored()
			c.Alias = "acct-abcdef"
			if _, err := f.store.Update(context.Background(), c, c.Generation); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		if c := f.stored(); c.Alias != "acct-abcdef" || c.RefreshToken.Reveal() != "rt-2" || c.Generation != 3 {
			t.Errorf("stored %+v, want alias and rt-2 in generation 3", c)
		}
		if got := f.provider.revocations(); len(got) != 0 {
			t.Errorf("revoked %v, want nothing", got)
		}
		f.wantEvents(token.Refreshed)
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-3")
	})
}

func TestUpdateDuringRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.revoked = true
		f.provider.script[1] = slowly(func() {
			c := f.stored()
			c.Alias = "acct-abcdef"
			if _, err := f.store.Update(context.Background(), c, c.Generation); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Hour)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Fatal("Token succeeded, want LoginNeededError")
		}
		if c := f.stored(); c.Alias != "acct-abcdef" || c.State != credential.NeedsLogin || c.RefreshToken.Reveal() != "rt-1" {
			t.Errorf("stored %+v, want alias, needs_login and rt-1", c)
		}
		if got := f.discards.Load(); got != 1 {
			t.Errorf("what was kept aside was discarded %d times, want once", got)
		}
	})
}

// A logout between the lock and the intent: nothing is sent any more.
func TestLogoutBeforeReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Reserve" {
				f.logout()
			}
			return nil
		})
		time.Sleep(time.Hour)
		_, err := f.m.Token(t.Context(), key, 0)
		if needed, ok := errors.AsType[*token.LoginNeededError](err); !ok || !needed.NeverLoggedIn {
			t.Errorf("Token = %v, want not logged in", err)
		}
		f.wantSeen()
	})
}

// What another process does shows within a second, to readers who never leave
// the fast path.
func TestOtherProcessChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		other := f.manager()
		f.want(f.m, 0, "at-1")
		f.want(other, 0, "at-1")

		time.Sleep(40 * time.Minute)
		f.want(f.m, 0, "at-1")
		f.want(other, 30*time.Minute, "at-2")
		time.Sleep(time.Second + time.Millisecond)
		f.want(f.m, 0, "at-2") // refreshed elsewhere

		relogin := f.credential(time.Hour)
		relogin.AccessToken = hide("at-new")
		seed(t, f.store, relogin)
		time.Sleep(time.Second + time.Millisecond)
		f.want(f.m, 0, "at-new") // logged in elsewhere

		f.logout()
		time.Sleep(time.Second + time.Millisecond)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token after a logout elsewhere succeeded")
		}
		f.wantSeen("rt-1")
	})
}

// A key unread for a minute leaves memory; its next read asks the store once.
func TestUnusedKeyLeavesMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		var gets, stamps atomic.Int64
		f.store.Intercept(func(op string, _ credential.Key) error {
			switch op {
			case "Get":
				gets.Add(1)
			case "Stamp":
				stamps.Add(1)
			}
			return nil
		})
		for range 10 {
			f.want(f.m, 0, "at-1")
			time.Sleep(30 * time.Second)
		}
		if gets.Load() != 1 {
			t.Errorf("%d reads of the store for a key in use, want 1", gets.Load())
		}
		time.Sleep(time.Minute)
		idle := stamps.Load()
		time.Sleep(time.Minute)
		if got := stamps.Load() - idle; got != 0 {
			t.Errorf("store was asked %d times about a key nobody reads", got)
		}
		f.want(f.m, 0, "at-1")
		if gets.Load() != 2 {
			t.Errorf("%d reads of the store, want 2", gets.Load())
		}
	})
}

// lateStore answers Get late: with what was there before after ran.
type lateStore struct {
	credential.Store
	after func()
}

func (s *lateStore) Get(ctx context.Context, k credential.Key) (credential.Credential, error) {
	c, err := s.Store.Get(ctx, k)
	if after := s.after; after != nil {
		s.after = nil
		after()
	}
	return c, err
}

// What was read before a Forget does not come back after it.
func TestForgetDuringRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		late := &lateStore{Store: f.store}
		m := token.NewManager(token.Config{Store: late, Clock: f.clock})
		defer m.Close(context.Background())
		late.after = func() {
			f.logout()
			m.Forget(key)
		}
		f.want(m, 0, "at-1") // began before the logout
		if _, err := m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token after the logout succeeded")
		}
	})
}

// A reading from before a rotation, arriving after it, does not undo it.
func TestRefreshDuringRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		late := &lateStore{Store: f.store}
		m := f.managerWith(token.Config{Store: late})
		time.Sleep(40 * time.Minute)
		late.after = func() { f.want(m, 30*time.Minute, "at-2") }
		f.want(m, 0, "at-1")
		f.want(m, 0, "at-2")
	})
}

// While a renewal is not to be tried, or on its way, reading a usable token
// asks nobody.
func TestBackingOffAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = says(429, http.Header{"Retry-After": {"120"}}, "")
		time.Sleep(56 * time.Minute)
		f.want(f.m, 0, "at-1")
		time.Sleep(1500 * time.Millisecond) // between two ticks
		f.store.Intercept(func(op string, _ credential.Key) error {
			t.Errorf("store was asked to %s", op)
			return nil
		})
		for range 10 {
			f.want(f.m, 0, "at-1")
		}
		f.store.Intercept(nil)
		f.wantSeen("rt-1")
	})
}

// Forget shows a logout of this process at once.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.want(f.m, 0, "at-1")
		f.logout()
		f.want(f.m, 0, "at-1")
		f.m.Forget(key)
		if _, err := f.m.Token(t.Context(), key, 0); err == nil {
			t.Error("Token after Forget succeeded")
		}
		f.m.Forget(credential.Key{Provider: "unknown", Account: "default"})
	})
}

// R16: the wall clock jumps.
func TestWallClockJumps(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   time.Duration
		by   time.Duration
		// sent is how many refreshes an hour and a half of reading takes.
		sent int
	}{
		{"not", 10 * time.Minute, 0, 1},
		{"back a day", 10 * time.Minute, -24 * time.Hour, 1},
		{"back half an hour", 40 * time.Minute, -30 * time.Minute, 1},
		{"back to 1970", 10 * time.Minute, -56 * 365 * 24 * time.Hour, 1},
		{"forward a day", 10 * time.Minute, 24 * time.Hour, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				f.want(f.m, 0, "at-1")
				born := map[string]time.Duration{"at-1": 0}
				for passed := time.Duration(0); passed < 90*time.Minute; passed += 10 * time.Second {
					if passed == tt.at {
						f.clock.setWall(tt.by)
					}
					got, err := f.m.Token(t.Context(), key, 0)
					if err != nil {
						t.Fatal(err)
					}
					name := got.AccessToken.Reveal()
					if _, known := born[name]; !known {
						born[name] = passed
					}
					if age := passed - born[name]; age >= time.Hour {
						t.Fatalf("%s served at the age of %v", name, age)
					}
					time.Sleep(10 * time.Second)
				}
				if got := len(f.provider.seen()); got != tt.sent {
					t.Errorf("%d refreshes, want %d", got, tt.sent)
				}
			})
		})
	}
}

// A wall clock that was set is noticed by the very next read, before any tick.
func TestWallClockSetBackBetweenTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		time.Sleep(54 * time.Minute)
		f.want(f.m, 0, "at-1")
		f.clock.setWall(-24 * time.Hour)
		f.clock.suspend(5*time.Minute + 45*time.Second)
		f.want(f.m, 0, "at-2")
	})
}

// L11: suspended over the end of the token.
func TestSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.want(f.m, 0, "at-1")
		f.clock.suspend(2 * time.Hour)
		f.want(f.m, 0, "at-2")
		// A machine that lost its time while asleep still counted it.
		f.clock.suspend(2 * time.Hour)
		f.clock.setWall(-2 * time.Hour)
		time.Sleep(time.Second + time.Millisecond)
		f.want(f.m, 0, "at-3")
	})
}

func TestReboot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		time.Sleep(10 * time.Minute)
		f.clock.reboot()
		f.want(f.manager(), 0, "at-1")
		// Without a clock that keeps time: nobody can tell how old it is.
		f.clock.reboot()
		f.clock.setWall(-56 * 365 * 24 * time.Hour)
		f.want(f.manager(), 0, "at-2")
	})
}

var errDisk = errors.New("disk on fire")

// A token that cannot be stored is served from memory with the lock kept, and
// stored when that works again.
func TestStoringFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		var broken atomic.Bool
		broken.Store(true)
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Commit" && broken.Load() {
				return errDisk
			}
			return nil
		})
		time.Sleep(time.Hour)
		for range 100 {
			f.want(f.m, 0, "at-2")
			time.Sleep(time.Second)
		}
		other := f.manager()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := other.Token(ctx, key, 0); !errors.Is(err, token.ErrBusy) {
			t.Errorf("Token elsewhere = %v, want ErrBusy: the lock must be kept", err)
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" || c.Generation != 2 {
			t.Errorf("stored %+v, want rt-2 in generation 2", c)
		}
		f.want(f.m, 0, "at-2")
		f.want(other, 0, "at-2")
		f.wantSeen("rt-1")
	})
}

// A logout while a token waits to be stored is final too.
func TestLogoutWhileStoringFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		var broken atomic.Bool
		broken.Store(true)
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Commit" && broken.Load() {
				return errDisk
			}
			return nil
		})
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		f.logout()
		time.Sleep(time.Second + time.Millisecond)
		for range 300 {
			if _, err := f.m.Token(t.Context(), key, 0); err == nil {
				t.Fatal("Token after a logout succeeded")
			}
			time.Sleep(100 * time.Millisecond)
		}
		broken.Store(false)
		time.Sleep(time.Minute)
		if got, want := f.provider.revocations(), []string{"rt-2"}; !slices.Equal(got, want) {
			t.Errorf("revoked %v, want %v", got, want)
		}
	})
}

// When even the unstored token ends, readers learn why.
func TestStoringFailsForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Minute)
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Commit" {
				return errDisk
			}
			return nil
		})
		time.Sleep(time.Minute)
		f.want(f.m, 0, "at-2")
		time.Sleep(time.Minute)
		if _, err := f.m.Token(t.Context(), key, 0); !errors.Is(err, errDisk) {
			t.Errorf("Token = %v, want the store's error", err)
		}
		f.store.Intercept(nil)
	})
}

// A store that has no room fails before the token is spent.
func TestReserveFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Reserve" {
				return errDisk
			}
			return nil
		})
		time.Sleep(56 * time.Minute)
		f.want(f.m, 0, "at-1")
		time.Sleep(4 * time.Minute)
		if _, err := f.m.Token(t.Context(), key, 0); !errors.Is(err, errDisk) {
			t.Errorf("Token = %v, want the store's error", err)
		}
		f.wantSeen()
		f.store.Intercept(nil)
		time.Sleep(30 * time.Second)
		f.want(f.m, 0, "at-2")
	})
}

// A store that cannot be read does not take a good token away.
func TestStoreUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.want(f.m, 0, "at-1")
		f.store.Intercept(func(string, credential.Key) error { return errDisk })
		for range 58 {
			time.Sleep(time.Minute - time.Second)
			f.want(f.m, 0, "at-1")
			time.Sleep(time.Second)
			f.want(f.m, 0, "at-1")
		}
		if _, err := f.m.Token(t.Context(), credential.Key{Provider: "x", Account: "default"}, 0); !errors.Is(err, errDisk) {
			t.Errorf("Token of a key not in memory = %v, want the store's error", err)
		}
		f.store.Intercept(nil)
	})
}

// R10: Close waits for a refresh on its way, and what it won is stored.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.manager()
		f.provider.script[1] = slowly(func() {})
		time.Sleep(56 * time.Minute)
		f.want(m, 0, "at-1")
		synctest.Wait()
		start := time.Now()
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("Close took %v, want 10 s", waited)
		}
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" {
			t.Errorf("stored %s, want rt-2", c.RefreshToken.Reveal())
		}
		if _, err := m.Token(t.Context(), key, 0); !errors.Is(err, token.ErrClosed) {
			t.Errorf("Token after Close = %v, want ErrClosed", err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Errorf("second Close = %v", err)
		}
	})
}

// A short command in the last minutes of a token: what it sets off is done when
// it ends.
func TestCloseRightAfterRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.manager()
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "BeginRotation" {
				time.Sleep(10 * time.Millisecond) // closed by then
			}
			return nil
		})
		time.Sleep(56 * time.Minute)
		f.want(m, 0, "at-1")
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" {
			t.Errorf("stored %s, want rt-2", c.RefreshToken.Reveal())
		}
	})
}

// Who waits for another's lock has sent nothing and can go.
func TestCloseDoesNotWaitForLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.manager()
		held, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(56 * time.Minute)
		f.want(m, 0, "at-1")
		synctest.Wait()
		start := time.Now()
		if err := m.Close(t.Context()); err != nil || time.Since(start) > time.Second {
			t.Errorf("Close = %v after %v, want soon", err, time.Since(start))
		}
		if err := held.Release(true); err != nil {
			t.Fatal(err)
		}
		f.wantSeen()
	})
}

// A closing manager stores as soon as that works again.
func TestCloseStoresSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.manager()
		var broken atomic.Bool
		broken.Store(true)
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Commit" && broken.Load() {
				return errDisk
			}
			return nil
		})
		time.Sleep(time.Hour)
		f.want(m, 0, "at-2")
		time.Sleep(5 * time.Minute)
		closing := time.Now()
		time.AfterFunc(10*time.Second, func() { broken.Store(false) })
		if err := m.Close(t.Context()); err != nil || time.Since(closing) > 11*time.Second {
			t.Errorf("Close = %v after %v, want within a second of the repair after 10 s", err, time.Since(closing))
		}
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" {
			t.Errorf("stored %s, want rt-2", c.RefreshToken.Reveal())
		}
	})
}

// Close gives up on a token that cannot be stored when its context ends.
func TestCloseGivesUpStoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.manager()
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Commit" {
				return errDisk
			}
			return nil
		})
		time.Sleep(time.Hour)
		f.want(m, 0, "at-2")
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second)
		defer cancel()
		if err := m.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v, want its deadline", err)
		}
		synctest.Wait()
		f.store.Intercept(nil)
		// The intent tells the next holder.
		held, err := f.store.BeginRotation(t.Context(), key, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !held.Interrupted() {
			t.Error("no trace of the spent token is left")
		}
		if err := held.Release(true); err != nil {
			t.Fatal(err)
		}
	})
}

// The client secret comes from configuration, as long as that is about the
// same client.
func TestClientSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		var changed atomic.Bool
		changed.Store(true)
		m := f.managerWith(token.Config{
			ClientSecret: func(_ context.Context, c credential.Credential) (secret.String, error) {
				if changed.Load() {
					return secret.String{}, token.ErrProviderChanged
				}
				return secret.String{}, nil
			},
		})
		time.Sleep(56 * time.Minute)
		f.want(m, 0, "at-1")
		synctest.Wait()
		f.wantEvents(token.NeedsLogin)
		if c := f.stored(); c.State != credential.NeedsLogin || c.Cause != credential.CauseProviderChanged || c.Generation != 2 {
			t.Errorf("stored %+v, want needs_login, provider_changed", c)
		}
		f.want(m, 0, "at-1")
		time.Sleep(4 * time.Minute)
		for range 3 {
			_, err := m.Token(t.Context(), key, 0)
			if needed, ok := errors.AsType[*token.LoginNeededError](err); !ok || needed.Cause != credential.CauseProviderChanged {
				t.Errorf("Token = %v, want LoginNeededError, provider_changed", err)
			}
		}
		if c := f.stored(); c.Generation != 2 {
			t.Errorf("generation = %d, want 2: nothing new happened", c.Generation)
		}
		f.wantSeen()
		changed.Store(false)
		f.want(m, 0, "at-2")
		if c := f.stored(); c.State != credential.Active || c.Cause != "" {
			t.Errorf("stored %+v, want active again", c)
		}
	})
}

func TestClientSecretUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.managerWith(token.Config{
			ClientSecret: func(context.Context, credential.Credential) (secret.String, error) {
				return secret.String{}, errDisk
			},
		})
		time.Sleep(time.Hour)
		if _, err := m.Token(t.Context(), key, 0); !errors.Is(err, errDisk) {
			t.Errorf("Token = %v, want the error of reading the secret", err)
		}
		f.wantSeen()
		if c := f.stored(); c.State != credential.Active {
			t.Errorf("state = %s, want active", c.State)
		}
	})
}

// Other kinds bring their own renewer and need no refresh token.
func TestInjectedRenewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		minted := f.credential(time.Hour)
		minted.Kind, minted.RefreshToken = credential.Minted, secret.String{}
		seed(t, f.store, minted)
		calls := 0
		m := f.managerWith(token.Config{Renewers: map[credential.Kind]token.Renewer{
			credential.Minted: func(context.Context, credential.Credential) (*oauth.Token, error) {
				if calls++; calls == 1 {
					return nil, &oauth.Error{Op: "mint", Outcome: oauth.NotSent, Kind: oauth.KindNetwork}
				}
				return &oauth.Token{AccessToken: hide("minted-2"), Lifetime: time.Hour}, nil
			},
		}})
		time.Sleep(time.Hour)
		f.want(m, 0, "minted-2")
		if calls != 2 {
			t.Errorf("renewer was called %d times, want 2", calls)
		}
		f.wantSeen()
	})
}

// R11, I13: reading a fresh token or closing sends nothing, and an API key is
// never renewed.
func TestStaticKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		static := f.credential(0)
		static.Kind, static.RefreshToken, static.AccessToken = credential.Static, secret.String{}, hide("sk-1")
		seed(t, f.store, static)
		time.Sleep(1000 * time.Hour)
		f.want(f.m, time.Hour, "sk-1")
		f.wantSeen()
	})
}

// Errors are read by people and logs.
func TestErrorsSayNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.script[1] = says(401, nil, `{"error":"invalid_client","error_description":"rt-1"}`)
		time.Sleep(time.Hour)
		_, err := f.m.Token(t.Context(), key, 0)
		if err == nil {
			t.Fatal("Token succeeded")
		}
		retry := time.Now()
		if failed, ok := errors.AsType[*token.RefreshError](err); ok {
			retry = failed.RetryAt
		}
		want := "refreshing acme: provider refused: invalid_client; next try at " + retry.UTC().Format(time.RFC3339)
		if err.Error() != want {
			t.Errorf("error = %q, want %q", err, want)
		}
		needed := &token.LoginNeededError{Key: key, Cause: credential.CauseRefused}
		if got, want := needed.Error(), "acme: login needed (refresh_refused)"; got != want {
			t.Errorf("error = %q, want %q", got, want)
		}
	})
}
