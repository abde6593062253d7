package apispec_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/usherauth/usher/e2e/apispec"
)

const document = "../../docs/api/openapi.yaml"

func load(t *testing.T) *apispec.Spec {
	t.Helper()
	s, err := apispec.Load(document)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reports collects what a proxy reports.
type reports struct {
	mu  sync.Mutex
	all []error
}

func (r *reports) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, err)
}

func (r *reports) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.all...)
}

// behind puts a proxy before a daemon that answers as h.
func behind(t *testing.T, h http.HandlerFunc) (*apispec.Spec, string, *reports) {
	t.Helper()
	daemon := httptest.NewServer(h)
	t.Cleanup(daemon.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	spec, found := load(t), new(reports)
	p := spec.Proxy(l, found.add)
	t.Cleanup(p.Close)
	p.Forward("tcp", daemon.Listener.Addr().String())
	return spec, p.URL(), found
}

// answer is a daemon that gives one answer.
func answer(status int, mediaType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Cache-Control", "no-store")
		if mediaType != "" {
			w.Header().Set("Content-Type", mediaType)
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const (
	asJSON    = "application/json"
	asProblem = "application/problem+json"
	asStream  = "text/event-stream"
)

// TestCheck shows that each kind of deviation is noticed, and none where there
// is none: a validator that lets everything pass proves nothing.
func TestCheck(t *testing.T) {
	t.Parallel()
	const pending = `{"id":"x","key":"a","provider":"a","account":"default","method":"device","status":"pending",` +
		`"created_at":"2026-11-21T21:15:00Z","expires_at":"2026-11-21T21:30:00Z","interval":5`
	const event = `"id":"e-1","time":"2026-11-21T21:15:00Z","type":"login.started"`
	tests := map[string]struct {
		method, path, body string
		daemon             http.HandlerFunc
		want               string // part of the report; empty for none
	}{
		"in order":                 {"GET", "/health", "", answer(200, asJSON, `{"status":"ok"}`), ""},
		"charset":                  {"GET", "/health", "", answer(200, asJSON+"; charset=utf-8", `{"status":"ok"}`), ""},
		"path in capitals":         {"GET", "/HEALTH/", "", answer(200, asJSON, `{"status":"ok"}`), ""},
		"native path in capitals":  {"GET", "/v1/LOGINS", "", answer(200, asJSON, `{"logins":[]}`), "not described"},
		"unknown status":           {"GET", "/health", "", answer(418, asJSON, `{"error":"tea"}`), "not described"},
		"unknown member":           {"GET", "/health", "", answer(200, asJSON, `{"status":"ok","more":1}`), "more"},
		"missing member":           {"GET", "/health", "", answer(200, asJSON, `{}`), "status"},
		"wrong value":              {"GET", "/health", "", answer(200, asJSON, `{"status":"fine"}`), "status"},
		"not JSON":                 {"GET", "/health", "", answer(200, asJSON, `ok`), "decode"},
		"wrong media type":         {"GET", "/health", "", answer(200, "text/html", `{"status":"ok"}`), "text/html"},
		"missing header":           {"GET", "/health", "", answer(401, asJSON, `{"error":"Unauthorized"}`), "WWW-Authenticate"},
		"unknown code":             {"GET", "/v1/logins/x", "", answer(404, asProblem, `{"type":"about:blank","title":"Not Found","status":404,"code":"gone_fishing"}`), "gone_fishing"},
		"body where none belongs":  {"DELETE", "/workspace/auth/device-flow/x", "", answer(200, asJSON, `{}`), "not described"},
		"code shown in a list":     {"GET", "/v1/logins", "", answer(200, asJSON, `{"logins":[`+pending+`,"user_code":"AB"}]}`), "user_code"},
		"code shown to its owner":  {"GET", "/v1/logins/x", "", answer(200, asJSON, pending+`,"user_code":"AB"}`), ""},
		"code of an ended login":   {"GET", "/v1/logins/x", "", answer(200, asJSON, strings.Replace(pending, "pending", "denied", 1)+`,"user_code":"AB"}`), "user_code"},
		"no operation":             {"GET", "/v1/nothing", "", answer(404, asProblem, `{"type":"about:blank","title":"Not Found","status":404,"code":"not_found"}`), ""},
		"no operation, as if":      {"GET", "/v1/nothing", "", answer(200, asJSON, `{}`), "not described"},
		"accepted request":         {"POST", "/v1/token", `{"key":"a"}`, answer(200, asJSON, `{"access_token":"t","token_type":"bearer"}`), ""},
		"accepted unknown member":  {"POST", "/v1/token", `{"key":"a","more":1}`, answer(200, asJSON, `{"access_token":"t","token_type":"bearer"}`), "more"},
		"accepted unknown query":   {"GET", "/v1/logins?more=1", "", answer(200, asJSON, `{"logins":[]}`), "more"},
		"accepted malformed query": {"GET", "/v1/logins/x?wait=soon", "", answer(200, asJSON, pending+`}`), "wait"},
		"refused request":          {"POST", "/v1/token", `{"more":1}`, answer(400, asProblem, `{"type":"about:blank","title":"Bad Request","status":400,"code":"invalid_key"}`), ""},
		"stream in order": {"GET", "/v1/events", "", answer(200, asStream,
			"retry: 3000\n\n: heartbeat\n\nid: e-1\nevent: login.started\ndata: {"+event+`,"login":`+pending+"}}\n\n"), ""},
		"stream with a code": {"GET", "/v1/events", "", answer(200, asStream,
			"id: e-1\nevent: login.started\ndata: {"+event+`,"login":`+pending+`,"user_code":"AB"}}`+"\n\n"), "user_code"},
		"stream with two types": {"GET", "/v1/events", "", answer(200, asStream,
			"id: e-1\nevent: login.denied\ndata: {"+event+`,"login":`+pending+"}}\n\n"), "of type"},
		"stream with two ids": {"GET", "/v1/events", "", answer(200, asStream,
			"id: e-2\nevent: login.started\ndata: {"+event+`,"login":`+pending+"}}\n\n"), "e-2"},
		"stream with an unknown type": {"GET", "/v1/events", "", answer(200, asStream,
			"id: e-1\nevent: login.lost\ndata: {"+strings.Replace(event, "started", "lost", 1)+`,"login":`+pending+"}}\n\n"), "login.lost"},
		"stream with a strange line": {"GET", "/v1/events", "", answer(200, asStream, "data: {}\ndata: {}\n\n"), "not expected"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url, found := behind(t, tt.daemon)
			r, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.body != "" {
				r.Header.Set("Content-Type", asJSON)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
			switch err := found.err(); {
			case tt.want == "" && err != nil:
				t.Errorf("reported: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("reported %v, want something about %q", err, tt.want)
			}
		})
	}
}

// TestUnseen follows a status and a code from unseen to seen.
func TestUnseen(t *testing.T) {
	t.Parallel()
	spec, url, found := behind(t, answer(404, asJSON, `{"error":"Device-flow x not found","code":"device_flow_not_found"}`))
	want := []string{"getDeviceFlow 404 Not Found", "getDeviceFlow 404 device_flow_not_found"}
	for _, line := range want {
		if !slices.Contains(spec.Unseen(), line) {
			t.Errorf("%q is seen before anything came", line)
		}
	}
	response, err := http.Get(url + "/workspace/auth/device-flow/x")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if err := found.err(); err != nil {
		t.Error(err)
	}
	for _, line := range want {
		if slices.Contains(spec.Unseen(), line) {
			t.Errorf("%q is unseen although it came", line)
		}
	}
}

// TestProxyPassesStreamsOn waits for a frame while the daemon still holds the
// stream open.
func TestProxyPassesStreamsOn(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	_, url, found := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", asStream)
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, "retry: 3000\n\n")
		http.NewResponseController(w).Flush()
		<-more
		io.WriteString(w, ": heartbeat\n\n")
	})
	response, err := http.Get(url + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || lines.Text() != "retry: 3000" {
		t.Errorf("first line: %q, %v", lines.Text(), lines.Err())
	}
	close(more)
	rest := []string{}
	for lines.Scan() {
		rest = append(rest, lines.Text())
	}
	if got := strings.Join(rest, "|"); got != "|: heartbeat|" {
		t.Errorf("the rest is %q", got)
	}
	if err := found.err(); err != nil {
		t.Error(err)
	}
}
