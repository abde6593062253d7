package usher

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/sse"
)

// CreateSession makes a session, which is a stream of events of the compatible
// surface and no more. Programs that need no state shared with clients of
// `qwen serve` have more of [Client.Events].
func (c *Client) CreateSession(ctx context.Context) (Session, error) {
	var out Session
	r := request{route: "POST /session", body: struct{}{}}
	if err := c.call(ctx, r, &out); err != nil {
		return Session{}, err
	}
	if out.SessionID == "" {
		return Session{}, foreign(r.route, http.StatusOK, "no session")
	}
	return out, nil
}

// SessionEvents yields the events of the session called id that come after
// number from; 0 is its beginning. It reconnects like [Client.Events], and ends
// with an error like it, such as one of code [api.CompatSessionNotFound].
//
// What the stream says of itself is yielded too. After an event of type
// [api.SessionResyncRequired] events are missing, or are yielded again with
// numbers of their own: read the state anew. Frames that are no events are
// passed over. [AuthState.Reduce] makes a state of the rest.
func (c *Client) SessionEvents(ctx context.Context, id string, from int64) iter.Seq2[SessionEvent, error] {
	return func(yield func(SessionEvent, error) bool) {
		at, epoch := from, "" // where this iteration is, and who numbered that
		err := reconnect(ctx, func() error {
			r, err := sessionRequest(id, at, epoch)
			if err != nil {
				return err
			}
			var numbering string // of this connection
			return c.read(ctx, stream{
				request:  r,
				patience: silence,
				opened: func(h http.Header) error {
					numbering = h.Get(epochHeader)
					return nil
				},
				event: func(frame sse.Event) error {
					var e SessionEvent
					if json.Unmarshal(frame.Data, &e) != nil {
						return nil // a frame of another version, perhaps
					}
					// A new epoch first says where it begins. Taken earlier, it
					// would vouch for a number that is not its own.
					epoch = numbering
					if d, ok := e.Data.(api.StreamResyncData); ok {
						at = max(d.EarliestAvailableID-1, 0)
					} else if e.ID != 0 {
						at = e.ID
					}
					if !yield(e, nil) {
						return errStopped
					}
					return nil
				},
			})
		})
		if err != nil {
			yield(SessionEvent{}, err)
		}
	}
}

// epochHeader names who numbered a session's events: numbers of one epoch mean
// nothing in another.
const epochHeader = "X-Qwen-Event-Epoch"

func sessionRequest(id string, after int64, epoch string) (request, error) {
	r := request{
		route: "GET /session/{id}/events", path: "/session/" + url.PathEscape(id) + "/events",
		header: http.Header{},
	}
	r.header.Set("Last-Event-ID", strconv.FormatInt(max(after, 0), 10))
	if id == "" {
		return r, &Error{Code: api.CodeInvalidRequest, Route: r.route, Message: "session id is empty"}
	}
	if epoch != "" {
		r.header.Set(epochHeader, epoch)
	}
	return r, nil
}
