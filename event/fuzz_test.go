package event_test

import (
	"context"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/event"
)

// FuzzSubscribe: an id from anywhere gives a subscription that goes on with
// what is appended next, at the latest.
func FuzzSubscribe(f *testing.F) {
	f.Add("")
	f.Add("abc-1")
	f.Add("-")
	f.Add("abc-18446744073709551616")
	f.Fuzz(func(t *testing.T, lastID string) {
		log := event.New(4)
		for range 6 {
			log.Append(api.Event{Type: api.EventLoginStarted})
		}
		sub := log.Subscribe(lastID)
		last := log.Append(api.Event{Type: api.EventLoginAuthorized})
		for range 10 {
			e, err := sub.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if e.ID == last.ID {
				return
			}
		}
		t.Error("the newest event did not come")
	})
}
