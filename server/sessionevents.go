package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/usherauth/usher/internal/uuid"
	"github.com/usherauth/usher/session"
)

// The comment and the field of session streams that are always the same.
var (
	retryFrame     = fmt.Appendf(nil, "retry: %d\n\n", reconnect.Milliseconds())
	heartbeatFrame = []byte(": heartbeat\n\n")
)

// sessionEvents is GET /session/{id}/events: the login events as the frames of
// the contract.
func (g *gateway) sessionEvents(w http.ResponseWriter, r *http.Request) error {
	hub, id := g.Broker.Sessions(), r.PathValue("id")
	maxQueued, err := maxQueued(r.URL.Query())
	if err != nil {
		return err
	}
	if _, err := clientID(r); err != nil {
		return err
	}
	if _, ok := hub.Touch(id); !ok {
		return noSession(r)
	}
	h := w.Header()
	h.Set("X-Qwen-Event-Epoch", hub.Epoch())
	if r.Method == http.MethodHead {
		streamHeader(h)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	select {
	case g.followed <- struct{}{}:
	default:
		return tooManySubscribers(h, cap(g.followed))
	}
	sub, err := hub.Subscribe(id, session.Options{
		LastEventID: r.Header.Get("Last-Event-ID"), Epoch: r.Header.Get("X-Qwen-Event-Epoch"), MaxQueued: maxQueued,
	})
	if err != nil {
		<-g.followed
		if errors.Is(err, session.ErrTooManySubscribers) {
			return tooManySubscribers(h, session.MaxSubscribers)
		}
		return noSession(r)
	}
	streamHeader(h)
	follow := func(ctx context.Context, send func([]byte) error) {
		g.sessionStreams.Add(1)
		defer func() { g.sessionStreams.Add(-1); <-g.followed }()
		defer sub.Close()
		g.follow(ctx, sub, send)
	}
	if !g.detached(w, r, follow) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(g.streaming, cancel)()
		follow(ctx, frameWriter(w))
	}
	return nil
}

func tooManySubscribers(h http.Header, limit int) error {
	h.Set("Retry-After", retryAfterLimit)
	refusal := compat(http.StatusTooManyRequests, codeSubscriberLimit,
		fmt.Sprintf("EventBus subscriber limit reached (%d)", limit))
	refusal.body.Limit = limit
	return refusal
}

func streamHeader(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no") // nginx would collect frames otherwise
	h.Set("X-Qwen-SSE-Stream-Id", uuid.New())
}

// frameWriter returns a function that sends one frame at once by net/http's
// means. Each write of a connection has its deadline already, see [conn.Write].
func frameWriter(w http.ResponseWriter) func(frame []byte) error {
	control := http.NewResponseController(w)
	return func(frame []byte) error {
		if _, err := w.Write(frame); err != nil {
			return err
		}
		return control.Flush()
	}
}

// follow sends the frames of sub until the stream is over or ctx ends, which
// it does when the client is gone or the server stops. There is one goroutine
// per stream, and it allocates nothing per frame.
func (s *Server) follow(ctx context.Context, sub *session.Subscription, send func([]byte) error) {
	if send(retryFrame) != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	done := ctx.Done()
	for ended := false; ; {
		frame, wait := sub.Take()
		switch {
		case frame != nil:
			if send(frame) != nil {
				return
			}
			continue
		case wait == nil, ended:
			return
		}
		select {
		case <-wait:
		case <-beat.C:
			if send(heartbeatFrame) != nil {
				return
			}
		case <-done:
			ended = true // what led to it may be there, and the client too
		}
	}
}

// maxQueued is how far a client allows itself to lag behind; 0 if it does not
// say.
func maxQueued(query url.Values) (int, error) {
	text := query.Get("maxQueued")
	if !query.Has("maxQueued") {
		return 0, nil
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			text = ""
			break
		}
	}
	if text == "" {
		return 0, compat(http.StatusBadRequest, codeInvalidMaxQueued, "`maxQueued` must be a decimal integer")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < session.MinQueued || n > session.MaxQueued {
		return 0, compat(http.StatusBadRequest, codeInvalidMaxQueued,
			fmt.Sprintf("`maxQueued` must be in [%d, %d]", session.MinQueued, session.MaxQueued))
	}
	return n, nil
}
