package login_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
)

var key = credential.Key{Provider: "test", Account: credential.DefaultAccount}

// provider is a scripted in-process provider. Times are those of the bubble.
type provider struct {
	mu       sync.Mutex
	interval time.Duration
	life     time.Duration
	startErr error
	answers  []any         // per poll: an error or an *oauth.Token; the last one repeats
	park     chan struct{} // parks polls
	begin    chan struct{} // parks starts
	starts   int
	polls    []time.Time
}

func (p *provider) Start(ctx context.Context, r oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	if p.begin != nil {
		select {
		case <-p.begin:
		case <-ctx.Done():
			return nil, &oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindCanceled, Err: ctx.Err()}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts++
	if p.startErr != nil {
		return nil, p.startErr
	}
	return &oauth.DeviceAuthorization{
		DeviceCode: secret.New("device-code"), CodeVerifier: secret.New("verifier"), UserCode: "ABCD-EFGH",
		VerificationURI: "https://as.test/device", ExpiresIn: p.life, Interval: p.interval,
	}, nil
}

func (p *provider) Poll(ctx context.Context, g credential.DeviceGrant) (*oauth.Token, error) {
	p.mu.Lock()
	p.polls = append(p.polls, time.Now())
	answer := p.answers[min(len(p.polls), len(p.answers))-1]
	park := p.park
	p.mu.Unlock()
	if park != nil {
		select {
		case <-park:
		case <-ctx.Done():
			return nil, &oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindCanceled, Err: ctx.Err()}
		}
	}
	if g.DeviceCode.Reveal() != "device-code" || g.CodeVerifier.Reveal() != "verifier" {
		return nil, errors.New("polled with the wrong code or verifier")
	}
	if err, ok := answer.(error); ok {
		return nil, err
	}
	return answer.(*oauth.Token), nil
}

func (p *provider) pollCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.polls)
}

func answer(code string) error {
	return &oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindOAuth, Code: code, Status: 400}
}

var (
	pending = answer(oauth.ErrorAuthorizationPending)
	won     = &oauth.Token{AccessToken: secret.New("at"), RefreshToken: secret.New("rt"), Type: "Bearer", Lifetime: time.Hour}
)

// bench is one provider and one store with one or more registries on it.
type bench struct {
	t        *testing.T
	provider *provider
	store    *memstore.Store

	mu     sync.Mutex
	events []login.Event
}

func newBench(t *testing.T, answers ...any) *bench {
	return &bench{
		t: t, store: memstore.New(),
		provider: &provider{interval: 5 * time.Second, life: 10 * time.Minute, answers: answers},
	}
}

// registry makes a registry, as a process of its own would have it.
func (b *bench) registry(change ...func(*login.Config)) *login.Registry {
	cfg := login.Config{
		Store:     b.store,
		Providers: map[string]login.Provider{"test": b.provider, "other": b.provider},
		Observe: func(e login.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	r := login.New(cfg)
	b.t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			b.t.Errorf("Close: %v", err)
		}
	})
	return r
}

func (b *bench) start(r *login.Registry) login.Snapshot {
	b.t.Helper()
	s, _, err := r.Start(b.t.Context(), login.Request{Key: key, Scopes: []string{"openid"}, Initiator: "cli-A"})
	if err != nil {
		b.t.Fatalf("Start: %v", err)
	}
	return s
}

func (b *bench) types() []login.EventType {
	b.mu.Lock()
	defer b.mu.Unlock()
	var types []login.EventType
	for _, e := range b.events {
		types = append(types, e.Type)
	}
	return types
}

func (b *bench) wantEvents(want ...login.EventType) {
	b.t.Helper()
	if got := b.types(); !slices.Equal(got, want) {
		b.t.Errorf("events = %v, want %v", got, want)
	}
}

// userCode is the code that s shows; empty if it shows none.
func userCode(s login.Snapshot) string {
	p, _ := s.Prompt()
	return p.UserCode
}

func (b *bench) wait(r *login.Registry, id string) login.Snapshot {
	b.t.Helper()
	s, err := r.Wait(b.t.Context(), id)
	if err != nil {
		b.t.Fatalf("Wait: %v", err)
	}
	if s.Live() {
		b.t.Errorf("Wait returned a live login: %+v", s.Login)
	}
	return s
}

// A bubble ends only when its goroutines have: every test ends its registries
// before the function returns.
func inBubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, f)
}

