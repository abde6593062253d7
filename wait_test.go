package usher_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
)

// waitFor waits in n goroutines and returns the errors.
func waitFor(l *usher.Login, ctx context.Context, n int) <-chan error {
	done := make(chan error, n)
	for range n {
		go func() {
			_, err := l.Wait(ctx)
			done <- err
		}()
	}
	return done
}

// asked is how many requests of a pattern have come.
func (d *daemon) asked(prefix string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.seen {
		if strings.HasPrefix(r.Method+" "+r.URL.RequestURI(), prefix) {
			n++
		}
	}
	return n
}

func started(t *testing.T, c *usher.Client) *usher.Login {
	t.Helper()
	l, err := c.Login(t.Context(), "github", usher.LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestManyWaitAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		d, c := newDaemon(t, b)
		l := started(t, c)
		impatient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		gone, stay := waitFor(l, impatient, 10), waitFor(l, t.Context(), 10)
		time.Sleep(2 * time.Minute)
		for range 10 {
			if err := <-gone; !errors.Is(err, usher.ErrLoginPending) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient: error = %v", err)
			}
		}
		began := time.Now()
		b.end(api.LoginAuthorized, nil)
		for range 10 {
			if err := <-stay; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the end was seen after %v", took)
		}
		if streams, looks := d.asked("GET /v1/events"), d.asked("GET /v1/logins/l-1"); streams != 1 || looks != 2 {
			t.Errorf("%d streams and %d looks at the login, want 1 and 2", streams, looks)
		}
		// The result is kept, for a context that has ended too.
		before := d.requests()
		d.stop()
		if credential, err := l.Wait(impatient); err != nil || credential.Key != "github" {
			t.Errorf("again: %v, %v", credential, err)
		}
		if n := d.requests(); n != before {
			t.Errorf("%d more requests", n-before)
		}
	})
}

func TestNobodyWaitsNobodyPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		d, c := newDaemon(t, b)
		l := started(t, c)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			for range 3 {
				go func() { _, _ = l.Wait(ctx) }()
			}
			time.Sleep(21 * time.Second)
			cancel()
			before := d.requests()
			time.Sleep(10 * time.Minute)
			if n := d.requests(); n != before {
				t.Errorf("%d requests while nobody waited", n-before)
			}
		}
		if n := d.asked("GET /v1/events"); n != 2 {
			t.Errorf("%d streams for two times of waiting", n)
		}
		b.end(api.LoginDenied, nil)
		if _, err := l.Wait(t.Context()); !errors.Is(err, usher.ErrAccessDenied) {
			t.Errorf("error = %v", err)
		}
	})
}

// limited is a daemon whose event stream cannot be had, as other says.
type limited struct {
	http.Handler
	events http.HandlerFunc
}

func (l limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/events" {
		l.events(w, r)
		return
	}
	l.Handler.ServeHTTP(w, r)
}

func TestWaitPollsWithoutEvents(t *testing.T) {
	problem := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", api.ProblemType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"code":"` + code + `"}`))
		}
	}
	stream := func(first string, life time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte(first))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(life):
			case <-r.Context().Done():
			}
		}
	}
	tests := map[string]struct {
		events http.HandlerFunc
		late   time.Duration // how long the end of the login may go unseen
	}{
		"too many":             {problem(429, "too_many_streams"), 0},
		"rate limit":           {problem(429, "rate_limit_exceeded"), 0},
		"no such route":        {problem(404, "not_found"), 0},
		"gateway":              {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, 0},
		"something else":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }, 0},
		"held back":            {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0},
		"held back after head": {stream("", time.Hour), 0},
		"cut off at once":      {stream(": x\n\n", 0), 0},
		"cut off soon":         {stream(": x\n\n", 10*time.Second), 0},
		"garbage":              {stream("id: 1\ndata: {\n\n", time.Hour), 0},
		// It is open long enough to be believed: it is asked anew, and again
		// looked at between.
		"cut off now and then": {stream(": x\n\n", 20*time.Second), 21 * time.Second},
		"silent":               {stream(": x\n\n", time.Hour), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker()
				d, c := newDaemon(t, b)
				d.serve(limited{d.up, tt.events})
				l := started(t, c)
				done := waitFor(l, t.Context(), 5)
				time.Sleep(5 * time.Minute)
				began := time.Now()
				b.end(api.LoginAuthorized, nil)
				for range 5 {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				if took := time.Since(began); took > tt.late {
					t.Errorf("the end was seen after %v, want %v", took, tt.late)
				}
				if streams, polls := d.asked("GET /v1/events"), d.asked("GET /v1/logins/l-1?wait="); tt.late == 0 && (streams != 1 || polls < 8 || polls > 11) {
					t.Errorf("%d streams and %d polls in five minutes", streams, polls)
				}
			})
		})
	}
}

