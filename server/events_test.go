package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/event"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/internal/sse"
	"github.com/usherauth/usher/server"
)

// open opens an event stream of h.
func open(t *testing.T, h http.Handler, lastID string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:4170/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := (&http.Client{Transport: &memhttp.Transport{Handler: h}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// take reads n events of a stream as "type login".
func take(t *testing.T, resp *http.Response, n int) []string {
	t.Helper()
	var got []string
	for frame, err := range sse.Read(resp.Body, 0) {
		if err != nil {
			t.Fatal(err)
		}
		var e api.Event
		if err := json.Unmarshal(frame.Data, &e); err != nil {
			t.Fatal(err)
		}
		if e.ID != frame.ID || e.Type != frame.Type {
			t.Errorf("frame %s %s holds event %s %s", frame.ID, frame.Type, e.ID, e.Type)
		}
		s := e.Type
		if e.Login != nil {
			s += " " + e.Login.ID
		}
		if got = append(got, s); len(got) == n {
			return got
		}
	}
	return got
}

func started(l *event.Log, from, to int) (ids []string) {
	for i := from; i <= to; i++ {
		ids = append(ids, l.Append(api.Event{Type: api.EventLoginStarted, Login: &api.Login{ID: fmt.Sprint(i)}}).ID)
	}
	return ids
}

func TestStreamReplays(t *testing.T) {
	fake := newFake() // keeps 8 events
	h := handler(t, server.Config{Broker: fake})
	ids := started(fake.log, 1, 10)
	tests := map[string]struct {
		last string
		want []string
	}{
		"inside the ring": {ids[7], []string{"login.started 9", "login.started 10"}},
		"too old":         {ids[0], []string{"stream.resync", "login.started 3", "login.started 4", "login.started 5", "login.started 6", "login.started 7", "login.started 8", "login.started 9", "login.started 10"}},
		"other epoch":     {"other-3", []string{"stream.resync", "login.started 3"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, take(t, open(t, h, tt.last), len(tt.want))); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("without an id", func(t *testing.T) {
		resp := open(t, h, "")
		if got := resp.Header.Get("Last-Event-ID"); got != ids[9] {
			t.Errorf("Last-Event-ID = %q, want %q", got, ids[9])
		}
		started(fake.log, 11, 11)
		if diff := cmp.Diff([]string{"login.started 11"}, take(t, resp, 1)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestStreamBytesAndHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		resp := open(t, handler(t, server.Config{Broker: fake}), "")
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		l := pendingLogin() // with codes, which must not come out
		id := fake.log.Append(api.Event{Type: api.EventLoginStarted, Time: created, Login: &l}).ID
		want := "retry: 3000\n\nid: " + id + "\nevent: login.started\ndata: {\"id\":\"" + id + `","time":"2026-11-21T10:00:00Z","type":"login.started","login":{"id":"l-1","key":"github","provider":"github","account":"default","method":"device","status":"pending","created_at":"2026-11-21T10:00:00Z","expires_at":"2026-11-21T10:15:00Z","interval":5}}` + "\n\n: heartbeat\n\n: heartbeat\n\n"
		began := time.Now()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(resp.Body, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("stream (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("two heartbeats took %v, want 30s", took)
		}
	})
}

// A reader that stands still gets a resync instead of what it missed; others
// and the log do not notice.
func TestSlowReaderIsResynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		h := handler(t, server.Config{Broker: fake})
		slow, fast := open(t, h, ""), open(t, h, "")
		synctest.Wait()
		began := time.Now()
		for i := range 30 {
			started(fake.log, i+1, i+1)
			if got := take(t, fast, 1); got[0] != fmt.Sprintf("login.started %d", i+1) {
				t.Fatalf("fast reader got %q", got)
			}
		}
		if time.Since(began) != 0 {
			t.Errorf("appending took %v", time.Since(began))
		}
		resynced, last := 0, ""
		for last != "login.started 30" {
			last = take(t, slow, 1)[0]
			if last == "stream.resync" {
				resynced++
			}
		}
		if resynced != 1 {
			t.Errorf("slow reader got %d resyncs, want 1", resynced)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	h := handler(t, server.Config{})
	var streams []*http.Response
	for range server.MaxStreams {
		streams = append(streams, open(t, h, ""))
	}
	resp := open(t, h, "")
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(body), `"code":"too_many_streams"`) {
		t.Errorf("one too many: %d %s, %v", resp.StatusCode, body, err)
	}
	streams[0].Body.Close()
	// The place is free once the handler has noticed.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for resp.StatusCode != http.StatusOK {
		if ctx.Err() != nil {
			t.Fatal("the place of a closed stream is not given away")
		}
		resp = open(t, h, "")
	}
}

func TestHeadOfTheStreamEnds(t *testing.T) {
	w := serve(handler(t, server.Config{}), authorized("HEAD", "/v1/events", ""))
	if w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d %q", w.Code, w.Body)
	}
}
