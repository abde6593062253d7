package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/sandbox"
)

// What the daemon changes is in its next auth/status, and what others change in
// the one a second later, though most of them are answered from memory.
func TestAuthStatusFollowsEveryChange(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		daemon := w.broker(func(c *broker.Config) { c.Daemon, c.Audit = true, nil })
		cli := w.broker()
		synctest.Wait()
		want := func(when string, pending, providers int) {
			t.Helper()
			for range 2 { // the second one from memory
				got, err := daemon.AuthStatus(t.Context())
				if err != nil || len(got.PendingDeviceFlows) != pending || len(got.Providers) != providers {
					t.Errorf("%s: %+v, %v, want %d pending and %d providers", when, got, err, pending, providers)
				}
			}
		}
		start := func(b *broker.Broker, key string) api.Login {
			t.Helper()
			l, err := b.StartLogin(t.Context(), api.StartLogin{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		approve := func(l api.Login) {
			t.Helper()
			if err := w.as.Approve(l.UserCode, "ada"); err != nil {
				t.Fatal(err)
			}
			if _, err := daemon.WaitLogin(t.Context(), l.ID); err != nil {
				t.Fatal(err)
			}
		}
		want("at first", 0, 0)
		mine := start(daemon, "sandbox/a")
		want("after a start", 1, 0)
		second := start(daemon, "sandbox/b")
		want("after another start", 2, 0)
		if _, err := daemon.CancelLogin(t.Context(), second.ID, api.Caller{}); err != nil {
			t.Fatal(err)
		}
		want("after a cancel", 1, 0)
		approve(mine)
		want("after an approval", 0, 1)
		if _, err := daemon.Logout(t.Context(), api.LogoutRequest{Key: "sandbox/a"}); err != nil {
			t.Fatal(err)
		}
		want("after a logout", 0, 0)

		theirs := start(cli, "sandbox/c")
		time.Sleep(time.Second)
		synctest.Wait()
		want("a second after another's start", 1, 0)
		if _, err := cli.CancelLogin(t.Context(), theirs.ID, api.Caller{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want("a second after another's cancel", 0, 0)
	})
}
