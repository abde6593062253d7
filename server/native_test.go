package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/server"
)

func send(method, target, body string) *http.Request {
	return authorized(method, target, body, "Content-Type", "application/json")
}

func TestNativeAnswers(t *testing.T) {
	const (
		login = `{"id":"l-1","key":"github","provider":"github","account":"default","method":"device","status":"pending",` +
			`"user_code":"ABCD-1234","verification_uri":"https://idp.example/device","created_at":"2026-11-21T10:00:00Z","expires_at":"2026-11-21T10:15:00Z","interval":5}`
		cred = `{"key":"github","provider":"github","account":"default","kind":"refreshable","state":"active","generation":3}`
	)
	public := strings.Replace(login, `"user_code":"ABCD-1234","verification_uri":"https://idp.example/device",`, "", 1)
	tests := map[string]struct {
		r      *http.Request
		status int
		body   string
		calls  string
	}{
		"start":        {send("POST", "/v1/logins", `{"key":"github"}`), 201, login, "StartLogin github /v1:"},
		"join":         {send("POST", "/v1/logins", `{"key":"joined"}`), 200, strings.NewReplacer(`"key":"github"`, `"key":"joined"`, `"pending",`, `"pending","attached":true,`).Replace(login), "StartLogin joined /v1:"},
		"logins":       {send("GET", "/v1/logins", ""), 200, `{"logins":[` + public + `]}`, "Logins"},
		"login":        {send("GET", "/v1/logins/l-1", ""), 200, login, "GetLogin l-1"},
		"cancel":       {send("DELETE", "/v1/logins/l-1", ""), 200, strings.Replace(public, "pending", "cancelled", 1), "GetLogin l-1, CancelLogin l-1 /v1:"},
		"credentials":  {send("GET", "/v1/credentials", ""), 200, `{"credentials":[` + cred + `]}`, "Credentials"},
		"credential":   {send("GET", "/v1/credentials/github/work", ""), 200, cred, "Credential github/work"},
		"logout":       {send("DELETE", "/v1/credentials/github/default", ""), 200, `{"key":"github","removed":true,"revocation":"revoked"}`, "Logout github"},
		"logout, keep": {send("DELETE", "/v1/credentials/github/default?keep_remote=true", ""), 200, `{"key":"github","removed":true,"revocation":"kept"}`, "Logout github"},
		"token":        {send("POST", "/v1/token", `{"key":"github","min_ttl":60}`), 200, `{"access_token":"at-1","token_type":"Bearer"}`, "Token github"},
		"providers":    {send("GET", "/v1/providers", ""), 200, `{"providers":[]}`, "Providers"},
		"complete": {send("POST", "/v1/logins/l-1/complete", `{"redirected_url":"http://127.0.0.1:1/cb?code=c"}`), 200,
			strings.NewReplacer("pending", "authorized", "device", "code").Replace(public), "CompleteLogin l-1 http://127.0.0.1:1/cb?code=c"},
		"complete in parts": {send("POST", "/v1/logins/l-1/complete", `{"code":"c","state":"s","iss":"i"}`), 200,
			strings.NewReplacer("pending", "authorized", "device", "code").Replace(public), "CompleteLogin l-1  c s i"},
		"unknown login":      {send("GET", "/v1/logins/x", ""), 404, problem(404, "Not Found", "login x not found", "login_not_found"), ""},
		"bad keep_remote":    {send("DELETE", "/v1/credentials/github/default?keep_remote=maybe", ""), 400, problem(400, "Bad Request", "keep_remote must be true or false", "invalid_request"), ""},
		"negative life":      {send("POST", "/v1/token", `{"key":"github","min_ttl":-1}`), 400, problem(400, "Bad Request", "min_ttl must not be negative", "invalid_request"), ""},
		"wrong type":         {send("POST", "/v1/token", `{"key":5}`), 400, problem(400, "Bad Request", "field key of the request body is not of the right type", "invalid_request"), ""},
		"malformed":          {send("POST", "/v1/token", `{bad`), 400, problem(400, "Bad Request", "request body is not the JSON object that was expected", "invalid_request"), ""},
		"no body":            {send("POST", "/v1/token", ``), 400, problem(400, "Bad Request", "request body is not the JSON object that was expected", "invalid_request"), ""},
		"form":               {authorized("POST", "/v1/token", `key=github`, "Content-Type", "application/x-www-form-urlencoded"), 415, problem(415, "Unsupported Media Type", "request body must be application/json", "unsupported_media_type"), ""},
		"no content type":    {authorized("POST", "/v1/token", `{"key":"github"}`), 415, problem(415, "Unsupported Media Type", "request body must be application/json", "unsupported_media_type"), ""},
		"body too large":     {send("POST", "/v1/token", strings.Repeat(" ", 65<<10)), 413, problem(413, "Request Entity Too Large", "Request body too large", "body_too_large"), ""},
		"no route":           {send("GET", "/v1/nope", ""), 404, problem(404, "Not Found", "Not found", "not_found"), ""},
		"no slash tolerance": {send("GET", "/v1/logins/", ""), 404, problem(404, "Not Found", "Not found", "not_found"), ""},
		"wrong method":       {send("PUT", "/v1/token", ""), 405, problem(405, "Method Not Allowed", "Method not allowed", "method_not_allowed"), ""},
		"escaped slash":      {send("GET", "/v1%2Flogins", ""), 404, problem(404, "Not Found", "Not found", "not_found"), ""},
		"bad wait":           {send("GET", "/v1/logins/l-1?wait=soon", ""), 400, problem(400, "Bad Request", "wait must be a duration such as 30s", "invalid_request"), ""},
		"negative wait":      {send("GET", "/v1/logins/l-1?wait=-1s", ""), 400, problem(400, "Bad Request", "wait must be a duration such as 30s", "invalid_request"), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			w := serve(handler(t, server.Config{Broker: fake}), tt.r)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			want := "application/json"
			if tt.status >= 400 {
				want = api.ProblemType
			}
			if got := w.Header().Get("Content-Type"); got != want {
				t.Errorf("Content-Type = %q, want %q", got, want)
			}
			if got := strings.Join(fake.calls(), ", "); got != tt.calls {
				t.Errorf("calls = %q, want %q", got, tt.calls)
			}
			if got := w.Header().Get("Location"); (got == "/v1/logins/l-1") != (tt.status == 201) {
				t.Errorf("Location = %q", got)
			}
		})
	}
}

