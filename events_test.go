package usher_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/event"
	"github.com/usherauth/usher/secret"
)

// happen appends events for the logins from to to.
func happen(l *event.Log, from, to int) {
	for i := from; i <= to; i++ {
		l.Append(api.Event{Type: api.EventLoginStarted, Login: &api.Login{ID: fmt.Sprint(i)}})
	}
}

// follow collects the next n events as type or login, in the background.
func follow(t *testing.T, c *usher.Client, lastID string, n int) <-chan []string {
	done := make(chan []string, 1)
	go func() {
		var got []string
		for e, err := range c.Events(t.Context(), lastID) {
			if err != nil {
				t.Error(err)
				break
			}
			if e.Login != nil {
				got = append(got, e.Login.ID)
			} else {
				got = append(got, e.Type)
			}
			if len(got) == n {
				break
			}
		}
		done <- got
	}()
	return done
}

func TestEventsContinueAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		d, c := newDaemon(t, b)
		done := follow(t, c, "", 6)
		synctest.Wait()
		// The first break comes before there was any event.
		d.stop()
		synctest.Wait()
		happen(b.log, 1, 2)
		time.Sleep(time.Minute)
		d.start(t, b)
		time.Sleep(time.Minute)
		happen(b.log, 3, 4)
		synctest.Wait()
		d.stop()
		synctest.Wait()
		happen(b.log, 5, 5)
		d.start(t, b)
		happen(b.log, 6, 6)
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5", "6"}, <-done); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestEventsResyncAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		d, c := newDaemon(t, b)
		done := follow(t, c, "", 4)
		synctest.Wait()
		happen(b.log, 1, 1)
		synctest.Wait()
		d.stop()
		again := newBroker() // another epoch
		happen(again.log, 2, 2)
		d.start(t, again)
		time.Sleep(time.Minute)
		happen(again.log, 3, 3)
		if diff := cmp.Diff([]string{"1", "stream.resync", "2", "3"}, <-done); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestEventsReplayFromAnID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		_, c := newDaemon(t, b)
		first := b.log.Append(api.Event{Type: api.EventLoginStarted})
		happen(b.log, 2, 3)
		if diff := cmp.Diff([]string{"2", "3"}, <-follow(t, c, first.ID, 2)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestEventsEndWithAnErrorThatStays(t *testing.T) {
	d, _ := newDaemon(t, newBroker())
	c := d.client()
	c.Bearer = secret.New("wrong")
	var errs []error
	for _, err := range c.Events(t.Context(), "") {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], usher.ErrUnauthorized) {
		t.Errorf("errors = %v", errs)
	}
	if n := d.requests(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestEventsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := newDaemon(t, newBroker())
		quiet := func(name string) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			began := time.Now()
			for e, err := range c.Events(ctx, "") {
				t.Errorf("%s: got %v, %v", name, e, err)
			}
			if took := time.Since(began); took != 5*time.Minute {
				t.Errorf("%s: ended after %v", name, took)
			}
		}
		quiet("connected")
		// The heartbeats kept the one connection.
		if n := d.requests(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		d.stop()
		quiet("away")
		// Pauses of 0.25, 0.5, 1, 2, 4, 8 and then 15 s, each up to a quarter shorter.
		if n := d.requests(); n < 20 || n > 40 {
			t.Errorf("%d requests in 5 minutes without a daemon", n)
		}
	})
}

// A connection on which nothing arrives, not even a heartbeat, is dead; so is
// one that never gets an answer.
func TestEventsLeaveASilentConnection(t *testing.T) {
	for name, silent := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no frame": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &daemon{}
				d.serve(silent)
				b := newBroker()
				done := follow(t, d.client(), "", 1)
				synctest.Wait()
				d.start(t, b) // the silent connection stays
				time.Sleep(time.Minute)
				happen(b.log, 1, 1)
				if diff := cmp.Diff([]string{"1"}, <-done); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				d.stop()
			})
		})
	}
}

// Something that answers in place of the daemon, with success, is told and not
// waited for.
func TestEventsEndAtWhatIsNoStream(t *testing.T) {
	for contentType, status := range map[string]int{"text/html; charset=utf-8": 200, "application/json": 200, "": 204} {
		d := &daemon{}
		d.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			if status == 200 {
				_, _ = fmt.Fprint(w, "data: {}\n\n")
			}
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		var errs []error
		for e, err := range d.client().Events(ctx, "") {
			if err == nil {
				t.Errorf("%q: event %v", contentType, e)
			}
			errs = append(errs, err)
		}
		cancel()
		if n := d.requests(); n != 1 || len(errs) != 1 || !errors.Is(errs[0], usher.ErrDaemonUnreachable) {
			t.Errorf("%q: %d requests, errors %v", contentType, n, errs)
		}
		d.stop()
	}
}

// A stream that is cut off after each event is asked as one that is away.
func TestEventsPauseBetweenShortConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{}
		d.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprint(w, "id: e-1\ndata: {}\n\n")
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		for _, err := range d.client().Events(ctx, "") {
			if err != nil {
				t.Error(err)
			}
		}
		if n := d.requests(); n < 20 || n > 40 {
			t.Errorf("%d requests in 5 minutes", n)
		}
		d.stop()
	})
}
