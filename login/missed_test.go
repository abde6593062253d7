package login_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
)

// parkFirst parks the next operation called op of the store until it is told to
// go on; those after it pass.
func parkFirst(b *bench, op string) (reached <-chan struct{}, open func()) {
	next, gate := make(chan struct{}, 1), make(chan struct{})
	reach := make(chan struct{})
	next <- struct{}{}
	b.store.Intercept(func(now string, _ credential.Key) error {
		if now != op {
			return nil
		}
		select {
		case <-next:
			close(reach)
			<-gate
		default:
		}
		return nil
	})
	return reach, func() { close(gate) }
}

// A change that came while the login was busy here is not forgotten.
func TestChangeOfABusyLoginIsSeenLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		cli, daemon := b.registry(silent), b.registry(adopting)
		s := b.start(cli)
		time.Sleep(1500 * time.Millisecond)
		b.wantEvents(login.Started)
		reached, open := parkFirst(b, "ClaimLogin")
		go func() { _, _, _ = daemon.Start(t.Context(), login.Request{Key: key}) }()
		<-reached // the joiner looks whether the owner lives
		if _, err := cli.Cancel(t.Context(), s.ID, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		open()
		time.Sleep(3 * time.Second)
		b.wantEvents(login.Started, login.Cancelled)
		if got, err := daemon.Get(t.Context(), s.ID); err != nil || got.Live() {
			t.Errorf("the daemon knows %+v, %v", got.State, err)
		}
	})
}

// Nor is a record that was removed meanwhile.
func TestBusyLoginThatIsGoneEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		cli, daemon := b.registry(silent), b.registry(adopting)
		s := b.start(cli)
		time.Sleep(1500 * time.Millisecond)
		reached, open := parkFirst(b, "ClaimLogin")
		go func() { _, _, _ = daemon.Start(t.Context(), login.Request{Key: key}) }()
		<-reached
		if _, err := cli.Cancel(t.Context(), s.ID, ""); err != nil {
			t.Fatal(err)
		}
		if err := b.store.DeleteLogin(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		open()
		time.Sleep(3 * time.Second)
		if got, err := daemon.Get(t.Context(), s.ID); err != nil || got.Live() {
			t.Errorf("the daemon knows %+v, %v", got.State, err)
		}
	})
}

// slowReader hands logins out late: what it read may be old by then.
type slowReader struct {
	credential.Store
	read, open chan struct{}
}

func (s *slowReader) GetLogin(ctx context.Context, id string) (credential.Login, error) {
	l, err := s.Store.GetLogin(ctx, id)
	select {
	case s.read <- struct{}{}:
		<-s.open
	default:
	}
	return l, err
}

// A login that ends between its being read and its being watched has ended for
// whoever waits for it.
func TestLoginThatEndsBeforeItIsWatched(t *testing.T) {
	for name, adopt := range map[string]bool{"daemon": true, "command": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBench(t, pending)
				cli := b.registry(silent)
				other := login.Request{Key: credential.Key{Provider: "other", Account: "default"}}
				slow := &slowReader{Store: b.store, read: make(chan struct{}), open: make(chan struct{})}
				r := b.registry(silent, func(c *login.Config) { c.Store, c.Adopt = slow, adopt })
				if _, _, err := r.Start(t.Context(), other); err != nil { // so that it follows the store
					t.Fatal(err)
				}
				time.Sleep(1500 * time.Millisecond)
				s := b.start(cli)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				ended := make(chan error, 1)
				go func() { _, err := r.Wait(ctx, s.ID); ended <- err }()
				<-slow.read
				if _, err := cli.Cancel(t.Context(), s.ID, ""); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
				close(slow.open)
				began := time.Now()
				if err := <-ended; err != nil || time.Since(began) > 2*time.Second {
					t.Errorf("Wait: %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// The process that an answer was brought to settles the login, and does not
// take it for one that nobody looks after.
func TestCodeLoginIsSettledOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, _, registry := codeBench(t)
		r := registry(adopting)
		s := startCode(t, registry(silent))
		time.Sleep(1500 * time.Millisecond)
		reached, open := parkFirst(b, "Settle")
		done := completed(t, r, s.ID, redirected(t, s))
		<-reached
		time.Sleep(5 * time.Second)
		open()
		if err := <-done; err != nil {
			t.Errorf("Complete: %v", err)
		}
		time.Sleep(5 * time.Second)
		b.wantEvents(login.Started, login.Authorized)
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Version != 5 {
			t.Errorf("stored as %+v, %v, want version 5: starting, awaiting, exchanging, persisting, authorized", l, err)
		}
	})
}

// A start that was stored though it was reported as failed is ended: nobody is
// at work on it, and it would keep everybody from logging in.
func TestStartThatFailedAfterItWasStored(t *testing.T) {
	for name, adopt := range map[string]bool{"daemon": true, "command": false} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBench(t, won)
				odd := &halfCreated{Store: b.store}
				r := b.registry(silent, func(c *login.Config) { c.Store, c.Adopt = odd, adopt })
				odd.fails = true
				if _, _, err := r.Start(t.Context(), login.Request{Key: key}); !errors.Is(err, errDisk) {
					t.Fatalf("Start: %v", err)
				}
				odd.fails = false
				began := time.Now()
				s, joined, err := r.Start(t.Context(), login.Request{Key: key})
				if err != nil || joined || time.Since(began) > 2*time.Second {
					t.Fatalf("second Start: joined %v, %v after %v", joined, err, time.Since(began))
				}
				b.wait(r, s.ID)
			})
		})
	}
}