func TestLoginEndsWithItsCredentialStored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending, pending, won)
		r := b.registry()
		began := time.Now()
		s := b.start(r)
		if s.Status() != credential.LoginPending || userCode(s) != "ABCD-EFGH" || !s.ExpiresAt.Equal(began.Add(10*time.Minute)) {
			t.Errorf("started as %+v", s)
		}
		end := b.wait(r, s.ID)
		if end.Status() != credential.LoginAuthorized || end.Failure() != (credential.Failure{}) {
			t.Errorf("ended as %+v", end.Login)
		}
		c, err := b.store.Get(t.Context(), key)
		if err != nil || c.Grant != s.ID || c.AccessToken.Reveal() != "at" || !c.RefreshToken.IsZero() || c.State != credential.Active {
			t.Errorf("stored %+v, %v", c, err)
		}
		if !slices.Equal(c.Scopes, []string{"openid"}) {
			t.Errorf("scopes = %v: absent ones are as requested (RFC 6749 section 5.1)", c.Scopes)
		}
		b.wantEvents(login.Started, login.Authorized)
	})
}

func TestRFC8628_32_PollsWaitAtLeastTheInterval(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending, pending, pending, won)
		r := b.registry()
		began := time.Now()
		b.wait(r, b.start(r).ID)
		want := []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second}
		for i, at := range b.provider.polls {
			if at.Sub(began) != want[i] {
				t.Errorf("poll %d after %v, want %v", i+1, at.Sub(began), want[i])
			}
		}
	})
}

func TestPollIntervalOnlySlowsDown(t *testing.T) {
	for configured, want := range map[time.Duration]time.Duration{
		time.Second:      5 * time.Second,
		20 * time.Second: 20 * time.Second,
	} {
		inBubble(t, func(t *testing.T) {
			b := newBench(t, won)
			r := b.registry()
			began := time.Now()
			s, _, err := r.Start(t.Context(), login.Request{Key: key, PollInterval: configured})
			if err != nil {
				t.Fatal(err)
			}
			b.wait(r, s.ID)
			if got := b.provider.polls[0].Sub(began); got != want {
				t.Errorf("with a configured interval of %v the first poll came after %v, want %v", configured, got, want)
			}
		})
	}
}

func TestRFC8628_33_SlowDownAddsFiveSecondsForGood(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, answer(oauth.ErrorSlowDown), pending, answer(oauth.ErrorSlowDown), pending, won)
		r := b.registry()
		began := time.Now()
		b.wait(r, b.start(r).ID)
		want := []time.Duration{5, 15, 25, 40, 55}
		for i, at := range b.provider.polls {
			if at.Sub(began) != want[i]*time.Second {
				t.Errorf("poll %d after %v, want %v", i+1, at.Sub(began), want[i]*time.Second)
			}
		}
		b.wantEvents(login.Started, login.Throttled, login.Throttled, login.Authorized)
	})
}

func TestSlowDownIsWrittenDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, answer(oauth.ErrorSlowDown), pending)
		r := b.registry()
		s := b.start(r)
		time.Sleep(6 * time.Second)
		stored, err := b.store.GetLogin(t.Context(), s.ID)
		if err != nil || stored.Interval != 10*time.Second {
			t.Errorf("stored interval %v, %v", stored.Interval, err)
		}
	})
}

func TestRFC8628_35_OtherErrorsEndTheLogin(t *testing.T) {
	tests := []struct {
		code   string
		status credential.LoginStatus
		event  login.EventType
	}{
		{oauth.ErrorAccessDenied, credential.LoginDenied, login.Denied},
		{oauth.ErrorExpiredToken, credential.LoginExpired, login.Expired},
		{oauth.ErrorInvalidGrant, credential.LoginFailed, login.Failed},
		{oauth.ErrorInvalidClient, credential.LoginFailed, login.Failed},
		{"something_new", credential.LoginFailed, login.Failed},
	}
	for _, tt := range tests {
		inBubble(t, func(t *testing.T) {
			b := newBench(t, pending, answer(tt.code), won)
			r := b.registry()
			end := b.wait(r, b.start(r).ID)
			if end.Status() != tt.status || !end.Failure().FromProvider {
				t.Errorf("%s: ended as %+v", tt.code, end.Login)
			}
			b.wantEvents(login.Started, tt.event)
			time.Sleep(time.Hour)
			if n := b.provider.pollCount(); n != 2 {
				t.Errorf("%s: %d polls, want 2", tt.code, n)
			}
		})
	}
}

