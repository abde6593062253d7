package login_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
)

// countOps counts the store's operations by name.
func countOps(b *bench) (count func(op string) int) {
	var mu sync.Mutex
	ops := map[string]int{}
	b.store.Intercept(func(op string, _ credential.Key) error {
		mu.Lock()
		defer mu.Unlock()
		ops[op]++
		return nil
	})
	return func(op string) int {
		mu.Lock()
		defer mu.Unlock()
		return ops[op]
	}
}

// A daemon lists the logins when it starts and follows the changes from then
// on; its own it does not read again.
func TestDaemonDoesNotListWhatItKnows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.provider.life = time.Hour
		count := countOps(b)
		r := b.registry(adopting)
		synctest.Wait() // it has looked once, and met no login that is starting
		s := b.start(r)
		time.Sleep(10 * time.Minute)
		all, err := r.List(t.Context())
		if err != nil || len(all) != 1 || all[0].ID != s.ID || all[0].LastPolledAt.IsZero() {
			t.Errorf("List = %+v, %v", all, err)
		}
		if n := count("ListLogins"); n != 1 {
			t.Errorf("the logins were listed %d times, want once", n)
		}
		if n := count("GetLogin"); n != 0 {
			t.Errorf("%d logins were read, want none", n)
		}
		if n := count("LoginChanges"); n < 600 || n > 602 {
			t.Errorf("the changes were looked at %d times in ten minutes, want 601", n)
		}
	})
}

func TestDaemonListsWhatOtherProcessesDid(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won, pending)
		cli := b.registry(silent)
		ended := b.start(cli)
		b.wait(cli, ended.ID)
		// Ended before the daemon began, and pending under its eyes.
		daemon := b.registry(adopting, silent)
		live, _, err := cli.Start(t.Context(), login.Request{Key: credential.Key{Provider: "other", Account: "default"}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		all, err := daemon.List(t.Context())
		if err != nil || len(all) != 2 || all[0].ID != ended.ID || all[1].ID != live.ID ||
			all[0].Status() != credential.LoginAuthorized || all[1].Status() != credential.LoginPending {
			t.Errorf("List = %+v, %v", all, err)
		}
		time.Sleep(login.Grace + time.Minute)
		if all, err := daemon.List(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("after the grace List = %+v, %v, want the pending one", all, err)
		}
		if _, err := b.store.GetLogin(t.Context(), ended.ID); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("after the grace the record is still there: %v", err)
		}
	})
}

// A daemon that starts finds the logins of the one before it, in whatever state.
func TestLoginsSurviveARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending, pending, won)
		first := b.registry(adopting, silent)
		s := b.start(first)
		time.Sleep(6 * time.Second)
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := b.registry(adopting, silent)
		if got, err := second.Get(t.Context(), s.ID); err != nil || userCode(got) != userCode(s) {
			t.Errorf("Get = %+v, %v", got, err)
		}
		if end := b.wait(second, s.ID); end.Status() != credential.LoginAuthorized || b.provider.starts != 1 {
			t.Errorf("ended as %+v after %d device authorizations", end.Login, b.provider.starts)
		}
		for i, gap := range gapsOf(b.provider.polls) {
			if gap < 5*time.Second {
				t.Errorf("gap %d between polls is %v", i, gap)
			}
		}
	})
}

// A store whose changes cannot be read for a while loses none of them.
func TestChangesThatCouldNotBeReadAreReadLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.registry(adopting)
		time.Sleep(1500 * time.Millisecond)
		b.store.Intercept(func(op string, _ credential.Key) error {
			if op == "LoginChanges" {
				return errDisk
			}
			return nil
		})
		cli := b.registry(silent)
		s := b.start(cli)
		time.Sleep(5 * time.Second)
		b.wantEvents()
		b.store.Intercept(nil)
		time.Sleep(1100 * time.Millisecond)
		b.wantEvents(login.Started)
		if _, err := cli.Cancel(t.Context(), s.ID, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		b.wantEvents(login.Started, login.Cancelled)
	})
}
