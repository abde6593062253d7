package broker_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/sandbox"
)

// lateStore lists a second late, and takes longer than that to say that it has
// settled.
type lateStore struct{ credential.Store }

func (s lateStore) List(ctx context.Context) iter.Seq2[credential.Credential, error] {
	time.Sleep(time.Second)
	return s.Store.List(ctx)
}

func (s lateStore) Settle(ctx context.Context, l credential.Login, c credential.Credential) (credential.Login, credential.Credential, error) {
	l, c, err := s.Store.Settle(ctx, l, c)
	time.Sleep(2 * time.Second)
	return l, c, err
}

// A credential that a daemon finishes to store as soon as it runs is news,
// though it was there at the first look.
func TestCredentialThatIsStoredAtTheStartIsTold(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		key := credential.Key{Provider: "sandbox", Account: credential.DefaultAccount}
		now := time.Now()
		_, err := w.store.CreateLogin(t.Context(), credential.Login{
			ID: "left-behind", Key: key, Method: credential.MethodDevice, Owner: "dead",
			Interval: time.Second, CreatedAt: now.Add(-time.Minute), ExpiresAt: now.Add(time.Hour),
			State: credential.Persisting{Won: credential.Credential{
				Key: key, Kind: credential.Refreshable, State: credential.Active, Received: credential.Instant{Wall: now}, Lifetime: time.Hour,
			}},
		}, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := w.broker(func(c *broker.Config) { c.Daemon, c.Store = true, lateStore{w.store} })
		events := b.Events().Subscribe("x") // whatever has been told by now
		time.Sleep(10 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		told := map[string]int{}
		for {
			e, err := events.Next(ctx)
			if err != nil {
				break
			}
			told[e.Type]++
		}
		if told[api.EventLoginAuthorized] != 1 || told[api.EventCredentialStored] != 1 {
			t.Errorf("told %v, want that the login is authorized and the credential stored", told)
		}
	})
}

// A login that begins when the one before is stored and not yet told of does
// not keep its credential from being told.
func TestCredentialIsToldWhenTheNextLoginBegins(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		b := w.broker(func(c *broker.Config) { c.Store = lateStore{w.store} })
		events := b.Events().Subscribe("")
		key := credential.Key{Provider: "sandbox", Account: credential.DefaultAccount}
		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		for found := false; !found; {
			time.Sleep(100 * time.Millisecond)
			_, err := w.store.Get(t.Context(), key)
			found = err == nil
		}
		if _, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.WaitLogin(t.Context(), l.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // whatever else was begun has ended
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		told := map[uint64]int{}
		for {
			e, err := events.Next(ctx)
			if err != nil {
				break
			}
			if e.Type == api.EventCredentialStored {
				told[e.Credential.Generation]++
			}
		}
		if told[1] != 1 {
			t.Errorf("generations told of, and how often: %v, want the first one once", told)
		}
	})
}