func TestRFC8628_42_NoPollAfterTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		b.wait(r, b.start(r).ID)
		time.Sleep(time.Hour)
		if n := b.provider.pollCount(); n != 1 {
			t.Errorf("%d polls, want 1", n)
		}
	})
}

// Whoever learns of trouble learns in the same moment when the next poll comes.
func TestTroubleComesWithTheNextPoll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, &oauth.Error{Outcome: oauth.NotSent, Kind: oauth.KindNetwork}, won)
		var r *login.Registry
		var told []login.Snapshot
		r = b.registry(func(c *login.Config) {
			c.Log = slog.New(logged(func(record slog.Record) {
				if record.Message == "polling the provider" { // as soon as there is trouble
					all, err := r.List(t.Context())
					if err != nil {
						t.Error(err)
					}
					told = append(told, all...)
				}
			}))
		})
		b.wait(r, b.start(r).ID)
		if len(told) != 1 || told[0].Trouble != login.TroubleUnreachable || !told[0].NextPollAt.After(told[0].LastPolledAt) {
			t.Errorf("when trouble began: %+v", told)
		}
	})
}

// logged is a handler that hands on what is logged.
type logged func(slog.Record)

func (l logged) Enabled(context.Context, slog.Level) bool           { return true }
func (l logged) Handle(_ context.Context, record slog.Record) error { l(record); return nil }
func (l logged) WithAttrs([]slog.Attr) slog.Handler                 { return l }
func (l logged) WithGroup(string) slog.Handler                      { return l }

func TestRFC8628_36_TroubleBacksOffAndGoesOn(t *testing.T) {
	blips := []error{
		&oauth.Error{Outcome: oauth.NotSent, Kind: oauth.KindNetwork},
		&oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindTimeout},
		&oauth.Error{Outcome: oauth.Ambiguous, Kind: oauth.KindServer, Status: 503},
		&oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindStatus, Status: 502},
		errors.New("an in-process provider's own words"),
	}
	for _, blip := range blips {
		inBubble(t, func(t *testing.T) {
			b := newBench(t, blip, blip, blip, pending, won)
			r := b.registry()
			s := b.start(r)
			time.Sleep(6 * time.Second)
			if now, err := r.Get(t.Context(), s.ID); err != nil || now.Status() != credential.LoginPending || now.Trouble == "" {
				t.Errorf("%v: after one blip %+v, %v", blip, now, err)
			}
			if end := b.wait(r, s.ID); end.Status() != credential.LoginAuthorized || end.Trouble != "" {
				t.Errorf("%v: ended as %+v", blip, end)
			}
			gaps := gapsOf(b.provider.polls)
			for i, least := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
				if gaps[i] < least {
					t.Errorf("%v: gap %d is %v, want at least %v", blip, i, gaps[i], least)
				}
			}
			if gaps[3] != 5*time.Second {
				t.Errorf("%v: after recovery the gap is %v, want the interval again", blip, gaps[3])
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, &oauth.Error{Outcome: oauth.Answered, Kind: oauth.KindRateLimited, Status: 429, RetryAfter: 3 * time.Minute}, won)
		r := b.registry()
		if end := b.wait(r, b.start(r).ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("ended as %+v", end.Login)
		}
		if gap := gapsOf(b.provider.polls)[0]; gap < 3*time.Minute {
			t.Errorf("polled again after %v", gap)
		}
	})
}

func gapsOf(at []time.Time) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(at); i++ {
		gaps = append(gaps, at[i].Sub(at[i-1]))
	}
	return gaps
}

func TestRFC8628_37_PollingStopsWhenTheCodeExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		b.provider.life = 2 * time.Minute
		r := b.registry()
		began := time.Now()
		end := b.wait(r, b.start(r).ID)
		if end.Status() != credential.LoginExpired || end.Failure().FromProvider {
			t.Errorf("ended as %+v", end.Login)
		}
		if took := time.Since(began); took != 2*time.Minute {
			t.Errorf("ended after %v", took)
		}
		if last := b.provider.polls[len(b.provider.polls)-1].Sub(began); last >= 2*time.Minute {
			t.Errorf("polled at %v, when the code was over", last)
		}
		b.wantEvents(login.Started, login.Expired)
	})
}

