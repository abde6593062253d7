package login_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/sandbox"
)

func TestCancelEndsAPendingLogin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		s := b.start(r)
		got, err := r.Cancel(t.Context(), s.ID, "cli-B")
		if err != nil || got.Status() != credential.LoginCancelled || userCode(got) != "" {
			t.Errorf("Cancel: %+v, %v", got.Login, err)
		}
		if again, err := r.Cancel(t.Context(), s.ID, "cli-C"); err != nil || again.Status() != credential.LoginCancelled {
			t.Errorf("second Cancel: %+v, %v", again.Login, err)
		}
		time.Sleep(time.Minute)
		if n := b.provider.pollCount(); n != 0 {
			t.Errorf("%d polls after the cancel", n)
		}
		b.wantEvents(login.Started, login.Cancelled)
		if by := b.events[1].By; by != "cli-B" {
			t.Errorf("cancelled by %q, want the canceller", by)
		}
		if _, err := r.Cancel(t.Context(), "nope", ""); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("Cancel of an unknown login: %v", err)
		}
	})
}

// A poll is on its way when the login is cancelled, and brings a token home.
func TestTokenThatArrivesAfterACancelIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		b.provider.park = make(chan struct{})
		r := b.registry()
		s := b.start(r)
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		if _, err := r.Cancel(t.Context(), s.ID, ""); err != nil {
			t.Fatal(err)
		}
		close(b.provider.park)
		synctest.Wait()
		if _, err := b.store.Get(t.Context(), key); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("a cancelled login stored its credential: %v", err)
		}
		b.wantEvents(login.Started, login.Cancelled, login.LostSuccess)
	})
}

// gate parks the store's operation op until it is opened, and then lets it
// fail with err if that is not nil.
type gate struct {
	op     string
	reach  chan struct{}
	open   chan struct{}
	always error
}

func newGate(b *bench, op string) *gate {
	g := &gate{op: op, reach: make(chan struct{}, 100), open: make(chan struct{})}
	b.store.Intercept(func(op string, _ credential.Key) error {
		if op != g.op {
			return nil
		}
		g.reach <- struct{}{}
		<-g.open
		return g.always
	})
	return g
}

func TestCancelWhilePersistingKeepsTheToken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		g := newGate(b, "Settle")
		s := b.start(r)
		<-g.reach
		cancelled := make(chan error, 1)
		go func() { _, err := r.Cancel(t.Context(), s.ID, "cli-B"); cancelled <- err }()
		synctest.Wait()
		close(g.open)
		if err := <-cancelled; err != nil {
			t.Errorf("Cancel: %v", err)
		}
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
		b.wantEvents(login.Started, login.CancelDeferred, login.Authorized)
	})
}

func TestStoreThatFailsEndsInPersistFailed(t *testing.T) {
	// What is still in the login's record is given up only after its end is
	// stored; what never got there is lost at once.
	for op, want := range map[string][]login.EventType{
		"Settle":      {login.Started, login.Failed, login.LostSuccess},
		"UpdateLogin": {login.Started, login.LostSuccess, login.Failed},
	} {
		inBubble(t, func(t *testing.T) {
			b := newBench(t, won)
			r := b.registry()
			s := b.start(r)
			g := newGate(b, op)
			g.always = errors.New("disk full")
			close(g.open)
			began := time.Now()
			end := b.wait(r, s.ID)
			if end.Status() != credential.LoginFailed || end.Failure().Code != login.FailurePersist || end.Failure().FromProvider {
				t.Errorf("%s fails: ended as %+v", op, end.Login)
			}
			if took := time.Since(began); took < 30*time.Second || took > 45*time.Second {
				t.Errorf("%s fails: gave up after %v", op, took)
			}
			// The end stands even where the store cannot be told.
			if got, err := r.Get(t.Context(), s.ID); err != nil || got.Status() != credential.LoginFailed {
				t.Errorf("%s fails: Get = %+v, %v", op, got.Login, err)
			}
			synctest.Wait()
			b.wantEvents(want...)
		})
	}
}

func TestStoreThatRecoversKeepsTheToken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		s := b.start(r)
		failures := 0
		b.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Settle" && failures < 4 {
				failures++
				return errors.New("disk full")
			}
			return nil
		})
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized || failures != 4 {
			t.Errorf("ended as %+v after %d failures", end.Login, failures)
		}
		b.wantEvents(login.Started, login.Authorized)
	})
}

