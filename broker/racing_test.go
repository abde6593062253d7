package broker_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/session"
)

// racing is a world in which a test decides who comes first: daemons, each with
// its own way to the one store and to the provider, on which calls can be
// parked.
type racing struct {
	*world
	records paper // the audit log of all daemons, as JSON
	daemons []*racer
}

// racer is one daemon.
type racer struct {
	*broker.Broker
	*gates
	t       *testing.T
	name    string
	hub     *session.Hub
	session string
	owners  []credential.Owner
}

// outcome is all that a race leaves behind.
type outcome struct {
	// Logins are the stored ones, oldest first: "<status> <failure's code, or canceller>".
	Logins []string
	// Stored tells whether there is a credential.
	Stored bool
	// Audit is the audit log: "<status> <client id> <error kind>: <hint>".
	Audit []string
	// Told are the native events by daemon, those of logins first: a daemon
	// finds a new credential by itself, perhaps before the login has ended.
	// The session's stream must tell the same of logins, in its own words.
	Told map[string][]string
	// What the provider saw.
	Authorizations, Polls, Tokens, Revocations int
}

// race runs f in a bubble and compares what it has led to with want.
func race(t *testing.T, order string, cfg sandbox.Config, want outcome, f func(r *racing)) {
	t.Helper()
	t.Run(order, func(t *testing.T) {
		if cfg.AutoAfterPolls == 0 {
			cfg.AutoAfterPolls = -1 // the first poll is answered with a token
		}
		cfg.Interval, cfg.TokenLifetime = 5, time.Hour
		inWorld(t, cfg, func(t *testing.T, w *world) {
			r := &racing{world: w}
			f(r)
			time.Sleep(3 * time.Second) // so that every daemon has seen it
			if diff := gocmp.Diff(want, r.outcome()); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	})
}

// daemon starts a daemon.
func (r *racing) daemon(name string) *racer {
	r.t.Helper()
	d := r.racer(name)
	r.run(d)
	return d
}

// racer makes a daemon that does not run yet, so that calls it makes at once
// can be parked.
func (r *racing) racer(name string) *racer {
	d := &racer{t: r.t, name: name, gates: newGates(r.t), hub: session.Open(session.Config{})}
	s, err := d.hub.Create("/work")
	if err != nil {
		r.t.Fatal(err)
	}
	d.session = s.ID
	r.daemons = append(r.daemons, d)
	return d
}

// run starts d, and lets it have its first look at the store.
func (r *racing) run(d *racer) {
	d.Broker = r.broker(func(c *broker.Config) {
		c.Daemon, c.Sessions = true, d.hub
		c.Store = &parkedStore{Store: r.store, racer: d}
		c.HTTP = &http.Client{Transport: &parkedTransport{&memhttp.Transport{Handler: r.as}, d.gates}}
		c.Audit = &audit.Writer{Text: &r.world.audit, JSON: &r.records}
	})
	synctest.Wait()
}

// started is an answer of StartDeviceFlow.
type started struct {
	api.DeviceFlowStarted
	fresh bool
}

// start starts a flow for a client, and goes on while that waits.
func (d *racer) start(client string) <-chan started {
	return async(d.t, func() (started, error) {
		flow, fresh, err := d.StartDeviceFlow(d.t.Context(), api.StartLogin{Key: "sandbox", ClientID: client})
		return started{flow, fresh}, err
	})
}

// cancel cancels a flow for a client, and goes on while that waits.
func (d *racer) cancel(id, client string) <-chan struct{} {
	return async(d.t, func() (struct{}, error) {
		return struct{}{}, d.CancelDeviceFlow(d.t.Context(), id, client)
	})
}

func (d *racer) logout() <-chan api.Logout {
	return async(d.t, func() (api.Logout, error) {
		return d.Logout(d.t.Context(), api.LogoutRequest{Key: "sandbox"})
	})
}

// close stops the daemon, which is to be cut off after patience.
func (d *racer) close(patience time.Duration) <-chan struct{} {
	return async(d.t, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), patience)
		defer cancel()
		return struct{}{}, d.Close(ctx)
	})
}

// loseOwnership makes the store take the daemon for dead, though it lives.
func (d *racer) loseOwnership() {
	for _, o := range d.owners {
		if err := o.Close(); err != nil {
			d.t.Error(err)
		}
	}
}

// async runs do beside the test and hands out its result.
func async[T any](t *testing.T, do func() (T, error)) <-chan T {
	done := make(chan T, 1)
	go func() {
		v, err := do()
		if err != nil {
			t.Error(err)
		}
		done <- v
	}()
	return done
}

// soon waits for what must come; without a race nothing takes that long.
func soon[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not come")
	}
	return v
}

// gates are where calls are parked.
type gates struct {
	t  *testing.T
	mu sync.Mutex
	at map[string]*gate
}

// gate parks the first call that comes to it.
type gate struct {
	reached chan struct{}
	open    chan struct{}
	once    sync.Once
}

func newGates(t *testing.T) *gates { return &gates{t: t, at: map[string]*gate{}} }

// park has the next call that passes the place wait there until it is
// released, or the test is over.
func (g *gates) park(place string) *gate {
	p := &gate{reached: make(chan struct{}), open: make(chan struct{})}
	g.t.Cleanup(p.release)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at[place] = p
	return p
}

func (p *gate) release() { p.once.Do(func() { close(p.open) }) }

func (g *gates) pass(place string) {
	g.mu.Lock()
	p := g.at[place]
	delete(g.at, place)
	g.mu.Unlock()
	if p != nil {
		close(p.reached)
		<-p.open
	}
}

