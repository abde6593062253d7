package usher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
)

// A script answers each connection to a session's stream with the next of its
// parts, and keeps what was asked. The last part stays open.
type script struct {
	parts []part
	asked []string // method, path, Last-Event-ID and epoch
}

type part struct {
	epoch  string
	status int // 200 if 0
	body   string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.EscapedPath(), r.Header.Get("Last-Event-ID"), r.Header.Get("X-Qwen-Event-Epoch")))
	p := s.parts[0]
	last := len(s.parts) == 1
	if !last {
		s.parts = s.parts[1:]
	}
	if p.status != 0 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(p.status)
		_, _ = io.WriteString(w, p.body)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Qwen-Event-Epoch", p.epoch)
	_, _ = io.WriteString(w, "retry: 3000\n\n"+p.body)
	_ = http.NewResponseController(w).Flush()
	if last {
		<-r.Context().Done()
	}
}

// frames are session frames as they stand in a stream.
func frames(bodies ...string) (text string) {
	for _, b := range bodies {
		text += "data: " + b + "\n\n"
	}
	return text
}

// told collects the next n frames of a session as type and number.
func told(t *testing.T, ctx context.Context, c *usher.Client, from int64, n int) (got []string) {
	t.Helper()
	for e, err := range c.SessionEvents(ctx, "s 1", from) {
		if err != nil {
			t.Error(err)
			break
		}
		if got = append(got, fmt.Sprintf("%s %d", e.Type, e.ID)); len(got) == n {
			break
		}
	}
	return got
}

