package usher

import (
	"context"
	"errors"
	"io"
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

var (
	// errStopped is the end of an iteration by its user.
	errStopped = errors.New("stopped")
	// errSilent is a connection that was given up because nothing came.
	errSilent = errors.New("connection is silent")
)

// A stream is one connection to a stream of server-sent events.
type stream struct {
	request request
	// patience is how long the daemon has until the first sign of life.
	patience time.Duration
	// opened is told of the answer's header before any event; event gets
	// each. An error of theirs ends the stream.
	opened func(http.Header) error
	event  func(sse.Event) error
}

// read reads s until it ends. It always returns an error.
func (c *Client) read(ctx context.Context, s stream) error {
	// A connection that went silent is given up by a context of its own.
	conn, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(s.patience, cancel)
	defer watchdog.Stop()
	s.request.header.Set("Accept", "text/event-stream")
	route := s.request.route
	resp, err := c.send(conn, s.request)
	silent := func() bool { return conn.Err() != nil && ctx.Err() == nil }
	switch {
	case err != nil && silent():
		return &Error{Code: api.CodeDaemonUnreachable, Route: route, Message: "daemon does not answer", Err: errSilent}
	case err != nil:
		return err
	}
	defer resp.Body.Close()
	if mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mediaType != "text/event-stream" {
		return foreign(route, resp.StatusCode, "something that is not an event stream")
	}
	if err := s.opened(resp.Header); err != nil {
		return err
	}
	for frame, err := range sse.Read(&alive{resp.Body, watchdog}, maxEvent) {
		if err != nil && silent() {
			err = errSilent
		}
		if err != nil {
			return &Error{Code: api.CodeDaemonUnreachable, Route: route, Message: "reading events", Err: err}
		}
		if err := s.event(frame); err != nil {
			return err
		}
	}
	return &Error{Code: api.CodeDaemonUnreachable, Route: route, Message: "daemon closed the event stream", Err: io.EOF}
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

// reconnect calls connect again and again, with growing pauses, until ctx ends,
// its user stops, or an error comes that no reconnecting heals, which it
// returns.
func reconnect(ctx context.Context, connect func() error) error {
	var b backoff
	for {
		began := time.Now()
		err := connect()
		// An event alone proves nothing: what is cut off after each one must
		// not be asked without a pause.
		if time.Since(began) > maxPause {
			b = backoff{}
		}
		switch {
		case errors.Is(err, errStopped), ctx.Err() != nil:
			return nil
		case !transient(err):
			return err
		case !b.wait(ctx):
			return nil
		}
	}
}