func TestLogoutSupersedesALoginThatHasWon(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		g := newGate(b, "Settle")
		s := b.start(r)
		<-g.reach
		// Another process logs out while this one stores.
		other := b.registry()
		hit, err := other.Supersede(t.Context(), key)
		if err != nil || len(hit) != 1 || hit[0].ID != s.ID {
			t.Errorf("Supersede = %v, %v", hit, err)
		}
		close(g.open)
		if end := b.wait(r, s.ID); end.Status() != credential.LoginFailed || end.Failure().Code != "superseded" {
			t.Errorf("ended as %+v", end.Login)
		}
		if _, err := b.store.Get(t.Context(), key); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("the credential came back: %v", err)
		}
	})
}

func TestLogoutCancelsAPendingLogin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r, other := b.registry(), b.registry()
		s := b.start(r)
		if hit, err := other.Supersede(t.Context(), key); err != nil || len(hit) != 1 {
			t.Errorf("Supersede = %v, %v", hit, err)
		}
		if end := b.wait(r, s.ID); end.Status() != credential.LoginCancelled {
			t.Errorf("ended as %+v", end.Login)
		}
		time.Sleep(time.Minute)
		if _, err := b.store.Get(t.Context(), key); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("logged in after all: %v", err)
		}
	})
}

// A joiner in another process sees the same code, and takes over when the
// owner dies: after a full interval, so that no poll comes early.
func TestJoinerClaimsTheLoginOfADeadOwner(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending, pending, won)
		owner, joiner := b.registry(), b.registry()
		s := b.start(owner)
		joinedAs, joined, err := joiner.Start(t.Context(), login.Request{Key: key})
		if err != nil || !joined || joinedAs.ID != s.ID || userCode(joinedAs) != "ABCD-EFGH" {
			t.Fatalf("joined %v as %+v, %v", joined, joinedAs.Login, err)
		}
		time.Sleep(8 * time.Second) // one poll by the owner
		if err := owner.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if end := b.wait(joiner, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
		for i, gap := range gapsOf(b.provider.polls) {
			if gap < 5*time.Second {
				t.Errorf("gap %d between polls is %v", i, gap)
			}
		}
		if b.provider.starts != 1 {
			t.Errorf("%d device authorizations", b.provider.starts)
		}
	})
}

func TestAJoinerThatOnlyWatchesDoesNotPoll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		owner, joiner := b.registry(), b.registry()
		s := b.start(owner)
		if _, _, err := joiner.Start(t.Context(), login.Request{Key: key}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 21*time.Second)
		defer cancel()
		if got, err := joiner.Wait(ctx, s.ID); !errors.Is(err, context.DeadlineExceeded) || got.Status() != credential.LoginPending {
			t.Errorf("Wait = %+v, %v", got.Login, err)
		}
		if n := b.provider.pollCount(); n != 4 {
			t.Errorf("%d polls in 21 s, want 4 by the owner alone", n)
		}
	})
}

// The owner died between the provider's yes and the disk: the code is spent.
func TestClaimedLoginWithASpentCodeEndsInLostSuccess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, answer(oauth.ErrorInvalidGrant))
		owner := b.registry()
		s := b.start(owner)
		if err := owner.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := b.registry(func(c *login.Config) { c.Adopt = true })
		end := b.wait(next, s.ID)
		if end.Status() != credential.LoginFailed || end.Failure().Code != "lost_success" {
			t.Errorf("ended as %+v", end.Login)
		}
	})
}

// The owner died after the win was written: whoever claims only finishes.
func TestClaimedPersistingLoginIsSettledWithoutAPoll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		owner := b.registry()
		s := b.start(owner)
		if err := owner.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		l, err := b.store.GetLogin(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		l.State = credential.Persisting{Won: credential.Credential{Key: key, Kind: credential.Refreshable, State: credential.Active, AccessToken: won.AccessToken}}
		if _, err := b.store.UpdateLogin(t.Context(), l, l.Version); err != nil {
			t.Fatal(err)
		}
		next := b.registry(func(c *login.Config) { c.Adopt = true })
		if end := b.wait(next, s.ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
		if c, err := b.store.Get(t.Context(), key); err != nil || c.Grant != s.ID {
			t.Errorf("stored %+v, %v", c, err)
		}
		if n := b.provider.pollCount(); n != 0 {
			t.Errorf("%d polls", n)
		}
	})
}

