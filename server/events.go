package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/sse"
)

const (
	// heartbeat is the silence after which a stream shows that it is alive.
	heartbeat = 15 * time.Second
	// reconnect is what clients are asked to wait before they come back.
	reconnect = 3 * time.Second
)

// events is GET /v1/events: the event log as server-sent events. It continues
// after the event that the Last-Event-ID header names and begins with the
// present without one; the answer's own Last-Event-ID header is where it
// begins, so that a client that is cut off before the first event can continue
// too.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		return nil
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return api.Errorf(api.CodeTooManyStreams, "%d event streams are open already", s.MaxStreams)
	}
	sub := s.Broker.Events().Subscribe(r.Header.Get("Last-Event-ID"))
	if at := sub.Position(); at != "" {
		w.Header().Set("Last-Event-ID", at)
	}
	stream, err := sse.NewWriter(w)
	if err != nil {
		return err
	}
	if err := stream.Retry(reconnect); err != nil {
		return nil // the client is gone, here and below
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.streaming, cancel)()
	for {
		beat, stop := context.WithTimeout(ctx, heartbeat)
		// Next hands out what is there before it looks at the context, so
		// that a stream which is being closed delivers what led to it.
		e, err := sub.Next(beat)
		stop()
		switch {
		case err == nil:
			err = send(stream, e)
		case ctx.Err() != nil:
			return nil
		default:
			err = stream.Comment("heartbeat")
		}
		if err != nil {
			return nil
		}
	}
}

func send(stream *sse.Writer, e api.Event) error {
	// Whatever an event was made of, a stream shows no codes or links.
	if e.Login != nil {
		public := e.Login.Public()
		e.Login = &public
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return stream.Event(e.ID, e.Type, data)
}
