package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/sse"
	"github.com/usherauth/usher/server"
)

// everyRoute calls f with a request to each route, with the headers given, and
// its answer. Streams are closed at once.
func everyRoute(t *testing.T, c server.Config, query string, headers []string, f func(server.RouteLine, *httptest.ResponseRecorder)) {
	t.Helper()
	s := newServer(t, c)
	h := s.Handler(tcpAddr, false)
	for _, rt := range s.Routes() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := request(rt.Method, target(rt.Pattern)+query, `{"providerId":"qwen-oauth","key":"github"}`,
			append([]string{"Content-Type", "application/json"}, headers...)...)
		f(rt, serve(h, r.WithContext(ctx)))
	}
}

// The other side of the rule: a bearer counts in the header alone, and the
// right one elsewhere opens nothing (section 2.3).
func TestRFC6750_16_BearerOutsideOfTheHeaderIsRefused(t *testing.T) {
	for name, query := range map[string]string{
		"access_token": "?access_token=" + bearer, "token": "?token=" + bearer, "bearer": "?bearer=" + bearer,
	} {
		fake := newFake()
		everyRoute(t, server.Config{Broker: fake}, query, nil, func(rt server.RouteLine, w *httptest.ResponseRecorder) {
			if !rt.Public && w.Code != http.StatusUnauthorized {
				t.Errorf("%s in the query of %s %s: status %d, want 401", name, rt.Method, rt.Pattern, w.Code)
			}
		})
		if calls := fake.calls(); len(calls) != 0 {
			t.Errorf("%s in the query: the broker was asked for %q", name, calls)
		}
	}
	form := url.Values{"access_token": {bearer}, "key": {"github"}}.Encode()
	r := request("POST", "/v1/token", form, "Content-Type", "application/x-www-form-urlencoded")
	if w := serve(handler(t, server.Config{}), r); w.Code != http.StatusUnauthorized {
		t.Errorf("in a form: status %d, want 401", w.Code)
	}
}

// journal is a log at debug level.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestRFC6750_17_BearerIsInNoCookieAndNoLog(t *testing.T) {
	const wrong = "a-bearer-of-somebody-else"
	for name, headers := range map[string][]string{
		"right": {"Authorization", "Bearer " + bearer},
		"wrong": {"Authorization", "Bearer " + wrong},
		"none":  {},
	} {
		fake := newFake()
		if name == "right" {
			fake.token = func(context.Context) (api.Token, error) {
				return api.Token{AccessToken: "access-token-1", TokenType: "Bearer"}, nil
			}
		}
		var log journal
		requests := 0
		everyRoute(t, server.Config{Broker: fake, Log: log.logger()}, "?access_token="+bearer, headers, func(rt server.RouteLine, w *httptest.ResponseRecorder) {
			requests++
			if got := w.Header().Values("Set-Cookie"); len(got) != 0 {
				t.Errorf("%s: %s %s sets cookies %q", name, rt.Method, rt.Pattern, got)
			}
			if rt.Pattern == "/v1/token" && strings.Contains(w.Body.String(), "access-token-1") != (name == "right") {
				t.Errorf("%s: token answered %s", name, w.Body)
			}
		})
		text := log.String()
		if n := strings.Count(text, "msg=request"); n != requests {
			t.Errorf("%s: %d of %d requests are in the log", name, n, requests)
		}
		for _, hidden := range []string{bearer, wrong, "access-token-1", "access_token"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s: the log holds %q:\n%s", name, hidden, text)
			}
		}
	}
}