// The end may come while the stream is being opened or is away; no event tells
// of it.
func TestWaitLooksWhereEventsAreMissing(t *testing.T) {
	tests := map[string]func(d *daemon, b *broker){
		"while the daemon restarts": func(d *daemon, b *broker) {
			time.Sleep(time.Minute)
			h := d.up
			d.stop()
			b.end(api.LoginAuthorized, nil)
			time.Sleep(time.Minute)
			d.serve(h)
		},
		"and the events skip it": func(_ *daemon, b *broker) {
			b.mu.Lock()
			b.login.Status = api.LoginAuthorized
			b.mu.Unlock()
			b.log.Append(api.Event{Type: api.EventStreamResync})
		},
		"and no event comes at all": func(_ *daemon, b *broker) {
			b.mu.Lock()
			b.login.Status = api.LoginAuthorized
			b.mu.Unlock()
		},
	}
	for name, happens := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker()
				d, c := newDaemon(t, b)
				l := started(t, c)
				done := waitFor(l, t.Context(), 1)
				synctest.Wait()
				began := time.Now()
				happens(d, b)
				if err := <-done; err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 6*time.Minute {
					t.Errorf("seen after %v", took)
				}
			})
		})
	}
}

// What is not the login's end is told to those who wait, and asked again by
// those who come later.
func TestWaitTriesAgainAfterTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		d, c := newDaemon(t, b)
		l := started(t, c)
		up := d.up
		d.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", api.ProblemType)
			w.WriteHeader(401)
			_, _ = w.Write([]byte(`{"code":"unauthorized"}`))
		}))
		done := waitFor(l, t.Context(), 3)
		for range 3 {
			if err := <-done; !errors.Is(err, usher.ErrUnauthorized) {
				t.Errorf("error = %v", err)
			}
		}
		d.serve(up)
		b.end(api.LoginAuthorized, nil)
		if _, err := l.Wait(t.Context()); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

func TestWaitForALoginThatIsGone(t *testing.T) {
	d, c := newDaemon(t, newBroker())
	l := started(t, c)
	d.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.ProblemType)
		w.WriteHeader(404)
		_, _ = w.Write([]byte(`{"code":"login_not_found","detail":"no login"}`))
	}))
	for range 2 {
		_, err := l.Wait(t.Context())
		want := &usher.Error{Status: 404, Code: "login_not_found", Kind: "not_found_or_evicted", Route: "GET /v1/logins/{id}", Message: "no login"}
		if diff := cmp.Diff(error(want), err); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	}
	if n := d.requests(); n > 4 {
		t.Errorf("%d requests: what is gone was asked for again", n)
	}
}

// However starting and stopping fall together, every waiter gets an answer.
func TestWaitersComeAndGo(t *testing.T) {
	b := newBroker()
	_, c := newDaemon(t, b)
	l := started(t, c)
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%8)*time.Millisecond)
			defer cancel()
			if _, err := l.Wait(ctx); err != nil && !errors.Is(err, usher.ErrLoginPending) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	b.end(api.LoginCancelled, nil)
	if _, err := l.Wait(t.Context()); !errors.Is(err, usher.ErrCancelled) {
		t.Errorf("error = %v", err)
	}
}
