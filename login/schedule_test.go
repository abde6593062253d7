package login

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
)

// entries are n bare entries of one provider.
func entries(n int, provider string) []*entry {
	all := make([]*entry, n)
	for i := range all {
		all[i] = newEntry(credential.Login{Key: credential.Key{Provider: provider, Account: "a"}})
	}
	return all
}

func TestScheduleWakesInOrderAndOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		began := time.Now()
		all := entries(n, "p")
		want := make(map[*entry]time.Duration, n)
		var mu sync.Mutex
		woken := 0
		s := newSchedule(began, func(e *entry) {
			mu.Lock()
			defer mu.Unlock()
			woken++
			if at := time.Since(began); at != want[e] {
				t.Errorf("woken after %v, want %v", at, want[e])
			}
		})
		for range 3 { // the last time counts
			for _, e := range all {
				at := time.Duration(1+rand.N(1000)) * time.Second
				mu.Lock()
				want[e] = at
				mu.Unlock()
				s.set(e, began.Add(at))
			}
		}
		removed := 0
		for i := 0; i < n; i += 7 {
			s.remove(all[i])
			s.remove(all[i]) // twice is harmless
			removed++
		}
		time.Sleep(2000 * time.Second)
		mu.Lock()
		if woken != n-removed {
			t.Errorf("%d woken, want %d", woken, n-removed)
		}
		mu.Unlock()
		s.close()
		s.set(all[0], time.Now())
		synctest.Wait()
		if woken != n-removed {
			t.Error("woken after close")
		}
	})
}

// One provider that hangs neither holds up the others nor gets more calls.
func TestScheduleBoundsEachProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		hang := make(chan struct{})
		var mu sync.Mutex
		counts, most := map[string]int{}, 0
		s := newSchedule(began, func(e *entry) {
			mu.Lock()
			counts[e.provider]++
			mu.Unlock()
			if e.provider == "hangs" {
				<-hang
			}
		})
		for _, e := range slices.Concat(entries(3*perProvider, "hangs"), entries(3*perProvider, "fine")) {
			s.set(e, began.Add(time.Second))
		}
		time.Sleep(2 * time.Second)
		mu.Lock()
		most = counts["hangs"]
		if most != perProvider || counts["fine"] != 3*perProvider {
			t.Errorf("woken: %v, want %d of hangs, %d of fine", counts, perProvider, 3*perProvider)
		}
		mu.Unlock()
		close(hang)
		synctest.Wait()
		if counts["hangs"] != 3*perProvider || len(s.lanes) != 0 {
			t.Errorf("in the end %d of hangs, %d lanes left", counts["hangs"], len(s.lanes))
		}
		s.close()
	})
}

func prompt(l credential.Login) credential.Prompt {
	p, _ := l.Prompt()
	return p
}

func TestRecordKeepsALogin(t *testing.T) {
	at := time.Date(2026, 11, 21, 12, 0, 0, 5, time.UTC)
	for _, l := range []credential.Login{
		{},
		{
			ID: "0-1", Key: credential.Key{Provider: "p", Account: "default"}, Version: 7, Method: credential.MethodDevice,
			Binding: credential.Binding{ClientID: "c"}, Scopes: []string{"a b", "c"}, Initiator: "i", Origin: "me@box",
			Trace: "t", Owner: "o", CreatedAt: at, ExpiresAt: at.Add(time.Hour), Interval: 5 * time.Second, Superseded: true,
			State: credential.Pending{Device: credential.DeviceGrant{Prompt: credential.Prompt{UserCode: "A", VerificationURI: "https://x"}}},
		},
		{ID: "0-1", Trace: "01", State: credential.Ended{Status: credential.LoginExpired, At: at, Failure: credential.Failure{Code: "x"}}},
	} {
		r := makeRecord(l)
		got := r.login()
		if got.Trace == "" || l.Trace == "" {
			l.Trace = got.Trace
		}
		if !slices.Equal(got.Scopes, l.Scopes) || got.Status() != l.Status() || got.Failure() != l.Failure() || prompt(got) != prompt(l) {
			t.Errorf("got %+v, want %+v", got, l)
		}
		got.Scopes, l.Scopes, got.State, l.State = nil, nil, nil, nil
		if got.ID != l.ID || got.Key != l.Key || got.Version != l.Version || got.Method != l.Method || got.Binding != l.Binding ||
			got.Initiator != l.Initiator || got.Origin != l.Origin || got.Trace != l.Trace || got.Owner != l.Owner ||
			!got.CreatedAt.Equal(l.CreatedAt) || !got.ExpiresAt.Equal(l.ExpiresAt) || got.Interval != l.Interval || got.Superseded != l.Superseded {
			t.Errorf("got %+v, want %+v", got, l)
		}
	}
}
