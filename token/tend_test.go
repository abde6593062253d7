package token_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/token"
)

// tend does what a daemon does for d: once a second it shows m every credential.
// To be quick, it lists them when something has happened and once a minute.
// each, unless nil, is called before that.
func (f *fixture) tend(m *token.Manager, d time.Duration, each func()) {
	f.t.Helper()
	var listed []credential.Credential
	var at time.Time
	events := -1
	for start := time.Now(); time.Since(start) < d; time.Sleep(time.Second) {
		if each != nil {
			each()
		}
		f.mu.Lock()
		happened := len(f.events) != events
		events = len(f.events)
		f.mu.Unlock()
		if happened || time.Since(at) >= time.Minute {
			listed, at = nil, time.Now()
			for c, err := range f.store.List(context.Background()) {
				if err != nil {
					f.t.Fatal(err)
				}
				listed = append(listed, c)
			}
		}
		for _, c := range listed {
			m.Tend(c)
		}
	}
}

// In use: one refresh per expiry, in the time for it, and whoever
// reads never waits.
func TestTendInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		for n := range 30 {
			f.provider.script[n+1] = slowly(func() {})
		}
		start, read := time.Now(), time.Time{}
		f.tend(f.m, 16*time.Hour, func() {
			if time.Since(read) < 50*time.Minute {
				return
			}
			read = time.Now()
			if _, err := f.m.Token(t.Context(), key, 0); err != nil || time.Now() != read {
				t.Errorf("Token = %v after %v, want a token at once", err, time.Since(read))
			}
		})
		// Received 10 s late each, renewed between 5 min and 2:45 before the end.
		n := len(f.provider.seen())
		if n < 16 || n > 17 || f.provider.reuse != 0 || f.provider.overlap != 1 {
			t.Errorf("%d refreshes in 16 hours, reuse %d, overlap %d, want 16 or 17, 0, 1", n, f.provider.reuse, f.provider.overlap)
		}
		last := start
		for i := range n {
			age := f.provider.at(i).Sub(last)
			if age < 55*time.Minute || age > 57*time.Minute+16*time.Second {
				t.Errorf("refresh %d at the age of %v, want between 55 and 57 min 15 s", i+1, age)
			}
			last = f.provider.at(i).Add(10 * time.Second)
		}
	})
}

// Nobody reads: it is left to end, after the time in which somebody might have.
func TestTendIdle(t *testing.T) {
	for _, tt := range []struct {
		lifetime, inUse time.Duration
		sent            int
	}{
		{20 * time.Minute, time.Hour, 3}, // ends at 20, 36, 52, 68 min
		{time.Hour, 3 * time.Hour, 3},
	} {
		t.Run(tt.lifetime.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, tt.lifetime)
				f.tend(f.m, 6*time.Hour, nil)
				if got := len(f.provider.seen()); got != tt.sent {
					t.Errorf("%d refreshes of what nobody reads, want %d, in the first %v", got, tt.sent, tt.inUse)
				}
				if last := f.provider.at(tt.sent - 1); time.Since(last) < 6*time.Hour-tt.inUse {
					t.Errorf("last refresh %v ago, want none after %v", time.Since(last), tt.inUse)
				}
				// Read again, it is in use again.
				if _, err := f.m.Token(t.Context(), key, 0); err != nil {
					t.Fatal(err)
				}
				f.tend(f.m, tt.lifetime, nil)
				if got := len(f.provider.seen()); got != tt.sent+2 {
					t.Errorf("%d refreshes after a read, want %d: by the read, and one in the background", got, tt.sent+2)
				}
			})
		})
	}
}

// A refresh token that ends unused is renewed in time, used or not.
func TestTendKeepsAlive(t *testing.T) {
	const h = time.Hour
	for _, tt := range []struct {
		name      string
		endsIn    time.Duration // the refresh token's own end
		keepAlive time.Duration // what is known of the provider
		first     time.Duration // the first refresh after idleness began, about
	}{
		{"known end", 9 * h, 0, 6 * h},
		{"known of the provider", 0, 6 * h, 3 * h},
		{"nothing known", 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				c := f.credential(0) // without an end of its own, so that nothing else is due
				if tt.endsIn > 0 {
					c.RefreshExpiresAt = time.Now().Add(tt.endsIn)
				}
				seed(t, f.store, c)
				m := f.managerWith(token.Config{KeepAlive: func(credential.Credential) time.Duration { return tt.keepAlive }})
				start := time.Now()
				for time.Since(start) < 7*h { // in steps, hours being long
					m.Tend(f.stored())
					time.Sleep(time.Minute)
				}
				seen := f.provider.seen()
				if tt.first == 0 {
					f.wantSeen()
					return
				}
				if len(seen) == 0 {
					t.Fatal("nothing was kept alive")
				}
				if at := f.provider.at(0).Sub(start); at < tt.first || at > tt.first+2*time.Minute {
					t.Errorf("kept alive after %v, want %v", at, tt.first)
				}
				if want := int(7 * h / tt.first); len(seen) != want {
					t.Errorf("%d requests in 7 hours, want %d", len(seen), want)
				}
			})
		})
	}
}

