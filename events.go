package usher

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/sse"
)

const (
	// maxEvent bounds an event; real ones are below a kilobyte.
	maxEvent = 256 << 10
	// silence is how long a stream may be silent. The daemon shows a sign of
	// life every 15 s; three missing ones are a dead connection.
	silence = 45 * time.Second
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
		s := stream{client: c, lastID: lastID}
		var b backoff
		for ctx.Err() == nil {
			began := time.Now()
			err := s.follow(ctx, func(e Event) bool { return yield(e, nil) })
			// An event alone proves nothing: what is cut off after each one
			// must not be asked without a pause.
			if time.Since(began) > maxPause {
				b = backoff{}
			}
			switch {
			case errors.Is(err, errStopped), ctx.Err() != nil:
				return
			case !transient(err):
				yield(Event{}, err)
				return
			case !b.wait(ctx):
				return
			}
		}
	}
}

// errStopped is the end of an iteration by its user.
var errStopped = errors.New("stopped")

// A stream is what outlasts the connections of one iteration.
type stream struct {
	client *Client
	lastID string
}

// follow yields the events of one connection. It always returns an error.
func (s *stream) follow(ctx context.Context, yield func(Event) bool) error {
	// A connection that went silent is given up by a context of its own.
	conn, cancel := context.WithCancel(ctx)
	defer cancel()
	r := request{route: "GET /v1/events", header: http.Header{"Accept": {"text/event-stream"}}}
	if s.lastID != "" {
		r.header.Set("Last-Event-ID", s.lastID)
	}
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	resp, err := s.client.send(conn, r)
	if err != nil && conn.Err() != nil && ctx.Err() == nil {
		return &Error{Code: api.CodeDaemonUnreachable, Route: r.route, Message: "daemon does not answer", Err: err}
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mediaType != "text/event-stream" {
		return foreign(r.route, resp.StatusCode, "something that is not an event stream")
	}
	if at := resp.Header.Get("Last-Event-ID"); at != "" && s.lastID == "" {
		s.lastID = at
	}
	for frame, err := range sse.Read(&alive{resp.Body, watchdog}, maxEvent) {
		if err != nil {
			return &Error{Code: api.CodeDaemonUnreachable, Route: r.route, Message: "reading events", Err: err}
		}
		var e Event
		if err := json.Unmarshal(frame.Data, &e); err != nil {
			return foreign(r.route, resp.StatusCode, "an event that is not the expected JSON")
		}
		s.lastID = frame.ID
		if !yield(e) {
			return errStopped
		}
	}
	return &Error{Code: api.CodeDaemonUnreachable, Route: r.route, Message: "daemon closed the event stream", Err: io.EOF}
}

// alive keeps the watchdog quiet while something is read.
type alive struct {
	io.Reader
	watchdog *time.Timer
}

func (a *alive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n > 0 {
		a.watchdog.Reset(silence)
	}
	return n, err
}
