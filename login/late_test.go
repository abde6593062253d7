package login_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// deaf is an in-process provider that ignores its context: a call returns when
// the test lets it.
type deaf struct {
	start, poll chan struct{}
	answer      func() (*oauth.Token, error)

	mu     sync.Mutex
	inCall int
	most   int // calls at a time
	polls  int
}

func (d *deaf) Start(context.Context, oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	if d.start != nil {
		<-d.start
	}
	return &oauth.DeviceAuthorization{
		DeviceCode: secret.New("dc"), UserCode: "ABCD-EFGH", VerificationURI: "https://as.test/d",
		ExpiresIn: 10 * time.Minute, Interval: 5 * time.Second,
	}, nil
}

func (d *deaf) Poll(context.Context, credential.DeviceGrant) (*oauth.Token, error) {
	d.mu.Lock()
	d.polls++
	d.inCall++
	d.most = max(d.most, d.inCall)
	d.mu.Unlock()
	<-d.poll
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inCall--
	return d.answer()
}

func (b *bench) deaf(d *deaf) *login.Registry {
	return b.registry(func(c *login.Config) { c.Providers = map[string]login.Provider{"test": d} })
}

// lastEvent is the newest event of type typ.
func (b *bench) lastEvent(typ login.EventType) (found login.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Type == typ {
			found = e
		}
	}
	return found
}

func TestPollThatHangsIsTroubleAndItsLateAnswerIsAuditedOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func() (*oauth.Token, error)
		event  login.EventType
		hint   string
	}{
		"a refusal": {func() (*oauth.Token, error) { return nil, answer(oauth.ErrorAccessDenied) }, login.LateAnswer, "lost_late_poll_after_timeout: access_denied"},
		"a token":   {func() (*oauth.Token, error) { return won, nil }, login.LostSuccess, "lost_late_poll_after_timeout: a token; not revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBench(t)
				d := &deaf{poll: make(chan struct{}), answer: tt.answer}
				r := b.deaf(d)
				s := b.start(r)
				time.Sleep(36 * time.Second)
				if now, err := r.Get(t.Context(), s.ID); err != nil || now.Status() != credential.LoginPending || now.Trouble != login.TroubleUnreachable {
					t.Errorf("while the poll hangs: %+v, %v", now, err)
				}
				time.Sleep(3 * time.Minute)
				d.mu.Lock()
				if d.polls != 1 {
					t.Errorf("%d polls while the first hangs, want 1", d.polls)
				}
				d.mu.Unlock()
				d.poll <- struct{}{}
				synctest.Wait()
				if now, err := r.Get(t.Context(), s.ID); err != nil || now.Status() != credential.LoginPending {
					t.Errorf("after the late answer: %+v, %v", now, err)
				}
				b.wantEvents(login.Started, tt.event)
				if got := b.lastEvent(tt.event).Hint; !strings.HasPrefix(got, tt.hint) {
					t.Errorf("hint = %q, want %q", got, tt.hint)
				}
				close(d.poll) // the next one answers at once
				time.Sleep(2 * time.Minute)
				if end, err := r.Get(t.Context(), s.ID); err != nil || end.Live() || d.most != 1 {
					t.Errorf("then it is %s, %v; %d calls at a time", end.Status(), err, d.most)
				}
			})
		})
	}
}

func TestPollThatHangsDoesNotOutliveTheCode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t)
		d := &deaf{poll: make(chan struct{}), answer: func() (*oauth.Token, error) { return nil, pending }}
		r := b.deaf(d)
		began := time.Now()
		end := b.wait(r, b.start(r).ID)
		if took := time.Since(began); end.Status() != credential.LoginExpired || took > 10*time.Minute+time.Second {
			t.Errorf("ended as %s after %v", end.Status(), took)
		}
		close(d.poll)
	})
}

func TestStartThatHangsTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t)
		d := &deaf{start: make(chan struct{}), poll: make(chan struct{})}
		r := b.deaf(d)
		began := time.Now()
		_, _, err := r.Start(t.Context(), login.Request{Key: key})
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindTimeout || time.Since(began) > 31*time.Second {
			t.Errorf("Start = %v after %v", err, time.Since(began))
		}
		if all, _ := r.List(t.Context()); len(all) != 0 {
			t.Errorf("left behind: %+v", all)
		}
		close(d.start)
		close(d.poll)
	})
}

func TestCloseIsNotHeldUpByAPollThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t)
		d := &deaf{poll: make(chan struct{}), answer: func() (*oauth.Token, error) { return nil, pending }}
		r := b.deaf(d)
		s := b.start(r)
		time.Sleep(6 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := r.Close(ctx); err != nil || time.Since(began) > 1500*time.Millisecond {
			t.Errorf("Close = %v after %v", err, time.Since(began))
		}
		if l, err := b.store.GetLogin(t.Context(), s.ID); err != nil || l.Status() != credential.LoginPending {
			t.Errorf("left as %+v, %v", l, err)
		}
		close(d.poll)
	})
}