// What is in the past anyway, by a server that never says it again, is no
// reason to renew every 30 s.
func TestTendAfterRefreshTokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.keep = true
		c := f.credential(0)
		c.RefreshExpiresAt = time.Now().Add(time.Hour)
		seed(t, f.store, c)
		f.provider.lifetime = 10 * 24 * 3600
		f.tend(f.m, 3*time.Hour, nil)
		if got := len(f.provider.seen()); got < 1 || got > 8 {
			t.Errorf("%d refreshes around the end of the refresh token, want a few", got)
		}
	})
}

// Many credentials of the same second do not come back in one.
func TestTendSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		const n = 40
		var mu sync.Mutex
		var at []time.Duration // guarded by mu
		start := time.Now()
		m := f.managerWith(token.Config{Renewers: map[credential.Kind]token.Renewer{
			credential.Refreshable: func(context.Context, credential.Credential) (*oauth.Token, error) {
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Since(start))
				return &oauth.Token{AccessToken: hide("at"), RefreshToken: hide("rt"), Lifetime: time.Hour}, nil
			},
		}})
		f.logout()
		for i := range n {
			c := f.credential(time.Hour)
			c.Key.Account = fmt.Sprintf("a%d", i)
			seed(t, f.store, c)
		}
		time.Sleep(54 * time.Minute)
		f.tend(m, 4*time.Minute, nil)
		mu.Lock()
		if len(at) != n {
			t.Fatalf("%d renewals, want %d", len(at), n)
		}
		// By chance over 135 s: some seconds between the quarters, at least.
		if at[0] < 55*time.Minute || at[n-1] > 57*time.Minute+16*time.Second || at[3*n/4]-at[n/4] < 15*time.Second {
			t.Errorf("renewed between %v and %v, the middle half within %v", at[0], at[n-1], at[3*n/4]-at[n/4])
		}

		// After a sleep all are due at once.
		at = nil
		mu.Unlock()
		f.clock.suspend(8 * time.Hour)
		woke := time.Since(start)
		f.tend(m, time.Minute, nil)
		mu.Lock()
		defer mu.Unlock()
		if len(at) != n || at[n-1]-woke < 8*time.Second || at[n-1]-woke > 12*time.Second {
			t.Fatalf("%d renewals, the last %v after waking, want %d within 8 to 12 s", len(at), at[len(at)-1]-woke, n)
		}
	})
}

// A provider that hangs holds up four and no more, and no reader.
func TestTendBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		var mu sync.Mutex
		running, most := 0, 0
		enter := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			running += n
			most = max(most, running)
		}
		m := f.managerWith(token.Config{Renewers: map[credential.Kind]token.Renewer{
			credential.Refreshable: func(ctx context.Context, c credential.Credential) (*oauth.Token, error) {
				enter(1)
				time.Sleep(20 * time.Second)
				enter(-1)
				return &oauth.Token{AccessToken: hide("at"), RefreshToken: hide("rt"), Lifetime: time.Hour}, nil
			},
		}})
		for i := range 20 {
			c := f.credential(time.Hour)
			c.Key.Account = fmt.Sprintf("a%d", i)
			seed(t, f.store, c)
		}
		time.Sleep(time.Hour)
		f.tend(m, 5*time.Second, nil)
		mu.Lock()
		if most != 4 {
			t.Errorf("%d at once in the background, want 4", most)
		}
		mu.Unlock()
		start := time.Now()
		if _, err := m.Token(t.Context(), credential.Key{Provider: "acme", Account: "a9"}, 0); err != nil || time.Since(start) != 20*time.Second {
			t.Errorf("Token = %v after %v, want the provider's 20 s", err, time.Since(start))
		}
	})
}

// However quick the provider is, four begin in a second.
func TestTendBoundsStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		f.provider.keep = true
		var due []credential.Credential
		for i := range 20 {
			c := f.credential(time.Hour)
			c.Key.Account = fmt.Sprintf("a%d", i)
			due = append(due, seed(t, f.store, c))
		}
		time.Sleep(time.Hour)
		for second := range 3 {
			for _, c := range due {
				f.m.Tend(c)
				synctest.Wait()
			}
			if got, want := len(f.provider.seen()), 4*(second+1); got != want {
				t.Errorf("%d renewals in second %d, want %d", got, second+1, want)
			}
			time.Sleep(time.Second)
		}
	})
}

