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