// Somebody cancels while the token is being stored. The result decides; the
// audit log gets one line for the cancel, and one for a success.
func TestCancelDuringPersistIsAuditedOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		fails  error
		events []login.EventType
		by     string // of the end's event
		hint   string
	}{
		"then it succeeds": {nil, []login.EventType{login.Started, login.CancelDeferred, login.Authorized}, "cli-A",
			"lost_success_kept (cancel during persist; credentials kept per IdP approval)"},
		"then it fails": {errDisk, []login.EventType{login.Started, login.CancelDeferred, login.Cancelled, login.LostSuccess}, "cli-B", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBench(t, won)
				r := b.registry()
				g := newGate(b, "Settle")
				g.always = tt.fails
				s := b.start(r)
				<-g.reach
				for _, by := range []string{"cli-B", "cli-C"} { // the first one counts
					if _, err := r.Cancel(t.Context(), s.ID, by); err != nil {
						t.Fatal(err)
					}
				}
				if got := b.lastEvent(login.CancelDeferred); got.By != "cli-B" ||
					got.Hint != "deferred (persist in flight; final state decided by persist resolution)" {
					t.Errorf("told %+v", got)
				}
				close(g.open)
				b.wait(r, s.ID)
				synctest.Wait()
				b.wantEvents(tt.events...)
				end := b.lastEvent(tt.events[2])
				if end.By != tt.by || end.Hint != tt.hint || end.Recorded != (tt.fails != nil) {
					t.Errorf("the end: by %q, hint %q, recorded %v", end.By, end.Hint, end.Recorded)
				}
			})
		})
	}
}

// An anonymous cancel locks too; the end is then the initiator's.
func TestAnonymousCancelDuringPersist(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		g := newGate(b, "Settle")
		g.always = errDisk
		s := b.start(r)
		<-g.reach
		for _, by := range []string{"", "cli-C"} {
			if _, err := r.Cancel(t.Context(), s.ID, by); err != nil {
				t.Fatal(err)
			}
		}
		close(g.open)
		b.wait(r, s.ID)
		if by := b.lastEvent(login.Cancelled).By; by != "cli-A" {
			t.Errorf("cancelled by %q, want the initiator", by)
		}
	})
}

func TestPersistFailurePastExpiryIsToldAsSuch(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		b.provider.life = 20 * time.Second
		r := b.registry()
		g := newGate(b, "Settle")
		g.always = errDisk
		close(g.open)
		end := b.wait(r, b.start(r).ID)
		if end.Status() != credential.LoginFailed || end.Failure().Code != login.FailurePersist {
			t.Errorf("ended as %+v", end.Login)
		}
		if hint := b.lastEvent(login.Failed).Hint; !strings.HasPrefix(hint, "persist_also_failed_past_expiry (") {
			t.Errorf("hint = %q", hint)
		}
	})
}

// The store hangs: the login ends all the same, and what the store does later
// changes nothing of that.
func TestStoreThatHangsDoesNotKeepALoginAlive(t *testing.T) {
	for _, tt := range []struct {
		op     string
		fails  error
		events []login.EventType
		kept   bool
	}{
		{"Settle", nil, []login.EventType{login.Started, login.Failed, login.LateSuccess}, true},
		{"Settle", errDisk, []login.EventType{login.Started, login.Failed, login.LostSuccess}, false},
		{"UpdateLogin", nil, []login.EventType{login.Started, login.Failed, login.LostSuccess}, false},
		{"UpdateLogin", errDisk, []login.EventType{login.Started, login.Failed, login.LostSuccess}, false},
	} {
		inBubble(t, func(t *testing.T) {
			b := newBench(t, won)
			r := b.registry(adopting)
			s := b.start(r)
			g := newGate(b, tt.op)
			g.always = tt.fails
			began := time.Now()
			end := b.wait(r, s.ID)
			if took := time.Since(began); end.Failure().Code != login.FailurePersist || took > 37*time.Second {
				t.Errorf("%s hangs: ended as %+v after %v", tt.op, end.State, took)
			}
			time.Sleep(time.Minute)
			b.store.Intercept(nil)
			close(g.open)
			time.Sleep(3 * time.Second)
			b.wantEvents(tt.events...)
			stored, err := b.store.GetLogin(t.Context(), s.ID)
			if err != nil || stored.Failure().Code != login.FailurePersist {
				t.Errorf("%s hung, then %v: stored as %+v, %v, want what was told", tt.op, tt.fails, stored.State, err)
			}
			c, err := b.store.Get(t.Context(), key)
			if kept := err == nil && c.Grant == s.ID; kept != tt.kept {
				t.Errorf("%s hung, then %v: credential kept %v, %v, want %v", tt.op, tt.fails, kept, err, tt.kept)
			}
			if late := b.lastEvent(login.LateSuccess); tt.kept && (late.Credential == nil || !strings.HasPrefix(late.Hint, "lost_success_after_timeout (")) {
				t.Errorf("told %+v", late)
			}
			if got, err := r.Get(t.Context(), s.ID); err != nil || got.Failure().Code != login.FailurePersist {
				t.Errorf("%s hung: Get = %+v, %v", tt.op, got.State, err)
			}
		})
	}
}

func TestTraceOfALogin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		s := b.start(r)
		if want := strings.ReplaceAll(s.ID, "-", ""); s.Trace != want {
			t.Errorf("trace = %q, want %q", s.Trace, want)
		}
		const trace = "0af7651916cd43dd8448eb211c80319c"
		own, _, err := r.Start(t.Context(), login.Request{Key: credential.Key{Provider: "other", Account: "default"}, Trace: trace})
		if err != nil || own.Trace != trace {
			t.Errorf("trace = %q, %v, want the one asked for", own.Trace, err)
		}
		stored, err := b.store.GetLogin(t.Context(), own.ID)
		if err != nil || stored.Trace != trace {
			t.Errorf("stored trace = %q, %v", stored.Trace, err)
		}
	})
}