// R16 and sleep, with nobody reading: one refresh at most for each jump.
func TestTendClockJumps(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name string
		jump func(*clock)
		sent int // in 3 h, of which an hour is after the jump
	}{
		{"none", func(*clock) {}, 3},
		{"back a day", func(c *clock) { c.setWall(-day) }, 3},
		{"forward a day", func(c *clock) { c.setWall(day) }, 4},
		{"forward and back", func(c *clock) {
			c.setWall(day)
			time.AfterFunc(30*time.Minute, func() { c.setWall(-day) })
		}, 4},
		{"asleep for a night", func(c *clock) { c.suspend(8 * time.Hour) }, 4},
		{"rebooted without a clock, set an hour later", func(c *clock) {
			const back = -56 * 365 * day
			c.reboot()
			c.setWall(back)
			time.AfterFunc(time.Hour, func() { c.setWall(-back) })
		}, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				f.want(f.m, 0, "at-1")
				time.AfterFunc(80*time.Minute, func() { tt.jump(f.clock) })
				f.tend(f.m, 3*time.Hour-time.Minute, nil)
				// Without a jump at about 56, 112, and 168 min.
				if got := len(f.provider.seen()); got > tt.sent || got < tt.sent-1 {
					t.Errorf("%d refreshes in three hours, want %d at most", got, tt.sent)
				}
				if f.provider.reuse != 0 {
					t.Errorf("reuse = %d", f.provider.reuse)
				}
			})
		})
	}
}

// What needs a login, or has no refresh token, is left alone, and so is a
// provider in trouble, more and more.
func TestTendLeavesAlone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*credential.Credential)
	}{
		{"refused", func(c *credential.Credential) { c.State, c.Cause = credential.NeedsLogin, credential.CauseRefused }},
		{"provider changed", func(c *credential.Credential) {
			c.State, c.Cause = credential.NeedsLogin, credential.CauseProviderChanged
		}},
		{"no refresh token", func(c *credential.Credential) { c.RefreshToken = hide("") }},
		{"no end", func(c *credential.Credential) { c.Lifetime = 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, time.Hour)
				c := f.stored()
				tt.change(&c)
				if _, err := f.store.Update(t.Context(), c, c.Generation); err != nil {
					t.Fatal(err)
				}
				f.store.Intercept(func(op string, _ credential.Key) error {
					if op == "BeginRotation" {
						t.Error("a rotation began")
					}
					return nil
				})
				f.tend(f.m, 2*time.Hour, nil)
				f.wantSeen()
				f.store.Intercept(nil)
			})
		})
	}
}

func TestTendBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		for n := range 200 {
			f.provider.script[n+1] = says(401, nil, `{"error":"invalid_client"}`)
		}
		time.Sleep(time.Hour)
		f.tend(f.m, time.Hour, nil)
		if got := len(f.provider.seen()); got < 10 || got > 20 {
			t.Errorf("%d requests in an hour of trouble, want one every five minutes after the first few", got)
		}
	})
}

// The tokens of R19 are not renewed in a hot loop, by readers and background
// together.
func TestTendSpacing(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Second, 3 * time.Second, 20 * time.Second} {
		t.Run(lifetime.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, lifetime)
				f.tend(f.m, time.Minute, nil)
				most := int(time.Minute / token.Spacing(lifetime) / 2)
				if got := len(f.provider.seen()); got > most || got < 2 {
					t.Errorf("%d refreshes in a minute, want up to %d", got, most)
				}
			})
		})
	}
}

// A listing from before a renewal, or after Close, starts nothing.
func TestTendLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		m := f.manager()
		time.Sleep(time.Hour)
		listed := f.stored()
		f.want(m, 0, "at-2")
		m.Tend(listed)
		synctest.Wait()
		if got := len(f.reports()); got != 1 {
			t.Errorf("%d rotations, want 1", got)
		}
		time.Sleep(time.Hour)
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.Tend(f.stored())
		synctest.Wait()
		f.wantSeen("rt-1")
	})
}

// The tool's file is kept in step for a credential that nobody reads.
func TestTendShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := newSharing(t, 24*time.Hour)
		f.tend(f.m, 5*time.Minute, nil)
		o.removes()
		f.tend(f.m, 5*time.Second, nil)
		o.want("1")
		o.has("2", time.Now().Add(time.Hour))
		f.tend(f.m, 5*time.Second, nil)
		if c := f.stored(); c.RefreshToken.Reveal() != "rt-2" {
			t.Errorf("stored %s, want the tool's rt-2", c.RefreshToken.Reveal())
		}
		f.wantSeen()
		f.wantEvents(token.ShareRestored, token.Adopted)
		// In step, nothing is locked, and the file is not touched.
		f.store.Intercept(func(op string, _ credential.Key) error {
			if op == "BeginRotation" {
				t.Error("a rotation began")
			}
			return nil
		})
		f.tend(f.m, 5*time.Minute, nil)
		f.store.Intercept(nil)
	})
}
