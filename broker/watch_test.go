package broker_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/sandbox"
)

// inTheBubble gives a broker the clock of the bubble.
func inTheBubble(c *broker.Config) { c.Clock = bubbleClock{} }

// A daemon renews what it has in time, before anybody has to wait for it, unless
// it is told not to; a command never does.
func TestBackgroundRefresh(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*broker.Config)
		want   int
	}{
		"daemon":           {func(c *broker.Config) { c.Daemon = true }, 1},
		"daemon on demand": {func(c *broker.Config) { c.Daemon, c.OnDemand = true, true }, 0},
		"command":          {func(*broker.Config) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, sandbox.Config{TokenLifetime: 5 * time.Minute}, func(t *testing.T, w *world) {
				b := w.broker(inTheBubble, tt.change)
				w.login(b, "sandbox")
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if n := w.as.Record().RefreshRequests; n != tt.want {
					t.Errorf("%d refresh requests, want %d", n, tt.want)
				}
			})
		})
	}
}

// What a provider's file says of refresh tokens that nobody uses is heeded.
func TestKeepAlive(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: 24 * time.Hour}, func(t *testing.T, w *world) {
		if err := os.WriteFile(filepath.Join(w.dir, "sandbox.toml"), []byte(`keep_alive = "20m"`), 0o600); err != nil {
			t.Fatal(err)
		}
		b := w.broker(inTheBubble, func(c *broker.Config) { c.Daemon = true })
		w.login(b, "sandbox")
		for _, want := range []int{0, 1} {
			time.Sleep(6 * time.Minute)
			synctest.Wait()
			if n := w.as.Record().RefreshRequests; n != want {
				t.Errorf("%d refresh requests, want %d", n, want)
			}
		}
	})
}

// An orphaned store has a token that belongs to nobody, again after each sweep.
type orphanedStore struct {
	credential.Store
	orphan    credential.Credential
	discarded atomic.Int32
}

func (s *orphanedStore) Orphans(context.Context) ([]credential.Orphan, error) {
	return []credential.Orphan{{Credential: s.orphan, Discard: func(context.Context) error {
		s.discarded.Add(1)
		return nil
	}}}, nil
}

// A daemon revokes what nobody owns at its start, and once an hour.
func TestOrphansAreRevoked(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: 24 * time.Hour}, func(t *testing.T, w *world) {
		w.login(w.broker(inTheBubble), "sandbox/lost")
		lost, err := w.store.Get(t.Context(), credential.Key{Provider: "sandbox", Account: "lost"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.Delete(t.Context(), lost.Key, lost.Generation); err != nil {
			t.Fatal(err)
		}
		orphans := &orphanedStore{Store: w.store, orphan: lost}
		w.broker(inTheBubble, func(c *broker.Config) { c.Daemon, c.Store = true, orphans })
		for want := int32(1); ; want++ {
			synctest.Wait()
			if got := orphans.discarded.Load(); got != want {
				t.Errorf("%d orphans are discarded, want %d", got, want)
			}
			if got := w.as.Record().Revocations; int32(got) != want {
				t.Errorf("%d revocations, want %d", got, want)
			}
			if want == 2 {
				break
			}
			time.Sleep(time.Hour)
		}
	})
}

// What another process logs out of is gone here within a second.
func TestLogoutBesideADaemon(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		daemon := w.broker(inTheBubble, func(c *broker.Config) { c.Daemon = true })
		cli := w.broker(inTheBubble)
		w.login(daemon, "sandbox")
		for _, b := range []*broker.Broker{daemon, cli} {
			if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); err != nil {
				t.Fatal(err)
			}
		}
		key := credential.Key{Provider: "sandbox", Account: credential.DefaultAccount}
		if err := w.store.Delete(t.Context(), key, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, b := range []*broker.Broker{daemon, cli} {
			if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); code(err) != api.CodeLoginNeeded {
				t.Errorf("Token after the logout: %v", err)
			}
		}
	})
}