// parkedStore is one daemon's way to the store. Its calls pass a gate before
// and one after they have been made.
type parkedStore struct {
	credential.Store
	racer *racer
}

func around[T any](g *gates, call string, do func() (T, error)) (T, error) {
	g.pass("before " + call)
	defer g.pass("after " + call)
	return do()
}

func (s *parkedStore) NewOwner(ctx context.Context) (credential.Owner, error) {
	o, err := s.Store.NewOwner(ctx)
	if err == nil {
		s.racer.owners = append(s.racer.owners, o)
	}
	return o, err
}

func (s *parkedStore) CreateLogin(ctx context.Context, l credential.Login, maxActive int) (credential.Login, error) {
	return around(s.racer.gates, "CreateLogin", func() (credential.Login, error) { return s.Store.CreateLogin(ctx, l, maxActive) })
}

func (s *parkedStore) LiveLogin(ctx context.Context, key credential.Key) (credential.Login, error) {
	return around(s.racer.gates, "LiveLogin", func() (credential.Login, error) { return s.Store.LiveLogin(ctx, key) })
}

func (s *parkedStore) ClaimLogin(ctx context.Context, id, owner string) (credential.Login, error) {
	return around(s.racer.gates, "ClaimLogin", func() (credential.Login, error) { return s.Store.ClaimLogin(ctx, id, owner) })
}

func (s *parkedStore) UpdateLogin(ctx context.Context, l credential.Login, version uint64) (credential.Login, error) {
	return around(s.racer.gates, "UpdateLogin "+string(l.Status()), func() (credential.Login, error) { return s.Store.UpdateLogin(ctx, l, version) })
}

func (s *parkedStore) Settle(ctx context.Context, l credential.Login, won credential.Credential) (after credential.Login, stored credential.Credential, err error) {
	after, err = around(s.racer.gates, "Settle", func() (credential.Login, error) {
		after, stored, err = s.Store.Settle(ctx, l, won)
		return after, err
	})
	return after, stored, err
}

// parkedTransport passes a gate with each answer of the provider.
type parkedTransport struct {
	http.RoundTripper
	gates *gates
}

func (p *parkedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return around(p.gates, req.URL.Path, func() (*http.Response, error) { return p.RoundTripper.RoundTrip(req) })
}

func (r *racing) outcome() outcome {
	r.t.Helper()
	got := outcome{Told: map[string][]string{}}
	for l, err := range r.store.ListLogins(r.t.Context()) {
		if err != nil {
			r.t.Fatal(err)
		}
		why := l.Failure().Code
		if end, ok := l.State.(credential.Ended); ok && end.CancelledBy != "" {
			why = end.CancelledBy
		}
		got.Logins = append(got.Logins, strings.TrimSpace(string(l.Status())+" "+why))
	}
	for _, err := range r.store.List(r.t.Context()) {
		got.Stored = err == nil
	}
	got.Audit = r.audited()
	for _, d := range r.daemons {
		native := d.events()
		slices.SortStableFunc(native, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
		got.Told[d.name] = native
		if diff := gocmp.Diff(inSessions(native), d.streamed()); diff != "" {
			r.t.Errorf("%s: the session's stream is not the native log (-native +session):\n%s", d.name, diff)
		}
	}
	seen := r.as.Record()
	got.Authorizations, got.Revocations = seen.DeviceAuthorizations, seen.Revocations
	got.Polls = seen.Count("token.device")
	for _, req := range seen.Requests {
		if req.Endpoint == "token.device" && req.Outcome == "issued" {
			got.Tokens++
		}
	}
	return got
}

// events are the types of all native events.
func (d *racer) events() []string {
	end := d.Events().Append(api.Event{Type: "end"}).ID
	epoch, _, _ := strings.Cut(end, "-")
	types := eventsUntilNow(d.t, d.Broker, epoch+"-0")
	return types[:len(types)-1]
}

// rank puts events of logins before those of credentials.
func rank(typ string) int {
	if strings.HasPrefix(typ, "login.") {
		return 0
	}
	return 1
}

// audited is the audit log, of which both forms must have every record.
func (r *racing) audited() (lines []string) {
	r.t.Helper()
	for line := range strings.Lines(r.records.String()) {
		var rec audit.Record
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			r.t.Fatal(err)
		}
		text := strings.TrimSpace(fmt.Sprintf("%s %s %s", rec.Status, rec.ClientID, rec.ErrorKind))
		if rec.Hint != "" {
			text += ": " + rec.Hint
		}
		lines = append(lines, text)
	}
	if text := strings.Count(r.world.audit.String(), "\n"); text != len(lines) {
		r.t.Errorf("%d lines of text for %d records", text, len(lines))
	}
	return lines
}

// streamed are the types of all that the session's stream tells.
func (d *racer) streamed() (types []string) {
	for _, data := range told(d.t, d.Broker, d.session, "no flow") {
		var e api.SessionEvent
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			d.t.Fatal(err)
		}
		types = append(types, e.Type)
	}
	return types
}

// inSessions are native events in the words of session streams.
func inSessions(native []string) (types []string) {
	words := map[string]string{
		api.EventLoginStarted: api.SessionFlowStarted, api.EventLoginAuthorized: api.SessionFlowAuthorized,
		api.EventLoginExpired: api.SessionFlowFailed, api.EventLoginFailed: api.SessionFlowFailed,
		api.EventLoginCancelled: api.SessionFlowCancelled,
	}
	for _, typ := range native {
		if word, ok := words[typ]; ok {
			types = append(types, word)
		}
	}
	return types
}
