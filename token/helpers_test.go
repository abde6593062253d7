package token_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/token"
)

var key = credential.Key{Provider: "acme", Account: "default"}

// clock is a Clock whose wall time can be set and whose machine can sleep. It
// follows the time of the bubble it is made in.
type clock struct {
	mu     sync.Mutex
	start  time.Time
	wall   time.Duration // what the wall clock was set by
	asleep time.Duration // time that only passes while suspended
	boot   int
}

func newClock() *clock { return &clock{start: time.Now()} }

func (c *clock) Now() credential.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	return credential.Instant{
		Wall:   now.Add(c.wall + c.asleep).Round(0),
		Boot:   now.Sub(c.start) + c.asleep,
		BootID: "boot-" + strconv.Itoa(c.boot),
	}
}

func (c *clock) setWall(by time.Duration) { c.mu.Lock(); c.wall += by; c.mu.Unlock() }
func (c *clock) suspend(d time.Duration)  { c.mu.Lock(); c.asleep += d; c.mu.Unlock() }
func (c *clock) reboot()                  { c.mu.Lock(); c.boot++; c.start = time.Now(); c.mu.Unlock() }

// provider is an authorization server that rotates refresh tokens and punishes
// the reuse of a spent one by revoking everything, unless it is lenient.
type provider struct {
	// lenient accepts the previous refresh token again, with the same answer.
	lenient bool
	// revocation is the status of the answer to a revocation; 0: none.
	revocation int
	// keep: the refresh token never changes and is not repeated.
	keep bool

	mu       sync.Mutex
	lifetime int // seconds
	gen      int // tokens at-gen and rt-gen are the newest
	revoked  bool
	// script replaces the answer to the n-th refresh, from 1. grant does the
	// work of a good answer and writes it.
	script   map[int]func(w http.ResponseWriter, r *http.Request, grant func(http.ResponseWriter))
	requests []request
	reuse    int
	inFlight int
	overlap  int
	revokes  []string
}

type request struct {
	token string
	at    time.Time
}

func newProvider(lifetime time.Duration) *provider {
	return &provider{
		lifetime: int(lifetime / time.Second), gen: 1, revocation: http.StatusOK,
		script: map[int]func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)){},
	}
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	if r.URL.Path == "/revoke" {
		p.mu.Lock()
		p.revokes = append(p.revokes, r.PostForm.Get("token"))
		status := p.revocation
		p.mu.Unlock()
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		return
	}
	presented := r.PostForm.Get("refresh_token")
	p.mu.Lock()
	p.requests = append(p.requests, request{presented, time.Now()})
	script := p.script[len(p.requests)]
	p.inFlight++
	p.overlap = max(p.overlap, p.inFlight)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.inFlight--
		p.mu.Unlock()
	}()
	grant := func(w http.ResponseWriter) { p.grant(w, presented) }
	if script == nil {
		grant(w)
		return
	}
	script(w, r, grant)
}