// halfCreated stores a login and reports that it could not.
type halfCreated struct {
	credential.Store
	fails bool
}

func (s *halfCreated) CreateLogin(ctx context.Context, l credential.Login, most int) (credential.Login, error) {
	stored, err := s.Store.CreateLogin(ctx, l, most)
	if s.fails && err == nil {
		return credential.Login{}, errDisk
	}
	return stored, err
}

// A process that stopped in the middle of a change holds up the store for
// everybody, but neither the end of a login nor a stop for ever.
func TestStoreThatIsLockedForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := t.TempDir()
		store, err := filestore.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, pending, answer(oauth.ErrorAccessDenied))
		r := b.registry(func(c *login.Config) { c.Store, c.Adopt = store, true })
		s := b.start(r)
		lock, err := filelock.Acquire(t.Context(), filepath.Join(dir, "logins", "lock"))
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if end, err := r.Wait(ctx, s.ID); err != nil || end.Status() != credential.LoginDenied {
			t.Errorf("ended as %+v, %v", end.State, err)
		}
		asked, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		other := login.Request{Key: credential.Key{Provider: "other", Account: "default"}}
		if _, _, err := r.Start(asked, other); err == nil || asked.Err() != nil {
			t.Errorf("Start: %v", err)
		}
		began := time.Now()
		closing, over := context.WithTimeout(t.Context(), time.Second)
		defer over()
		if err := r.Close(closing); err != nil || time.Since(began) > time.Minute {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
	})
}

// What a store takes long for holds up nobody who only wants to look.
func TestOwnerThatTakesLongHoldsUpNobodyElse(t *testing.T) {
	b := newBench(t, pending)
	reached, open := parkFirst(b, "NewOwner")
	r := b.registry()
	started := make(chan error, 1)
	go func() { _, _, err := r.Start(t.Context(), login.Request{Key: key}); started <- err }()
	<-reached
	looked := make(chan error, 1)
	go func() { _, err := r.List(t.Context()); looked <- err }()
	go func() { _, err := r.Get(t.Context(), "unknown"); looked <- err }()
	for range 2 {
		select {
		case <-looked:
		case <-time.After(10 * time.Second):
			t.Error("List and Get wait for the owner")
		}
	}
	open()
	if err := <-started; err != nil {
		t.Errorf("Start: %v", err)
	}
}

// The daemon is looking whether the owner of a start lives when that is
// through: who joins it is shown the code all the same.
func TestJoinerOfABusyStartIsShownTheCode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.provider.begin = make(chan struct{})
		daemon, cli := b.registry(adopting, silent), b.registry(silent)
		go func() { _, _, _ = cli.Start(t.Context(), login.Request{Key: key}) }()
		time.Sleep(500 * time.Millisecond)
		type result struct {
			s   login.Snapshot
			err error
		}
		joined := make(chan result, 1)
		go func() {
			s, _, err := daemon.Start(t.Context(), login.Request{Key: key})
			joined <- result{s, err}
		}()
		time.Sleep(200 * time.Millisecond)
		reached, open := parkFirst(b, "ClaimLogin")
		<-reached
		close(b.provider.begin)
		time.Sleep(time.Second)
		open()
		if got := <-joined; got.err != nil || userCode(got.s) == "" {
			t.Errorf("joined as %+v, %v", got.s.Login, got.err)
		}
	})
}

// A stop does not wait for all that there is to sweep.
func TestCloseDuringASweep(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry(adopting, silent)
		for i := range 20 {
			s, _, err := r.Start(t.Context(), login.Request{Key: credential.Key{Provider: "test", Account: fmt.Sprint(i)}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Cancel(t.Context(), s.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
		sweeping := make(chan struct{}, 20)
		b.store.Intercept(func(op string, _ credential.Key) error {
			if op == "DeleteLogin" {
				sweeping <- struct{}{}
				time.Sleep(10 * time.Second)
			}
			return nil
		})
		<-sweeping
		began := time.Now()
		if err := r.Close(t.Context()); err != nil || time.Since(began) > 11*time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(began))
		}
	})
}
