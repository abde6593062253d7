package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/sandbox"
)

// The process that polls tells when it did and when it will, and that the
// provider wanted it slower. Another process knows none of that.
func TestLoginViewTellsOfPolling(t *testing.T) {
	faults := sandbox.Faults{{Endpoint: "token.device", Calls: []int{2}, Do: sandbox.Action{SlowDown: true}}}
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, Interval: 5, Faults: faults}, func(t *testing.T, w *world) {
		owner, other := w.broker(), w.broker()
		start := utcNow()
		l, err := owner.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
		for _, step := range []struct {
			name       string
			last, next time.Time
			interval   int
			throttled  bool
		}{
			{"before the first poll", time.Time{}, at(5), 5, false},
			{"after it", at(5), at(10), 5, false},
			{"after a slow_down", at(10), at(20), 10, true},
			{"after one more", at(20), at(30), 10, true},
		} {
			time.Sleep(time.Until(step.last.Add(time.Second)))
			synctest.Wait()
			all, err := owner.Logins(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			one, err := owner.GetLogin(t.Context(), l.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []api.Login{one, all[0]} {
				if !v.LastPolledAt.Equal(step.last) || !v.NextPollAt.Equal(step.next) || v.Interval != step.interval || v.Throttled != step.throttled {
					t.Errorf("%s: polled at %s, next at %s, every %d s, throttled: %v; want %+v",
						step.name, v.LastPolledAt, v.NextPollAt, v.Interval, v.Throttled, step)
				}
			}
		}
		v, err := other.GetLogin(t.Context(), l.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !v.LastPolledAt.IsZero() || !v.NextPollAt.IsZero() || v.Throttled || v.Interval != 10 {
			t.Errorf("seen by another process: %+v", v)
		}
		if v, err = owner.CancelLogin(t.Context(), l.ID, api.Caller{}); err != nil || !v.NextPollAt.IsZero() || !v.LastPolledAt.IsZero() {
			t.Errorf("after its end: %+v, %v", v, err)
		}
	})
}

func utcNow() time.Time { return time.Now().UTC().Truncate(time.Second) }