func (p *provider) grant(w http.ResponseWriter, presented string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	current, previous := "rt-"+strconv.Itoa(p.gen), "rt-"+strconv.Itoa(p.gen-1)
	answer := map[string]any{"token_type": "Bearer", "expires_in": p.lifetime}
	switch {
	case p.revoked:
		refuse(w, oauth.ErrorInvalidGrant)
		return
	case p.keep && presented == "rt-1":
		p.gen++
	case presented == current:
		p.gen++
		answer["refresh_token"] = "rt-" + strconv.Itoa(p.gen)
	case p.lenient && presented == previous:
		answer["refresh_token"] = current
	default:
		p.reuse++
		p.revoked = true
		refuse(w, oauth.ErrorInvalidGrant)
		return
	}
	answer["access_token"] = "at-" + strconv.Itoa(p.gen)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"error":%q}`, code)
}

// lost is a script whose answer never arrives though the server acted.
func lost(_ http.ResponseWriter, _ *http.Request, grant func(http.ResponseWriter)) {
	grant(discardWriter{http.Header{}})
	panic(http.ErrAbortHandler)
}

// dropped is a script that breaks the connection before the server acts.
func dropped(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) {
	panic(http.ErrAbortHandler)
}

// says answers a fixed status and body.
func says(status int, header http.Header, body string) func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) {
	return func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

type discardWriter struct{ h http.Header }

func (d discardWriter) Header() http.Header         { return d.h }
func (d discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (d discardWriter) WriteHeader(int)             {}

func (p *provider) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	tokens := []string{}
	for _, r := range p.requests {
		tokens = append(tokens, r.token)
	}
	return tokens
}

func (p *provider) at(n int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[n].at
}

func (p *provider) revocations() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.revokes...)
}

// fixture is a manager over a memory store and a provider, for a bubble.
type fixture struct {
	t        *testing.T
	clock    *clock
	store    *memstore.Store
	provider *provider
	m        *token.Manager

	discards atomic.Int64 // calls of Discard, unless a test intercepts by itself

	mu     sync.Mutex
	events []token.Event
}

// newFixture logs in: the credential is at-1 and rt-1, received now.
func newFixture(t *testing.T, lifetime time.Duration) *fixture {
	f := &fixture{t: t, clock: newClock(), store: memstore.New(), provider: newProvider(lifetime)}
	f.store.Intercept(func(op string, _ credential.Key) error {
		if op == "Discard" {
			f.discards.Add(1)
		}
		return nil
	})
	f.m = f.manager()
	seed(t, f.store, f.credential(lifetime))
	return f
}

// manager makes a manager on the store, as another process would have.
func (f *fixture) manager() *token.Manager { return f.managerWith(token.Config{}) }

func (f *fixture) managerWith(cfg token.Config) *token.Manager {
	if cfg.Store == nil {
		cfg.Store = f.store
	}
	cfg.Clock = f.clock
	cfg.HTTP = &http.Client{Transport: &memhttp.Transport{Handler: f.provider}}
	cfg.Observe = func(e token.Event) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, e)
	}
	m := token.NewManager(cfg)
	f.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			f.t.Errorf("Close: %v", err)
		}
	})
	return m
}

func (f *fixture) credential(lifetime time.Duration) credential.Credential {
	return credential.Credential{
		Key:  key,
		Kind: credential.Refreshable,
		Binding: credential.Binding{
			Endpoints: oauth.Endpoints{
				Issuer: "https://as.test", Token: "https://as.test/token", Revocation: "https://as.test/revoke",
			},
			ClientID: "client", AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
		},
		State:       credential.Active,
		AccessToken: secret.New("at-1"), RefreshToken: secret.New("rt-1"), IDToken: secret.New("id-1"),
		TokenType: "Bearer", Scopes: []string{"read"}, ResourceURL: "https://api.test",
		Extra:    secret.New(`{"region":"eu"}`),
		Received: f.clock.Now(), Lifetime: lifetime,
	}
}

// seed stores cred as a login would, and returns it as stored.
func seed(t testing.TB, store credential.Store, cred credential.Credential) credential.Credential {
	t.Helper()
	ctx := context.Background()
	owner, err := store.NewOwner(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	id := rand.Text()
	l, err := store.CreateLogin(ctx, credential.Login{
		ID: id, Key: cred.Key, Method: credential.MethodDevice, State: credential.Pending{},
		Binding: cred.Binding, Owner: owner.ID(), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.State = credential.Persisting{Won: cred}
	if l, err = store.UpdateLogin(ctx, l, l.Version); err != nil {
		t.Fatal(err)
	}
	l.State = credential.Ended{Status: credential.LoginAuthorized, At: time.Now()}
	_, stored, err := store.Settle(ctx, l, cred)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func (f *fixture) stored() credential.Credential {
	f.t.Helper()
	c, err := f.store.Get(context.Background(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fixture) logout() {
	f.t.Helper()
	if err := f.store.Delete(context.Background(), key, f.stored().Generation); err != nil {
		f.t.Fatal(err)
	}
}

// want reads a token and compares.
func (f *fixture) want(m *token.Manager, minTTL time.Duration, want string) token.Token {
	f.t.Helper()
	got, err := m.Token(context.Background(), key, minTTL)
	if err != nil {
		f.t.Fatalf("Token: %v, want %s", err, want)
	}
	if got.AccessToken.Reveal() != want {
		f.t.Fatalf("Token = %s, want %s", got.AccessToken.Reveal(), want)
	}
	return got
}

// wantSeen compares the refresh tokens that the provider was sent.
func (f *fixture) wantSeen(want ...string) {
	f.t.Helper()
	got := f.provider.seen()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		f.t.Errorf("refresh tokens sent = %v, want %v", got, want)
	}
}

// eventTypes are those of the events but Finished, which ends every rotation.
func (f *fixture) eventTypes() []token.EventType {
	f.mu.Lock()
	defer f.mu.Unlock()
	types := []token.EventType{}
	for _, e := range f.events {
		if e.Type != token.Finished {
			types = append(types, e.Type)
		}
	}
	return types
}

// reports are those of the rotations that have ended. The times in them are
// checked where they matter.
func (f *fixture) reports() []token.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	var reports []token.Report
	for _, e := range f.events {
		if e.Type == token.Finished {
			reports = append(reports, e.Report)
		}
	}
	return reports
}

func (f *fixture) wantEvents(want ...token.EventType) {
	f.t.Helper()
	if got := f.eventTypes(); fmt.Sprint(got) != fmt.Sprint(want) {
		f.t.Errorf("events = %v, want %v", got, want)
	}
}

// hide is a secret with a short name.
func hide(s string) secret.String { return secret.New(s) }