// A daemon redirects nobody: neither to a tidier path, as a mux would with the
// body and the bearer going along, nor anywhere that a request names.
func noRedirect(t *testing.T) {
	t.Helper()
	h := handler(t, server.Config{})
	for _, path := range []string{
		"/v1/token", "/v1/token/", "//v1/token", "/v1//token", "/v1/./token", "/v1/x/../token", "/v1", "/", "",
		"/workspace/auth/device-flow/", "/workspace/auth//device-flow", "//evil.example/", "/%2f%2fevil.example/",
		"/v1/events/", "/health/", `/\evil.example`, "/v1/logins?redirect_uri=https://evil.example/&next=//evil.example/&url=https://evil.example/",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "HEAD"} {
			r := authorized(method, "/", `{"key":"github"}`, "Content-Type", "application/json", "Referer", "https://evil.example/")
			u, err := url.ParseRequestURI("http://127.0.0.1:4170" + path)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
			if r.RequestURI = path; path == "" {
				r.RequestURI = "/"
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			w := serve(h, r.WithContext(ctx))
			created := w.Code == http.StatusCreated && strings.HasPrefix(w.Header().Get("Location"), "/v1/logins/")
			if w.Code/100 == 3 || w.Header().Get("Refresh") != "" || w.Header().Get("Location") != "" && !created {
				t.Errorf("%s %s: status %d, Location %q", method, path, w.Code, w.Header().Get("Location"))
			}
		}
	}
}

func TestRFC9700_97_NoRequestIsAnsweredWithA307(t *testing.T) {
	noRedirect(t)
	everyRoute(t, server.Config{}, "", []string{"Authorization", "Bearer " + bearer}, func(rt server.RouteLine, w *httptest.ResponseRecorder) {
		if w.Code/100 == 3 {
			t.Errorf("%s %s: status %d", rt.Method, rt.Pattern, w.Code)
		}
	})
}

func TestRFC9700_98_DaemonRedirectsNowhere(t *testing.T) {
	noRedirect(t)
	for _, parameter := range []string{"redirect_uri", "next", "url", "return_to"} {
		query := "?" + url.Values{parameter: {"https://evil.example/"}}.Encode()
		everyRoute(t, server.Config{}, query, []string{"Authorization", "Bearer " + bearer}, func(rt server.RouteLine, w *httptest.ResponseRecorder) {
			if strings.Contains(w.Header().Get("Location")+w.Header().Get("Refresh")+w.Body.String(), "evil.example") {
				t.Errorf("%s %s%s: answered %d %v %s", rt.Method, rt.Pattern, query, w.Code, w.Header(), w.Body)
			}
		})
	}
}

// Whatever the broker hands to lists and streams, they show no codes.
func TestRFC10027_107_ListsAndStreamsShowNoCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		var log journal
		h := handler(t, server.Config{Broker: fake, Log: log.logger()})
		hidden := []string{pendingLogin().UserCode, pendingLogin().VerificationURI}

		for _, path := range []string{"/v1/logins", "/workspace/auth/status", "/v1/credentials"} {
			w := serve(h, authorized("GET", path, ""))
			if w.Code != http.StatusOK {
				t.Fatalf("GET %s: %d", path, w.Code)
			}
			for _, code := range hidden {
				if strings.Contains(w.Body.String(), code) {
					t.Errorf("GET %s shows %s: %s", path, code, w.Body)
				}
			}
		}
		resp := open(t, h, "")
		login := pendingLogin()
		fake.log.Append(api.Event{Type: api.EventLoginStarted, Login: &login})
		for frame, err := range sse.Read(resp.Body, 0) {
			if err != nil {
				t.Fatal(err)
			}
			var e api.Event
			if err := json.Unmarshal(frame.Data, &e); err != nil || e.Login == nil || e.Login.ID != login.ID {
				t.Fatalf("event %s, %v", frame.Data, err)
			}
			for _, code := range hidden {
				if bytes.Contains(frame.Data, []byte(code)) {
					t.Errorf("the stream shows %s: %s", code, frame.Data)
				}
			}
			break
		}
		// The one who asks for the login itself is shown them.
		if w := serve(h, authorized("GET", "/v1/logins/l-1", "")); !strings.Contains(w.Body.String(), hidden[0]) {
			t.Errorf("the login shows no code: %s", w.Body)
		}
		resp.Body.Close()
		time.Sleep(time.Second)
		for _, code := range hidden {
			if strings.Contains(log.String(), code) {
				t.Errorf("the log holds %s:\n%s", code, &log)
			}
		}
	})
}
