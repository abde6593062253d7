package event_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/event"
)

func login(id string) api.Event {
	return api.Event{Type: api.EventLoginStarted, Login: &api.Login{ID: id}}
}

// fill appends events for the logins "1" to "n" and returns their ids.
func fill(l *event.Log, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, l.Append(login(fmt.Sprint(i+1))).ID)
	}
	return ids
}

// drain returns what a subscription holds now: the login of each event, or its
// type if it has none.
func drain(s *event.Subscription) []string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var got []string
	for {
		e, err := s.Next(ctx)
		if err != nil {
			return got
		}
		if e.Login == nil {
			got = append(got, e.Type)
			continue
		}
		got = append(got, e.Login.ID)
	}
}

func TestAppendNumbersWithoutGapsAndSetsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := event.New(0)
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		first := l.Append(api.Event{Type: api.EventLoginStarted})
		second := l.Append(api.Event{Type: api.EventLoginCancelled, Time: at})
		epoch, seq, ok := strings.Cut(first.ID, "-")
		if !ok || epoch == "" || seq != "1" {
			t.Errorf("id = %q, want <epoch>-1", first.ID)
		}
		if want := epoch + "-2"; second.ID != want {
			t.Errorf("second id = %q, want %q", second.ID, want)
		}
		if !first.Time.Equal(time.Now()) || first.Time.Location() != time.UTC {
			t.Errorf("time = %v, want the present in UTC", first.Time)
		}
		if !second.Time.Equal(at) {
			t.Errorf("a given time became %v", second.Time)
		}
	})
}

func TestEpochsDiffer(t *testing.T) {
	a, b := event.New(1).Append(api.Event{}), event.New(1).Append(api.Event{})
	if a.ID == b.ID {
		t.Errorf("two logs share the id %q", a.ID)
	}
}

func TestSubscribe(t *testing.T) {
	const resync = api.EventStreamResync
	other := fill(event.New(4), 2)
	tests := map[string]struct {
		appended int
		last     func(ids []string) string
		want     []string
	}{
		"without an id nothing is replayed":    {3, func([]string) string { return "" }, nil},
		"after the newest":                     {3, func(ids []string) string { return ids[2] }, nil},
		"inside the ring":                      {3, func(ids []string) string { return ids[0] }, []string{"2", "3"}},
		"before the first":                     {3, func(ids []string) string { return strings.TrimSuffix(ids[0], "1") + "0" }, []string{"1", "2", "3"}},
		"right before the oldest kept":         {6, func(ids []string) string { return ids[1] }, []string{"3", "4", "5", "6"}},
		"older than the ring":                  {6, func(ids []string) string { return ids[0] }, []string{resync, "3", "4", "5", "6"}},
		"another epoch":                        {3, func([]string) string { return other[0] }, []string{resync, "1", "2", "3"}},
		"another epoch and an empty log":       {0, func([]string) string { return other[0] }, []string{resync}},
		"an id that was not given yet":         {3, func(ids []string) string { return strings.TrimSuffix(ids[2], "3") + "4" }, []string{resync, "1", "2", "3"}},
		"garbage":                              {2, func([]string) string { return "garbage" }, []string{resync, "1", "2"}},
		"a number with a sign":                 {2, func(ids []string) string { return strings.TrimSuffix(ids[0], "1") + "+1" }, []string{resync, "1", "2"}},
		"a number written with leading zeroes": {2, func(ids []string) string { return strings.TrimSuffix(ids[0], "1") + "01" }, []string{resync, "1", "2"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := event.New(4)
			ids := fill(l, tt.appended)
			if diff := cmp.Diff(tt.want, drain(l.Subscribe(tt.last(ids)))); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPositionContinuesWithoutAGap(t *testing.T) {
	l := event.New(4)
	ids := fill(l, 6)
	s := l.Subscribe(ids[0])
	if got := s.Position(); got != ids[0] {
		t.Errorf("position before the first Next = %q, want %q", got, ids[0])
	}
	e, err := s.Next(t.Context())
	if err != nil || e.Type != api.EventStreamResync {
		t.Fatalf("first event = %v, %v, want a resync", e.Type, err)
	}
	if s.Position() != e.ID {
		t.Errorf("position = %q, want the id of the resync %q", s.Position(), e.ID)
	}
	if diff := cmp.Diff([]string{"3", "4", "5", "6"}, drain(l.Subscribe(e.ID))); diff != "" {
		t.Errorf("continuing after the resync (-want +got):\n%s", diff)
	}
	live := l.Subscribe("")
	pos := live.Position()
	l.Append(login("7"))
	if diff := cmp.Diff([]string{"7"}, drain(l.Subscribe(pos))); diff != "" {
		t.Errorf("continuing a live subscription that got nothing (-want +got):\n%s", diff)
	}
	if got := l.Subscribe("garbage").Position(); got != "" {
		t.Errorf("position of an unknown id = %q, want none", got)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := event.New(0)
		s := l.Subscribe("")
		got := make(chan api.Event)
		go func() {
			e, err := s.Next(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- e
		}()
		time.Sleep(time.Hour)
		select {
		case e := <-got:
			t.Fatalf("got %v before anything was appended", e)
		default:
		}
		want := l.Append(login("x"))
		if e := <-got; e.ID != want.ID {
			t.Errorf("got %q, want %q", e.ID, want.ID)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want the context's", err)
		}
	})
}

func TestSlowSubscriberGetsOneResyncAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := event.New(4)
		slow, fast := l.Subscribe(""), l.Subscribe("")
		var got []string
		for i := range 10 {
			l.Append(login(fmt.Sprint(i + 1)))
			got = append(got, drain(fast)...)
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, got); diff != "" {
			t.Errorf("fast subscriber (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{api.EventStreamResync, "7", "8", "9", "10"}, drain(slow)); diff != "" {
			t.Errorf("slow subscriber (-want +got):\n%s", diff)
		}
	})
}

// With a log that keeps everything, concurrent subscribers see all events of
// concurrent writers, in the one order.
func TestConcurrentUse(t *testing.T) {
	const writers, each, readers = 4, 200, 4
	l := event.New(writers * each)
	var wg sync.WaitGroup
	for range readers {
		s := l.Subscribe("")
		wg.Go(func() {
			last := s.Position()
			epoch, _, _ := strings.Cut(last, "-")
			for i := range writers * each {
				e, err := s.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if want := fmt.Sprintf("%s-%d", epoch, i+1); e.ID != want {
					t.Errorf("got %q, want %q", e.ID, want)
					return
				}
			}
		})
	}
	for range writers {
		wg.Go(func() { fill(l, each) })
	}
	wg.Wait()
}
