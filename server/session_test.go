package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/server"
	"github.com/usherauth/usher/session"
)

func newSession(t testing.TB, h *session.Hub) string {
	t.Helper()
	s, err := h.Create("/work")
	if err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func publishCancelled(h *session.Hub, flow string) {
	h.Publish(flow, api.SessionEvent{Type: api.SessionFlowCancelled, Data: api.FlowCancelledData{DeviceFlowID: flow}})
}

// follow opens a session's stream; header holds names and values in turns.
func follow(t *testing.T, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:4170"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: &memhttp.Transport{Handler: h}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// readBytes reads as many bytes of a stream as are wanted, and compares.
func readBytes(t *testing.T, body io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(body, got)
	if diff := cmp.Diff(want, string(got[:n])); diff != "" || err != nil {
		t.Fatalf("stream: %v (-want +got):\n%s", err, diff)
	}
}

// Wire-protocol section 3.1.
func TestCreateSession(t *testing.T) {
	tests := map[string]struct {
		body, mediaType, clientID string
		status                    int
		want                      string
	}{
		"empty object":      {`{}`, "application/json", "", 200, `{"sessionId":"UUID","workspaceCwd":"/home/w","attached":false,"clientId":"client_UUID","createdAt":"TIME"}`},
		"a folder":          {`{"cwd":"/srv/x"}`, "application/json", "cli-A", 200, `{"sessionId":"UUID","workspaceCwd":"/srv/x","attached":false,"clientId":"client_UUID","createdAt":"TIME"}`},
		"null and unknown":  {`{"cwd":null,"modelServiceId":"m","sessionScope":"thread"}`, "application/json", "", 200, `{"sessionId":"UUID","workspaceCwd":"/home/w","attached":false,"clientId":"client_UUID","createdAt":"TIME"}`},
		"no body":           {``, "", "", 200, `{"sessionId":"UUID","workspaceCwd":"/home/w","attached":false,"clientId":"client_UUID","createdAt":"TIME"}`},
		"text":              {`hello`, "text/plain", "", 200, `{"sessionId":"UUID","workspaceCwd":"/home/w","attached":false,"clientId":"client_UUID","createdAt":"TIME"}`},
		"a relative folder": {`{"cwd":"x"}`, "application/json", "", 400, "{\"error\":\"`cwd` must be an absolute path\",\"code\":\"invalid_request\"}"},
		"no folder":         {`{"cwd":5}`, "application/json", "", 400, "{\"error\":\"`cwd` must be an absolute path\",\"code\":\"invalid_request\"}"},
		"a long folder":     {`{"cwd":"/` + strings.Repeat("x", 4096) + `"}`, "application/json", "", 400, "{\"error\":\"`cwd` must be an absolute path\",\"code\":\"invalid_request\"}"},
		"malformed":         {`{bad`, "application/json", "", 400, `{"error":"Invalid JSON in request body"}`},
		"bad client id":     {`{}`, "application/json", "bad id!", 400, "{\"error\":\"`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer\",\"code\":\"invalid_client_id\"}"},
	}
	blur := func(text string) string {
		text = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`).ReplaceAllString(text, "UUID")
		return regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`).ReplaceAllString(text, "TIME")
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := authorized("POST", "/session", tt.body)
			req.Header.Set("Content-Type", tt.mediaType)
			req.Header.Set("X-Qwen-Client-Id", tt.clientID)
			w := serve(handler(t, server.Config{Workspace: "/home/w"}), req)
			if w.Code != tt.status || blur(w.Body.String()) != tt.want {
				t.Errorf("answer = %d %s, want %d %s", w.Code, blur(w.Body.String()), tt.status, tt.want)
			}
		})
	}
}

func TestSessionRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		h := handler(t, server.Config{Broker: fake})
		id := newSession(t, fake.hub)
		const unknown = `{"error":"No session with id \"nope\"","code":"session_not_found","sessionId":"nope"}`
		for _, tt := range []struct {
			method, path, client string
			status               int
			want                 string
		}{
			{"POST", "/session/" + id + "/heartbeat", "cli-A", 200, `{"sessionId":"` + id + `","clientId":"cli-A","lastSeenAt":946684800000}`},
			{"POST", "/session/" + id + "/heartbeat", "", 200, `{"sessionId":"` + id + `","lastSeenAt":946684800000}`},
			{"POST", "/session/nope/heartbeat", "", 404, unknown},
			{"POST", "/session/" + id + "/detach", "cli-A", 204, ""},
			{"POST", "/session/nope/detach", "", 404, unknown},
			{"GET", "/session/nope/events", "", 404, unknown},
			{"HEAD", "/session/nope/events", "", 404, ""},
			{"HEAD", "/session/" + id + "/events", "", 200, ""},
			{"DELETE", "/session/nope", "", 404, unknown},
			{"DELETE", "/session/" + id, "bad id!", 400, "{\"error\":\"`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer\",\"code\":\"invalid_client_id\"}"},
			{"DELETE", "/session/" + id, "", 204, ""},
			{"DELETE", "/session/" + id, "", 404, strings.ReplaceAll(unknown, "nope", id)},
		} {
			req := authorized(tt.method, tt.path, "")
			req.Header.Set("X-Qwen-Client-Id", tt.client)
			w := serve(h, req)
			got := w.Body.String()
			if tt.method == "HEAD" {
				got = "" // what net/http does
			}
			if w.Code != tt.status || got != tt.want {
				t.Errorf("%s %s = %d %s, want %d %s", tt.method, tt.path, w.Code, got, tt.status, tt.want)
			}
		}
	})
}

// Wire-protocol section 3.2.
func TestSessionStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		h := handler(t, server.Config{Broker: fake})
		id := newSession(t, fake.hub)
		resp := follow(t, h, "/session/"+id+"/events", "Last-Event-ID", "0")
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "Connection": "keep-alive",
			"X-Accel-Buffering": "no", "X-Qwen-Event-Epoch": fake.hub.Epoch(), "X-Content-Type-Options": "nosniff",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if got := resp.Header.Get("X-Qwen-Sse-Stream-Id"); len(got) != 36 {
			t.Errorf("X-Qwen-SSE-Stream-Id = %q", got)
		}
		publishCancelled(fake.hub, "f-1")
		began := time.Now()
		readBytes(t, resp.Body, "retry: 3000\n\n"+
			"event: replay_complete\ndata: {\"v\":1,\"type\":\"replay_complete\",\"data\":{\"replayedCount\":0}}\n\n"+
			"id: 1\nevent: auth_device_flow_cancelled\ndata: {\"id\":1,\"v\":1,\"type\":\"auth_device_flow_cancelled\",\"data\":{\"deviceFlowId\":\"f-1\"},\"_meta\":{\"serverTimestamp\":946684800000}}\n\n"+
			": heartbeat\n\n: heartbeat\n\n")
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("two heartbeats took %v, want 30s", took)
		}
		// Frames do not put the heartbeat off.
		time.Sleep(14 * time.Second)
		publishCancelled(fake.hub, "f-2")
		synctest.Wait()
		time.Sleep(time.Second)
		readBytes(t, resp.Body, "id: 2\nevent: auth_device_flow_cancelled\ndata: {\"id\":2,\"v\":1,\"type\":\"auth_device_flow_cancelled\",\"data\":{\"deviceFlowId\":\"f-2\"},\"_meta\":{\"serverTimestamp\":946684844000}}\n\n: heartbeat\n\n")
		if got := time.Since(began); got != 45*time.Second {
			t.Errorf("third heartbeat after %v, want 45s", got)
		}
		fake.hub.Delete(id)
		if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
			t.Errorf("after the end: %q, %v", rest, err)
		}
	})
}

// Wire-protocol section 3.5, over a connection whose client does not read.
func TestSessionStreamEvictsTheSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		h := handler(t, server.Config{Broker: fake})
		id := newSession(t, fake.hub)
		slow := follow(t, h, "/session/"+id+"/events?maxQueued=16")
		fast := follow(t, h, "/session/"+id+"/events?maxQueued=16")
		readBytes(t, fast.Body, "retry: 3000\n\n")
		synctest.Wait() // the slow one is blocked in its first frame
		for i := range 20 {
			publishCancelled(fake.hub, "f")
			readBytes(t, fast.Body, fmt.Sprintf("id: %[1]d\nevent: auth_device_flow_cancelled\ndata: {\"id\":%[1]d,\"v\":1,\"type\":\"auth_device_flow_cancelled\",\"data\":{\"deviceFlowId\":\"f\"},\"_meta\":{\"serverTimestamp\":946684800000}}\n\n", i+1))
		}
		got, err := io.ReadAll(slow.Body)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(got), "retry: 3000\n\n") || strings.Count(string(got), "event: client_evicted\n") != 1 || !strings.HasSuffix(string(got), "}}\n\n") {
			t.Errorf("the slow client got %q", got)
		}
	})
}