func TestSessionEventsContinue(t *testing.T) {
	const (
		cancelled = `{"id":%d,"v":1,"type":"auth_device_flow_cancelled","data":{"deviceFlowId":"f"}}`
		replayed  = `{"v":1,"type":"replay_complete","data":{"replayedCount":0}}`
		resync    = `{"v":1,"type":"state_resync_required","data":{"reason":"epoch_reset","detail":"epoch_mismatch","lastDeliveredId":9,"earliestAvailableId":%d}}`
	)
	event := func(id int) string { return fmt.Sprintf(cancelled, id) }
	tests := map[string]struct {
		parts []part
		want  []string // told
		asked []string // Last-Event-ID and epoch of each connection
	}{
		"after a break, from the last number and its epoch": {
			[]part{{epoch: "e1", body: frames(replayed, event(8), event(9))}, {epoch: "e1", body: frames(replayed, event(10))}},
			[]string{"replay_complete 0", "auth_device_flow_cancelled 8", "auth_device_flow_cancelled 9", "replay_complete 0", "auth_device_flow_cancelled 10"},
			[]string{"7 ", "9 e1"},
		},
		"after a break before any frame, as before": {
			[]part{{epoch: "e1"}, {epoch: "e1", body: frames(event(8))}},
			[]string{"auth_device_flow_cancelled 8"},
			[]string{"7 ", "7 "},
		},
		"after a restart, with the numbers of the new epoch": {
			[]part{{epoch: "e1", body: frames(event(9))}, {epoch: "e2", body: frames(fmt.Sprintf(resync, 1), event(1))}, {epoch: "e2", body: frames(event(2))}},
			[]string{"auth_device_flow_cancelled 9", "state_resync_required 0", "auth_device_flow_cancelled 1", "auth_device_flow_cancelled 2"},
			[]string{"7 ", "9 e1", "1 e2"},
		},
		"after a restart and a break before it was told": {
			[]part{{epoch: "e1", body: frames(event(9))}, {epoch: "e2"}, {epoch: "e2", body: frames(event(10))}},
			[]string{"auth_device_flow_cancelled 9", "auth_device_flow_cancelled 10"},
			[]string{"7 ", "9 e1", "9 e1"},
		},
		"after a restart and a break in what is told anew": {
			[]part{{epoch: "e1", body: frames(event(9))}, {epoch: "e2", body: frames(fmt.Sprintf(resync, 1025))}, {epoch: "e2", body: frames(event(1025))}},
			[]string{"auth_device_flow_cancelled 9", "state_resync_required 0", "auth_device_flow_cancelled 1025"},
			[]string{"7 ", "9 e1", "1024 e2"},
		},
		"over what is no frame": {
			[]part{{body: frames(`{"id":8,"v":2,"type":"x","data":{}}`, `{`, `null`, event(9))}},
			[]string{"auth_device_flow_cancelled 9"},
			[]string{"7 "},
		},
		"after having been evicted or refused": {
			[]part{
				{epoch: "e1", body: frames(event(8), `{"v":1,"type":"client_evicted","data":{"reason":"queue_overflow","droppedAfter":8}}`)},
				{status: 429, body: `{"error":"EventBus subscriber limit reached (64)","code":"subscriber_limit_exceeded"}`},
				{epoch: "e1", body: frames(event(9))},
			},
			[]string{"auth_device_flow_cancelled 8", "client_evicted 0", "auth_device_flow_cancelled 9"},
			[]string{"7 ", "8 e1", "8 e1"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{parts: tt.parts}
				d := &daemon{}
				d.serve(s)
				defer d.stop()
				if diff := cmp.Diff(tt.want, told(t, t.Context(), d.client(), 7, len(tt.want))); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				var want []string
				for _, a := range tt.asked {
					want = append(want, "GET /session/s%201/events "+a)
				}
				if diff := cmp.Diff(want, s.asked); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestSessionEventsAreTyped(t *testing.T) {
	tests := map[string]any{
		`{"id":1,"v":1,"type":"auth_device_flow_started","data":{"deviceFlowId":"f","providerId":"p","expiresAt":5}}`:                           api.FlowStartedData{DeviceFlowID: "f", ProviderID: "p", ExpiresAt: 5},
		`{"id":1,"v":1,"type":"auth_device_flow_throttled","data":{"deviceFlowId":"f","intervalMs":10000}}`:                                     api.FlowThrottledData{DeviceFlowID: "f", IntervalMs: 10000},
		`{"id":1,"v":1,"type":"auth_device_flow_authorized","data":{"deviceFlowId":"f","providerId":"p","expiresAt":5,"accountAlias":"a"}}`:     api.FlowAuthorizedData{DeviceFlowID: "f", ProviderID: "p", ExpiresAt: 5, AccountAlias: "a"},
		`{"id":1,"v":1,"type":"auth_device_flow_failed","data":{"deviceFlowId":"f","errorKind":"k","hint":"h"}}`:                                api.FlowFailedData{DeviceFlowID: "f", ErrorKind: "k", Hint: "h"},
		`{"id":1,"v":1,"type":"auth_device_flow_cancelled","data":{"deviceFlowId":"f"}}`:                                                        api.FlowCancelledData{DeviceFlowID: "f"},
		`{"v":1,"type":"state_resync_required","data":{"reason":"r","detail":"d","lastDeliveredId":2,"earliestAvailableId":3}}`:                 api.StreamResyncData{Reason: "r", Detail: "d", LastDeliveredID: 2, EarliestAvailableID: 3},
		`{"v":1,"type":"replay_complete","data":{"lastReplayedEventId":4,"lastEventId":5,"replayedCount":1}}`:                                   api.StreamReplayedData{LastReplayedEventID: 4, LastEventID: 5, ReplayedCount: 1},
		`{"v":1,"type":"slow_client_warning","data":{"queueSize":1,"maxQueued":2,"lastEventId":3,"queuedBytes":4,"threshold":"frames"}}`:        api.StreamSlowData{QueueSize: 1, MaxQueued: 2, LastEventID: 3, QueuedBytes: 4, Threshold: "frames"},
		`{"v":1,"type":"client_evicted","data":{"reason":"r","droppedAfter":1,"queueSize":2,"maxQueued":3,"queuedBytes":4,"maxQueuedBytes":5}}`: api.StreamEvictedData{Reason: "r", DroppedAfter: 1, QueueSize: 2, MaxQueued: 3, QueuedBytes: 4, MaxQueuedBytes: 5},
		`{"id":1,"v":1,"type":"of_tomorrow","data":{"x":1}}`:                                                                                    json.RawMessage(`{"x":1}`),
		`{"id":1,"v":1,"type":"auth_device_flow_cancelled","data":{"deviceFlowId":5}}`:                                                          json.RawMessage(`{"deviceFlowId":5}`),
		`{"v":1,"type":"replay_complete","data":{"replayedCount":"x"}}`:                                                                         json.RawMessage(`{"replayedCount":"x"}`),
	}
	for frame, want := range tests {
		var e usher.SessionEvent
		if err := json.Unmarshal([]byte(frame), &e); err != nil {
			t.Errorf("%s: %v", frame, err)
		}
		if diff := cmp.Diff(want, e.Data); diff != "" {
			t.Errorf("%s (-want +got):\n%s", frame, diff)
		}
	}
}

func TestSessionEventsEnd(t *testing.T) {
	gone := &script{parts: []part{{status: 404, body: `{"error":"No session with id \"s 1\"","code":"session_not_found"}`}}}
	d := &daemon{}
	d.serve(gone)
	defer d.stop()
	var errs []string
	for _, err := range d.client().SessionEvents(t.Context(), "s 1", 0) {
		var e *usher.Error
		if !errors.As(err, &e) {
			t.Fatalf("error = %v", err)
		}
		errs = append(errs, fmt.Sprint(e.Status, " ", e.Code, " ", e.Route))
	}
	if want := []string{"404 session_not_found GET /session/{id}/events"}; !slices.Equal(errs, want) {
		t.Errorf("errors = %q, want %q", errs, want)
	}
	for _, err := range d.client().SessionEvents(t.Context(), "", 0) {
		if !errors.Is(err, usher.ErrInvalidRequest) {
			t.Errorf("without an id: %v", err)
		}
	}
	if len(gone.asked) != 1 {
		t.Errorf("asked %q", gone.asked)
	}
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{}
		d.serve(&script{parts: []part{{}}})
		defer d.stop()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if got := told(t, ctx, d.client(), 0, 1); got != nil {
			t.Errorf("told %q", got)
		}
	})
}

func TestCreateSession(t *testing.T) {
	d := &daemon{}
	d.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.Method+r.URL.Path != "POST/session" || string(body) != "{}" || err != nil || r.Header.Get("X-Qwen-Client-Id") != "my-ide" {
			t.Errorf("%s %s %q %v %v", r.Method, r.URL, body, err, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"sessionId":"s-1","workspaceCwd":"/abs","attached":false,"clientId":"client_x","createdAt":"2026-11-21T20:00:00.000Z"}`)
	}))
	defer d.stop()
	c := d.client()
	c.ClientID = "my-ide"
	got, err := c.CreateSession(t.Context())
	want := usher.Session{SessionID: "s-1", WorkspaceCwd: "/abs", ClientID: "client_x", CreatedAt: "2026-11-21T20:00:00.000Z"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, session (-want +got):\n%s", err, diff)
	}
	d.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }))
	if _, err := c.CreateSession(t.Context()); !errors.Is(err, usher.ErrDaemonUnreachable) {
		t.Errorf("an answer without a session: %v", err)
	}
}

// The same with a server of ours: nothing is lost or told twice over a break,
// and the state that comes of it is the daemon's.
func TestSessionOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		d, c := newDaemon(t, b)
		created, err := c.CreateSession(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		publish := func(typ string, data any) { b.hub.Publish("l-1", usher.SessionEvent{Type: typ, Data: data}) }
		publish(api.SessionFlowStarted, api.FlowStartedData{DeviceFlowID: "l-1", ProviderID: "github", ExpiresAt: 5})
		var types []string
		var state usher.AuthState
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e, err := range c.SessionEvents(t.Context(), created.SessionID, 0) {
				if err != nil {
					t.Error(err)
					return
				}
				if e.ID != 0 {
					types = append(types, fmt.Sprint(e.ID, " ", e.Type))
				}
				if state = state.Reduce(e); state.Flows["github"].Status == api.FlowAuthorized {
					return
				}
			}
		}()
		synctest.Wait()
		publish(api.SessionFlowThrottled, api.FlowThrottledData{DeviceFlowID: "l-1", IntervalMs: 10000})
		synctest.Wait()
		d.stop()
		publish(api.SessionFlowAuthorized, api.FlowAuthorizedData{DeviceFlowID: "l-1", ProviderID: "github", ExpiresAt: 7})
		d.start(t, b)
		<-done
		if diff := cmp.Diff([]string{"1 auth_device_flow_started", "2 auth_device_flow_throttled", "3 auth_device_flow_authorized"}, types); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		want := usher.AuthState{Flows: map[string]usher.Flow{"github": {
			DeviceFlowID: "l-1", Status: "authorized", IntervalMs: 10000, LastSeenEventID: 3, AuthorizedExpiresAt: 7,
		}}}
		if diff := cmp.Diff(want, state); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
	})
}