func TestConcurrentStartsShareOneAuthorization(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		var wg sync.WaitGroup
		ids := make(chan string, 50)
		fresh := make(chan bool, 50)
		for range 50 {
			wg.Go(func() {
				s, joined, err := r.Start(t.Context(), login.Request{Key: key})
				if err != nil {
					t.Error(err)
					return
				}
				ids <- s.ID
				fresh <- !joined
			})
		}
		wg.Wait()
		close(ids)
		close(fresh)
		first, n := "", 0
		for id := range ids {
			if first == "" {
				first = id
			}
			if id != first {
				t.Errorf("two logins: %s and %s", first, id)
			}
		}
		for f := range fresh {
			if f {
				n++
			}
		}
		if b.provider.starts != 1 || n != 1 {
			t.Errorf("%d device authorizations, %d fresh answers, want 1 and 1", b.provider.starts, n)
		}
	})
}

func TestFailedStartLeavesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		b.provider.startErr = &oauth.Error{Outcome: oauth.NotSent, Kind: oauth.KindNetwork}
		r := b.registry()
		_, _, err := r.Start(t.Context(), login.Request{Key: key})
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindNetwork || e.Outcome != oauth.NotSent {
			t.Errorf("Start: %v", err)
		}
		if all, _ := r.List(t.Context()); len(all) != 0 {
			t.Errorf("left behind: %+v", all)
		}
		b.provider.startErr = nil
		if end := b.wait(r, b.start(r).ID); end.Status() != credential.LoginAuthorized {
			t.Errorf("the next start ended as %+v", end.Login)
		}
	})
}

func TestCapOfActiveLogins(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry(func(c *login.Config) { c.MaxActive = 1 })
		s := b.start(r)
		other := credential.Key{Provider: "other", Account: credential.DefaultAccount}
		if _, _, err := r.Start(t.Context(), login.Request{Key: other}); !errors.Is(err, credential.ErrTooManyLogins) {
			t.Errorf("Start beyond the cap: %v", err)
		}
		if _, err := r.Cancel(t.Context(), s.ID, ""); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.Start(t.Context(), login.Request{Key: other}); err != nil {
			t.Errorf("Start after a cancel: %v", err)
		}
	})
}

func TestCallerThatGivesUpDoesNotEndTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := r.Start(ctx, login.Request{Key: key}); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Start: %v", err)
		}
		synctest.Wait()
		s, joined, err := r.Start(t.Context(), login.Request{Key: key})
		if err != nil || !joined || b.provider.starts != 1 {
			t.Errorf("second Start: joined %v, %v; %d device authorizations", joined, err, b.provider.starts)
		}
		b.wait(r, s.ID)
	})
}

func TestTakeOverByAnotherClientIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, pending)
		r := b.registry()
		first := b.start(r)
		s, joined, err := r.Start(t.Context(), login.Request{Key: key, Initiator: "cli-B"})
		if err != nil || !joined || s.ID != first.ID || s.Initiator != "cli-A" {
			t.Errorf("take-over: %+v, joined %v, %v", s.Login, joined, err)
		}
		b.wantEvents(login.Started, login.Joined)
	})
}

func TestEndedLoginsAreForgottenAfterTheGrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBench(t, won)
		r := b.registry(func(c *login.Config) { c.Adopt = true })
		s := b.start(r)
		b.wait(r, s.ID)
		time.Sleep(login.Grace - time.Second)
		if got, err := r.Get(t.Context(), s.ID); err != nil || got.Status() != credential.LoginAuthorized {
			t.Errorf("within the grace: %+v, %v", got.Login, err)
		}
		time.Sleep(40 * time.Second)
		if _, err := r.Get(t.Context(), s.ID); !errors.Is(err, credential.ErrNotFound) {
			t.Errorf("after the grace: %v", err)
		}
	})
}

func httpClient(h http.Handler) *http.Client {
	return &http.Client{Transport: &memhttp.Transport{Handler: h}}
}

func aliasKey() (secret.String, error) { return secret.New("0123456789abcdef"), nil }

// sandboxBinding is the binding that discovery at as yields.
func sandboxBinding(t *testing.T, as *sandbox.Server) credential.Binding {
	t.Helper()
	m, err := oauth.Discover(t.Context(), httpClient(as), "http://127.0.0.1:9400")
	if err != nil {
		t.Fatal(err)
	}
	return credential.Binding{
		Endpoints: m.Endpoints(), ClientID: "cli", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
	}
}