func problem(status int, title, detail, code string) string {
	return fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":%q,"code":%q}`, title, status, detail, code)
}

// A body whose length is not declared is cut off where it gets too large.
func TestBodyOfUnknownLengthIsCapped(t *testing.T) {
	r := send("POST", "/v1/token", strings.Repeat(" ", 65<<10)+`{"key":"github"}`)
	r.ContentLength = -1
	fake := newFake()
	if w := serve(handler(t, server.Config{Broker: fake}), r); w.Code != 413 || len(fake.calls()) != 0 {
		t.Errorf("status = %d, calls = %q", w.Code, fake.calls())
	}
	r = send("POST", "/v1/token", strings.Repeat(" ", 63<<10)+`{"key":"github"}`)
	r.ContentLength = -1
	if w := serve(handler(t, server.Config{Broker: fake}), r); w.Code != 200 {
		t.Errorf("status just below the cap = %d", w.Code)
	}
}

// A body that says it is too large is refused unread, on every route.
func TestDeclaredLengthIsEnough(t *testing.T) {
	fake := newFake()
	h := handler(t, server.Config{Broker: fake})
	for target, length := range map[string]int64{"/v1/credentials": 65 << 10, "/workspace/auth/status": 11 << 20} {
		r := send("GET", target, "")
		r.ContentLength, r.Body = length, io.NopCloser(unreadable{t})
		if w := serve(h, r); w.Code != 413 || len(fake.calls()) != 0 {
			t.Errorf("%s: status = %d, calls = %q", target, w.Code, fake.calls())
		}
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestProblemHasHintAndKindButNoCause(t *testing.T) {
	fake := newFake()
	e := api.Errorf(api.CodeLoginNeeded, "login needed for github").WithHint("run: usher login github")
	e.Kind, e.Err = "revoked", fmt.Errorf("cause with detail")
	fake.err = fmt.Errorf("more words: %w", e)
	w := serve(handler(t, server.Config{Broker: fake}), send("POST", "/v1/token", `{"key":"github"}`))
	want := `{"type":"about:blank","title":"Conflict","status":409,"detail":"login needed for github","code":"login_needed","kind":"revoked","hint":"run: usher login github"}`
	if w.Code != 409 || w.Body.String() != want {
		t.Errorf("got  %d %s\nwant 409 %s", w.Code, w.Body, want)
	}
}

func TestLongPoll(t *testing.T) {
	// Without an end the fake waits for its context, as a broker does.
	forever := func(ctx context.Context, id string) (api.Login, error) {
		<-ctx.Done()
		return pendingLogin(), api.Errorf(api.CodeLoginPending, "login is pending")
	}
	soon := func(context.Context, string) (api.Login, error) {
		time.Sleep(7 * time.Second)
		l := pendingLogin().Public()
		l.Status = api.LoginAuthorized
		return l, nil
	}
	unknown := func(_ context.Context, id string) (api.Login, error) {
		return api.Login{}, api.Errorf(api.CodeLoginNotFound, "login %s not found", id)
	}
	tests := map[string]struct {
		query  string
		wait   func(context.Context, string) (api.Login, error)
		status int
		text   string
		took   time.Duration
	}{
		"ends meanwhile":       {"wait=30s", soon, 200, `"status":"authorized"`, 7 * time.Second},
		"stays pending":        {"wait=30s", forever, 200, `"status":"pending","user_code":"ABCD-1234"`, 30 * time.Second},
		"seconds":              {"wait=5", forever, 200, `"status":"pending"`, 5 * time.Second},
		"longer than the cap":  {"wait=1h", forever, 200, `"status":"pending"`, 60 * time.Second},
		"unknown":              {"wait=30s", unknown, 404, `"code":"login_not_found"`, 0},
		"zero does not wait":   {"wait=0s", forever, 200, `"status":"pending"`, 0},
		"nothing but the path": {"", forever, 200, `"status":"pending"`, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake()
				fake.wait = tt.wait
				began := time.Now()
				w := serve(handler(t, server.Config{Broker: fake}), send("GET", "/v1/logins/l-1?"+tt.query, ""))
				if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.text) {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

func TestPanicIsAnsweredAndLoggedOnce(t *testing.T) {
	fake := newFake()
	fake.token = func(context.Context) (api.Token, error) { panic("boom") }
	var log bytes.Buffer
	h := handler(t, server.Config{Broker: fake, Log: slog.New(slog.NewTextHandler(&log, nil))})
	w := serve(h, send("POST", "/v1/token", `{"key":"github"}`))
	if want := problem(500, "Internal Server Error", "internal error", "internal"); w.Code != 500 || w.Body.String() != want {
		t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
	}
	if got := strings.Count(log.String(), "boom"); got != 1 || !strings.Contains(log.String(), "native_test.go") {
		t.Errorf("log = %s", log.String())
	}
	if w := serve(h, request("GET", "/health", "")); w.Code != 200 {
		t.Errorf("after the panic: %d", w.Code)
	}
}

// A half-written answer must not look whole.
func TestPanicAfterTheAnswerBeganBreaksTheConnection(t *testing.T) {
	h := handler(t, server.Config{Extra: map[string]http.Handler{"/x": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("boom")
	})}})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic = %v, want http.ErrAbortHandler", p)
		}
	}()
	serve(h, authorized("GET", "/x", ""))
	t.Error("no panic")
}

func TestExtraHandlersSitBehindTheGates(t *testing.T) {
	var seen []string
	echo := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, name+" "+r.URL.Path)
			w.WriteHeader(http.StatusTeapot)
		})
	}
	h := handler(t, server.Config{Extra: map[string]http.Handler{
		"/proxy/": echo("proxy"), "/proxy/deep/": echo("deep"), "/exact": echo("exact"), "/health": echo("never"), "/v1/": echo("v1"),
	}})
	tests := []struct {
		r    *http.Request
		want int
	}{
		{authorized("POST", "/proxy/a/b", strings.Repeat("x", 11<<20)), 418},
		{authorized("GET", "/proxy/deep/x", ""), 418},
		{authorized("GET", "/exact", ""), 418},
		{authorized("GET", "/exact/more", ""), 404},
		{authorized("GET", "/proxy", ""), 404},
		{authorized("GET", "/v1/other", ""), 418},
		{authorized("GET", "/health", ""), 200},
		{request("GET", "/proxy/a", ""), 401},
		{authorized("GET", "/proxy/a", "", "Origin", "http://evil.example"), 403},
	}
	for _, tt := range tests {
		if w := serve(h, tt.r); w.Code != tt.want {
			t.Errorf("%s %s: status = %d, want %d", tt.r.Method, tt.r.URL.Path, w.Code, tt.want)
		}
	}
	if diff := cmp.Diff([]string{"proxy /proxy/a/b", "deep /proxy/deep/x", "exact /exact", "v1 /v1/other"}, seen); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// T33: however a path is written, the gates and the route judge the same one.
