package usher

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/usherauth/usher/internal/sse"
)

// Events yields what happens to logins and credentials, in order, from the event
// lastID on, or from now on if that is empty. It reconnects after the last event
// that it has seen, with growing pauses, until ctx ends, which ends the iteration
// without an error. An error that no reconnecting heals, such as one that matches
// [ErrUnauthorized], is yielded last.
//
// An event of type [api.EventStreamResync] stands for events that are lost, as
// after a restart of the daemon: read the state anew.
func (c *Client) Events(ctx context.Context, lastID string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		at := lastID // of this iteration
		err := reconnect(ctx, func() error {
			s := eventStream(at)
			s.patience = silence
			s.opened = func(h http.Header) error {
				if at == "" {
					at = h.Get("Last-Event-ID")
				}
				return nil
			}
			s.event = func(frame sse.Event) error {
				e, err := decodeEvent(frame)
				if err != nil {
					return err
				}
				at = frame.ID
				if !yield(e, nil) {
					return errStopped
				}
				return nil
			}
			return c.read(ctx, s)
		})
		if err != nil {
			yield(Event{}, err)
		}
	}
}

// eventStream is the daemon's stream from the event lastID on.
func eventStream(lastID string) stream {
	r := request{route: "GET /v1/events", header: http.Header{}}
	if lastID != "" {
		r.header.Set("Last-Event-ID", lastID)
	}
	return stream{request: r}
}

func decodeEvent(frame sse.Event) (e Event, err error) {
	if json.Unmarshal(frame.Data, &e) != nil {
		return e, foreign("GET /v1/events", http.StatusOK, "an event that is not the expected JSON")
	}
	return e, nil
}