func TestClaimedLoginThatHasExpiredIsReplacedByTheNextStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		owner := b.registry()
		old := b.start(owner)
		if err := owner.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		next := b.registry()
		s, joined, err := next.Start(t.Context(), login.Request{Key: key})
		if err != nil || joined || s.ID == old.ID {
			t.Errorf("Start = %+v, joined %v, %v", s.Login, joined, err)
		}
	})
}

func TestDaemonTellsWhatOtherProcessesDo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending, won)
		b.registry(func(c *login.Config) { c.Adopt = true })
		cli := b.registry(func(c *login.Config) { c.Observe = nil })
		s := b.start(cli)
		time.Sleep(1100 * time.Millisecond)
		b.wait(cli, s.ID)
		time.Sleep(1100 * time.Millisecond)
		b.mu.Lock()
		defer b.mu.Unlock()
		seen := b.events
		if len(seen) != 2 || seen[0].Type != login.Started || seen[1].Type != login.Authorized || !seen[0].Foreign || !seen[1].Foreign {
			t.Errorf("seen %+v", seen)
		}
	})
}

func TestCloseWaitsForAPollInFlight(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		b.provider.park = make(chan struct{})
		r := b.registry()
		s := b.start(r)
		time.Sleep(5*time.Second + time.Millisecond)
		closed := make(chan error, 1)
		go func() { closed <- r.Close(t.Context()) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		close(b.provider.park)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Status() != credential.LoginAuthorized {
			t.Errorf("after Close: %+v, %v", l, err)
		}
	})
}

func TestCloseThatIsCutOffLeavesTheLoginPending(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		b.provider.park = make(chan struct{})
		r := b.registry()
		s := b.start(r)
		time.Sleep(5*time.Second + time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Status() != credential.LoginPending {
			t.Errorf("after Close: %+v, %v", l, err)
		}
		if _, _, err := r.Start(t.Context(), login.Request{Key: key}); !errors.Is(err, login.ErrClosed) {
			t.Errorf("Start on a closed registry: %v", err)
		}
	})
}

// The built-in provider, against the sandbox: PKCE, revocation of a token that
// must not be kept, and the account's alias.
func TestLoginAtTheSandbox(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		as, err := sandbox.New(sandbox.Config{Issuer: "http://127.0.0.1:9400", Approve: "auto", Interval: 1})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t)
		r := b.registry(func(c *login.Config) {
			c.Providers = nil
			c.HTTP = httpClient(as)
			c.AliasKey = aliasKey
		})
		s, _, err := r.Start(t.Context(), login.Request{Key: key, Binding: sandboxBinding(t, as), Scopes: []string{"openid"}})
		if err != nil {
			t.Fatal(err)
		}
		if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized {
			t.Fatalf("ended as %+v", end.Login)
		}
		c, err := b.store.Get(t.Context(), key)
		if err != nil || !strings.HasPrefix(c.Alias, "acct-") || len(c.Alias) != len("acct-abcdef") {
			t.Errorf("stored %+v, %v", c, err)
		}
	})
}

func TestLostTokenIsRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		as, err := sandbox.New(sandbox.Config{Issuer: "http://127.0.0.1:9400", Approve: "auto", Interval: 1})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t)
		r := b.registry(func(c *login.Config) { c.Providers, c.HTTP = nil, httpClient(as) })
		g := newGate(b, "Settle")
		s, _, err := r.Start(t.Context(), login.Request{Key: key, Binding: sandboxBinding(t, as)})
		if err != nil {
			t.Fatal(err)
		}
		<-g.reach
		if _, err := b.registry().Supersede(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		close(g.open)
		b.wait(r, s.ID)
		b.mu.Lock()
		defer b.mu.Unlock()
		var lost *login.Event
		for i := range b.events {
			if b.events[i].Type == login.LostSuccess {
				lost = &b.events[i]
			}
		}
		if lost == nil || !strings.HasSuffix(lost.Hint, "; revoked") {
			t.Errorf("lost success: %+v", lost)
		}
	})
}
