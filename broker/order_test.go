package broker_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/sandbox"
)

// slowStore parks lists between reading and handing out, and knows contexts.
type slowStore struct {
	credential.Store
	park chan chan struct{} // nil: no parking
}

func (s *slowStore) List(ctx context.Context) iter.Seq2[credential.Credential, error] {
	return func(yield func(credential.Credential, error) bool) {
		var all []credential.Credential
		for c, err := range s.Store.List(ctx) {
			if err == nil {
				all = append(all, c)
			}
		}
		select {
		case release := <-s.park:
			<-release
		default:
		}
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (s *slowStore) Delete(ctx context.Context, key credential.Key, generation uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, generation)
}

// eventsUntilNow returns the types of all events that sub has.
func eventsUntilNow(t *testing.T, b *broker.Broker, after string) []string {
	t.Helper()
	sub := b.Events().Subscribe(after)
	var types []string
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		e, err := sub.Next(ctx)
		cancel()
		if err != nil {
			return types
		}
		types = append(types, e.Type)
	}
}

// The daemon reads the credentials, one of them is logged out, and then it
// looks at what it read.
func TestRemovedCredentialIsNotToldAsStoredAgain(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		slow := &slowStore{Store: w.store, park: make(chan chan struct{})}
		b := w.broker(func(c *broker.Config) { c.Daemon, c.Store = true, slow })
		w.login(b, "sandbox")
		time.Sleep(1100 * time.Millisecond)
		mark := b.Events().Append(api.Event{Type: "mark"}).ID
		release := make(chan struct{})
		slow.park <- release
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		close(release)
		time.Sleep(3 * time.Second)
		if got := eventsUntilNow(t, b, mark); !slices.Equal(got, []string{api.EventCredentialRemoved}) {
			t.Errorf("events %v", got)
		}
		w.login(b, "sandbox")
		if got := eventsUntilNow(t, b, mark); !slices.Contains(got, api.EventCredentialStored) {
			t.Errorf("a new login is not told: %v", got)
		}
	})
}

func TestLogoutIsToldByABrokerThatDidNotLogIn(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		w.login(w.broker(), "sandbox")
		b := w.broker()
		sub := b.Events().Subscribe("")
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if e, err := sub.Next(ctx); err != nil || e.Type != api.EventCredentialRemoved || e.Credential.Generation != 2 {
			t.Errorf("event %+v, %v", e, err)
		}
	})
}

// hanging is a provider whose polls last until they are let go.
type hanging struct {
	plain
	release chan struct{}
}

func (h *hanging) Poll(ctx context.Context, _ credential.DeviceGrant) (*oauth.Token, error) {
	select {
	case <-h.release:
	case <-ctx.Done():
	}
	return nil, &oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindTimeout}
}

func TestCloseTakesNoNewWork(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Minute}, func(t *testing.T, w *world) {
		h := &hanging{release: make(chan struct{})}
		b := w.broker(func(c *broker.Config) { c.InProcess = map[string]login.Provider{"plain": h} })
		w.login(b, "sandbox")
		if _, err := b.StartLogin(t.Context(), api.StartLogin{Key: "plain"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		closed := make(chan error, 1)
		go func() { closed <- b.Close(t.Context()) }()
		synctest.Wait()
		if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox", MinTTL: 3600}); code(err) != api.CodeDaemonStopping {
			t.Errorf("Token while closing: %v", err)
		}
		if _, err := b.StartLogin(t.Context(), api.StartLogin{Key: "plain"}); code(err) != api.CodeDaemonStopping {
			t.Errorf("StartLogin while closing: %v", err)
		}
		close(h.release)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// Once its tokens are revoked a credential must not stay, even if whoever
// asked has gone away meanwhile.
func TestLogoutIsFinishedThoughItsCallerIsGone(t *testing.T) {
	faults := sandbox.Faults{{Endpoint: "revoke", Do: sandbox.Action{DelayMS: 2000}}}
	inWorld(t, sandbox.Config{Faults: faults}, func(t *testing.T, w *world) {
		b := w.broker(func(c *broker.Config) { c.Store = &slowStore{Store: w.store} })
		w.login(b, "sandbox")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // after one of two revocations
		defer cancel()
		out, err := b.Logout(ctx, api.LogoutRequest{Key: "sandbox"})
		if err != nil || !out.Removed {
			t.Errorf("Logout = %+v, %v", out, err)
		}
		if all, err := b.Credentials(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("left %+v, %v", all, err)
		}
	})
}
