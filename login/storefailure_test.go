package login_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
)

// oddStore is a store whose writes can go wrong in the middle.
type oddStore struct {
	credential.Store
	settle func(l credential.Login, c credential.Credential) (credential.Login, credential.Credential, error)
	update func(l credential.Login, v uint64) (credential.Login, error)
}

func (s *oddStore) Settle(ctx context.Context, l credential.Login, c credential.Credential) (credential.Login, credential.Credential, error) {
	if s.settle != nil {
		return s.settle(l, c)
	}
	return s.Store.Settle(ctx, l, c)
}

func (s *oddStore) UpdateLogin(ctx context.Context, l credential.Login, v uint64) (credential.Login, error) {
	if s.update != nil {
		return s.update(l, v)
	}
	return s.Store.UpdateLogin(ctx, l, v)
}

var errDisk = errors.New("disk full")

// diskFills makes the store refuse every settle and every change of a login,
// from the first operation called op on. Intercept(nil) makes room again.
func (b *bench) diskFills(op string) {
	var mu sync.Mutex
	full := false
	b.store.Intercept(func(now string, _ credential.Key) error {
		mu.Lock()
		defer mu.Unlock()
		full = full || now == op
		if full && (now == "Settle" || now == "UpdateLogin") {
			return errDisk
		}
		return nil
	})
}

func TestStartThatCouldNotBeRecordedDoesNotBlockTheKey(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry(adopting)
		b.diskFills("UpdateLogin")
		if _, _, err := r.Start(t.Context(), login.Request{Key: key}); !errors.Is(err, errDisk) {
			t.Errorf("Start: %v", err)
		}
		b.store.Intercept(nil)
		began := time.Now()
		s, joined, err := r.Start(t.Context(), login.Request{Key: key})
		if err != nil || joined || time.Since(began) > time.Second {
			t.Fatalf("second Start: joined %v, %v after %v", joined, err, time.Since(began))
		}
		b.wait(r, s.ID)
	})
}

// The end was told while the disk was full; when it recovers, that end is
// stored, and nothing that happens later contradicts it.
func TestEndThatCouldNotBeStoredIsStoredLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry(adopting)
		s := b.start(r)
		b.diskFills("Settle")
		if end := b.wait(r, s.ID); end.Status() != credential.LoginFailed {
			t.Errorf("ended as %+v", end.Login)
		}
		b.store.Intercept(nil)
		time.Sleep(2 * time.Second)
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Status() != credential.LoginFailed {
			t.Errorf("stored %+v, %v", l, err)
		}
		time.Sleep(login.Grace + time.Minute)
		if c, err := b.store.Get(t.Context(), key); err == nil {
			t.Errorf("a failed login stored %+v", c)
		}
		b.wantEvents(login.Started, login.Failed, login.LostSuccess)
	})
}

// A process that ends while the disk is still full leaves the token in the
// login's record, unrevoked: the next one finishes.
func TestTokenThatIsStillInItsRecordIsNotRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		s := b.start(r)
		b.diskFills("Settle")
		b.wait(r, s.ID)
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.store.Intercept(nil)
		if types := b.types(); slices.Contains(types, login.LostSuccess) {
			t.Errorf("events %v: the token was given up", types)
		}
		next := b.registry(silent)
		if _, _, err := next.Start(t.Context(), login.Request{Key: key}); err != nil {
			t.Fatal(err)
		}
		if end := b.wait(next, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
	})
}

// Only the second half of the settle fails, for good.
func TestCredentialThatIsInItsPlaceIsNotRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		odd := &oddStore{Store: b.store}
		r := b.registry(func(c *login.Config) { c.Store = odd })
		first := b.start(r) // so that there is something to update
		b.wait(r, first.ID)
		odd.settle = func(l credential.Login, c credential.Credential) (credential.Login, credential.Credential, error) {
			now, err := b.store.Get(t.Context(), l.Key)
			if err == nil && now.Grant != l.ID {
				c.Grant = l.ID
				_, err = b.store.Update(t.Context(), c, now.Generation)
			}
			if err != nil {
				t.Error(err)
			}
			return credential.Login{}, credential.Credential{}, errDisk
		}
		s := b.start(r)
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
		b.wantEvents(login.Started, login.Authorized, login.Started, login.Authorized)
		time.Sleep(2 * time.Second)
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Status() != credential.LoginAuthorized {
			t.Errorf("stored %+v, %v", l, err)
		}
	})
}

// A write can be durable although the store reports a failure.
func TestWritesThatFailedAfterAllWasWritten(t *testing.T) {
	for name, spoil := range map[string]func(b *bench, odd *oddStore){
		"persisting": func(b *bench, odd *oddStore) {
			spoilt := false
			odd.update = func(l credential.Login, v uint64) (credential.Login, error) {
				stored, err := b.store.UpdateLogin(b.t.Context(), l, v)
				if err == nil && l.Status() == credential.LoginPersisting && !spoilt {
					spoilt, err = true, errDisk
				}
				return stored, err
			}
		},
		"settling": func(b *bench, odd *oddStore) {
			spoilt := false
			odd.settle = func(l credential.Login, c credential.Credential) (credential.Login, credential.Credential, error) {
				l, c, err := b.store.Settle(b.t.Context(), l, c)
				if err == nil && !spoilt {
					spoilt, err = true, errDisk
				}
				return l, c, err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBench(t, won)
				odd := &oddStore{Store: b.store}
				spoil(b, odd)
				r := b.registry(func(c *login.Config) { c.Store = odd })
				s := b.start(r)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if end, err := r.Wait(ctx, s.ID); err != nil || end.Status() != credential.LoginAuthorized {
					t.Errorf("Wait = %+v, %v", end.Login, err)
				}
				b.wantEvents(login.Started, login.Authorized)
				if c := b.events[len(b.events)-1].Credential; c == nil || c.Grant != s.ID {
					t.Errorf("the event carries %+v", c)
				}
			})
		})
	}
}

func TestCancelledLoginHasNoFailureThoughTheStoreFailed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		s := b.start(r)
		var mu sync.Mutex
		asked := false
		b.store.Intercept(func(op string, _ credential.Key) error {
			mu.Lock()
			defer mu.Unlock()
			if op == "Settle" || op == "UpdateLogin" && asked {
				return errDisk
			}
			return nil
		})
		time.Sleep(6 * time.Second)
		if _, err := r.Cancel(t.Context(), s.ID, "cli-B"); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		asked = true
		mu.Unlock()
		if end := b.wait(r, s.ID); end.Status() != credential.LoginCancelled || end.Failure() != (credential.Failure{}) {
			t.Errorf("ended as %+v, failure %+v", end.Login, end.Failure())
		}
	})
}

// The end was told, but the record still waits to be settled: a logout must
// reach it.
func TestLogoutReachesALoginWhoseEndIsNotStored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		s := b.start(r)
		b.diskFills("Settle")
		b.wait(r, s.ID)
		b.store.Intercept(nil)
		if _, err := r.Supersede(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.registry(adopting, silent)
		time.Sleep(time.Minute)
		if c, err := b.store.Get(t.Context(), key); err == nil {
			t.Errorf("after the logout there is %+v", c)
		}
	})
}