func TestSessionStreamsAreBounded(t *testing.T) {
	fake := newFake()
	h := handler(t, server.Config{Broker: fake})
	id := newSession(t, fake.hub)
	path := "/session/" + id + "/events"
	var streams []*http.Response
	for range session.MaxSubscribers {
		streams = append(streams, follow(t, h, path))
	}
	resp := follow(t, h, path)
	body, err := io.ReadAll(resp.Body)
	want := `{"error":"EventBus subscriber limit reached (64)","code":"subscriber_limit_exceeded","limit":64}`
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || string(body) != want || resp.Header.Get("Retry-After") != "5" {
		t.Errorf("one too many: %d %s, Retry-After %q, %v", resp.StatusCode, body, resp.Header.Get("Retry-After"), err)
	}
	streams[0].Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for resp.StatusCode != http.StatusOK {
		if ctx.Err() != nil {
			t.Fatal("the place of a closed stream is not given away")
		}
		resp = follow(t, h, path)
	}
}

func TestSessionLimit(t *testing.T) {
	fake := newFake()
	for range session.MaxSessions {
		sub, err := fake.hub.Subscribe(newSession(t, fake.hub), session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
	}
	w := serve(handler(t, server.Config{Broker: fake}), authorized("POST", "/session", "{}"))
	want := `{"error":"Session limit reached (256)","code":"session_limit_exceeded","limit":256,"scope":"workspace"}`
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != want || w.Header().Get("Retry-After") != "5" {
		t.Errorf("one too many: %d %s, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
	}
}

func TestMaxQueued(t *testing.T) {
	const (
		integer = "{\"error\":\"`maxQueued` must be a decimal integer\",\"code\":\"invalid_max_queued\"}"
		bounds  = "{\"error\":\"`maxQueued` must be in [16, 2048]\",\"code\":\"invalid_max_queued\"}"
	)
	fake := newFake()
	h := handler(t, server.Config{Broker: fake})
	id := newSession(t, fake.hub)
	for query, want := range map[string]string{
		"maxQueued=15": bounds, "maxQueued=2049": bounds, "maxQueued=0": bounds, "maxQueued=99999999999999999999": bounds,
		"maxQueued=": integer, "maxQueued=-16": integer, "maxQueued=%2B16": integer, "maxQueued=16.0": integer, "maxQueued=1e2": integer, "maxQueued=1_6": integer, "maxQueued=x": integer,
		"maxQueued=16": "", "maxQueued=2048": "", "maxQueued=0016": "", "": "", "snapshot=1&connectReason=resume&previousStreamId=x": "",
	} {
		w := serve(h, authorized("HEAD", "/session/"+id+"/events?"+query, ""))
		status := http.StatusBadRequest
		if want == "" {
			status = http.StatusOK
		}
		if w.Code != status || w.Body.String() != want {
			t.Errorf("?%s = %d %s, want %d %s", query, w.Code, w.Body, status, want)
		}
	}
}

func FuzzSessionEvents(f *testing.F) {
	for _, seed := range []string{"", "0", "16", "999999999999999999999999", "-1", "%zz", "a\x00", "１６"} {
		f.Add(seed, seed, seed)
	}
	fake := newFake()
	s, err := fake.hub.Create("/")
	if err != nil {
		f.Fatal(err)
	}
	srv, err := server.New(server.Config{Broker: fake, NoAuth: true})
	if err != nil {
		f.Fatal(err)
	}
	h := srv.Handler(tcpAddr, false)
	f.Fuzz(func(t *testing.T, query, last, epoch string) {
		// A client that is gone already: the stream ends after what is there.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req := httptest.NewRequestWithContext(ctx, "GET", "/session/"+s.ID+"/events", nil)
		req.Host = "127.0.0.1:4170"
		req.URL.RawQuery = "maxQueued=" + query
		req.Header.Set("Last-Event-ID", last)
		req.Header.Set("X-Qwen-Event-Epoch", epoch)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		switch w.Code {
		case http.StatusOK:
			if !strings.HasPrefix(w.Body.String(), "retry: 3000\n\n") || !strings.HasSuffix(w.Body.String(), "\n\n") {
				t.Errorf("stream = %q", w.Body)
			}
		case http.StatusBadRequest:
			var body api.CompatError
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Code != "invalid_max_queued" {
				t.Errorf("refusal = %s, %v", w.Body, err)
			}
		default:
			t.Errorf("answer = %d %s", w.Code, w.Body)
		}
	})
}