func TestT33_EncodedPathsAreJudgedAsTheyAreServed(t *testing.T) {
	fake := newFake()
	h := handler(t, server.Config{Broker: fake, NoAuth: true})
	for _, path := range []string{
		"/v1/token", "/%761/token", "/v1/%74oken", "/v1/tok%65n", "/v%31/%74%6F%6B%65%6E", "//v1/token", "/v1//token", "/v1/./token",
		"/x/../v1/token", "/v1/token/", "/v1/token%2F", "/v1%2Ftoken", "/v1/token%00", "/V1/token", "/v1/token;x=1", "/v1/token%3F", "/v1/token%20",
		"/health/../v1/token", "/health/%2e%2e/v1/token", "/health%2f..%2fv1%2ftoken", "/v1/token?x=/health", `/v1\token`, "/v1/token%5C",
	} {
		r := request("POST", "/", `{"key":"github"}`, "Content-Type", "application/json")
		u, err := r.URL.Parse("http://127.0.0.1:4170" + path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		// Parse resolves dots; the wire does not.
		u.Path, u.RawPath = decodedPath(t, path), strings.SplitN(path, "?", 2)[0]
		r.URL, r.RequestURI = u, path
		if w := serve(h, r); w.Code != 401 && w.Code != 404 && w.Code != 405 {
			t.Errorf("%s: status = %d %s", path, w.Code, w.Body)
		}
	}
	if calls := fake.calls(); len(calls) != 0 {
		t.Errorf("a token-less daemon was asked: %q", calls)
	}
}

func decodedPath(t *testing.T, path string) string {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}
