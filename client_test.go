package usher_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
)

func TestCalls(t *testing.T) {
	_, c := newDaemon(t, newBroker())
	ctx := t.Context()
	check := func(name string, got any, err error, want any) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	token, err := c.Token(ctx, usher.TokenRequest{Key: "github", MinTTL: 60})
	check("Token", token.AccessToken, err, "at-github")
	credentials, err := c.Credentials(ctx)
	check("Credentials", credentials, err, []usher.Credential{{Key: "github"}})
	credential, err := c.Credential(ctx, "github")
	check("Credential", credential, err, usher.Credential{Key: "github"})
	credential, err = c.Credential(ctx, "github/a b/../%2F")
	check("Credential with an odd key", credential, err, usher.Credential{Key: "github/a b/../%2F"})
	logout, err := c.Logout(ctx, usher.LogoutRequest{Key: "github/work"})
	check("Logout", logout, err, usher.Logout{Key: "github/work", Removed: true, Revocation: "revoked"})
	logout, err = c.Logout(ctx, usher.LogoutRequest{Key: "github", KeepRemote: true})
	check("Logout, kept", logout.Revocation, err, "kept")
	providers, err := c.Providers(ctx)
	check("Providers", providers, err, []usher.Provider{{Name: "github"}})
	status, err := c.Status(ctx)
	check("Status", status, err, usher.AuthStatus{V: 1, WorkspaceCwd: "/abs", Providers: []api.AuthProvider{}, PendingDeviceFlows: []api.PendingDeviceFlow{}, SupportedDeviceFlowProviders: []string{"github"}})
	capabilities, err := c.Capabilities(ctx)
	check("Capabilities", capabilities.UsherVersion, err, "1.2.3")
	check("Health", nil, c.Health(ctx), nil)
	logins, err := c.Logins(ctx)
	check("Logins", len(logins), err, 1)
	check("Logins, code", logins[0].UserCode, err, "")
	login, err := c.GetLogin(ctx, "l-1")
	check("GetLogin", login.UserCode, err, "ABCD-1234")
	login, err = c.StartLogin(ctx, usher.StartLogin{Key: "github", Scopes: []string{"x"}, Origin: "u@h"})
	check("StartLogin", fmt.Sprint(login.Scopes, login.Origin), err, "[x]u@h")
}

func TestErrorsNameCodeStatusAndRoute(t *testing.T) {
	b := newBroker()
	b.err = api.Errorf(api.CodeLoginNeeded, "login needed for github").WithHint("run: usher login github")
	b.err.(*api.Error).Kind = "revoked"
	d, c := newDaemon(t, b)

	_, err := c.Token(t.Context(), usher.TokenRequest{Key: "github"})
	want := &usher.Error{Status: 409, Code: "login_needed", Kind: "revoked", Route: "POST /v1/token", Message: "login needed for github", Hint: "run: usher login github"}
	var got *usher.Error
	if !errors.As(err, &got) {
		t.Fatalf("error = %T", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if !errors.Is(err, usher.ErrLoginNeeded) || errors.Is(err, usher.ErrUnauthorized) {
		t.Error("the error matches the wrong sentinels")
	}

	_, err = c.GetLogin(t.Context(), "other")
	if !errors.Is(err, usher.ErrLoginNotFound) || api.AsError(err).Route != "GET /v1/logins/{id}" {
		t.Errorf("error = %v, route %q", err, api.AsError(err).Route)
	}
	c = d.client()
	c.Bearer = secret.New("wrong")
	if _, err = c.Status(t.Context()); !errors.Is(err, usher.ErrUnauthorized) {
		t.Errorf("error with a wrong bearer = %v", err)
	}
	if _, err = c.Credentials(t.Context()); !errors.Is(err, usher.ErrUnauthorized) {
		t.Errorf("error with a wrong bearer on /v1 = %v", err)
	}
	for _, key := range []string{"", "/", "a/", "/b"} {
		if _, err = c.Credential(t.Context(), key); !errors.Is(err, usher.ErrInvalidKey) {
			t.Errorf("error for key %q = %v", key, err)
		}
	}
	if _, err = c.GetLogin(t.Context(), ""); !errors.Is(err, usher.ErrInvalidRequest) {
		t.Errorf("error for an empty id = %v", err)
	}
	d.stop()
	err = c.Health(t.Context())
	if !errors.Is(err, usher.ErrDaemonUnreachable) || !errors.Is(err, errRefused) || api.AsError(err).Code.Exit() != 1 {
		t.Errorf("error without a daemon = %v", err)
	}
	if text := err.Error(); strings.Contains(text, "http://") {
		t.Errorf("error repeats the URL: %s", text)
	}
}

func TestEndedContextIsNoUnreachableDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &daemon{}
		d.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		defer d.stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := d.client().Token(ctx, usher.TokenRequest{Key: "github"})
		if !errors.Is(err, context.DeadlineExceeded) || api.AsError(err).Code != api.CodeTimeout {
			t.Errorf("after a time-out: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = d.client().Token(ctx, usher.TokenRequest{Key: "github"})
		if !errors.Is(err, context.Canceled) || api.AsError(err).Code != api.CodeInterrupted {
			t.Errorf("after a cancel: %v", err)
		}
	})
}

// What daemons, compatible daemons and things between us and them may answer.
func TestForeignAnswers(t *testing.T) {
	const problemType, jsonType = "application/problem+json", "application/json; charset=utf-8"
	tests := map[string]struct {
		status      int
		contentType string
		body        string
		code        usher.Code
		message     string
	}{
		"problem":                {409, problemType, `{"title":"x","status":500,"detail":"d","code":"conflict"}`, "conflict", "d"},
		"problem of a stranger":  {409, problemType, `{"title":"x"}`, "daemon_unreachable", "daemon answered with HTTP status 409 and no error of ours"},
		"unsupported provider":   {400, jsonType, `{"error":"Unsupported","code":"unsupported_provider","supportedProviders":[]}`, "unknown_provider", "Unsupported"},
		"too many":               {409, jsonType, `{"error":"m","code":"too_many_active_flows"}`, "too_many_logins", "m"},
		"no such flow":           {404, jsonType, `{"error":"m","code":"device_flow_not_found"}`, "login_not_found", "m"},
		"upstream":               {502, jsonType, `{"error":"m","code":"upstream_error"}`, "provider_unreachable", "m"},
		"client id":              {400, jsonType, `{"error":"m","code":"invalid_client_id"}`, "invalid_request", "m"},
		"token required":         {401, jsonType, `{"error":"m","code":"token_required"}`, "token_required", "m"},
		"unauthorized":           {401, jsonType, `{"error":"Unauthorized"}`, "unauthorized", "Unauthorized"},
		"host":                   {403, jsonType, `{"error":"Invalid Host header"}`, "forbidden_host", "Invalid Host header"},
		"origin":                 {403, jsonType, `{"error":"Request denied by CORS policy"}`, "forbidden_origin", "Request denied by CORS policy"},
		"too large":              {413, jsonType, `{"error":"m"}`, "body_too_large", "m"},
		"malformed":              {400, jsonType, `{"error":"m"}`, "invalid_request", "m"},
		"internal":               {500, jsonType, `{"error":"m"}`, "internal", "m"},
		"not found by a proxy":   {404, "text/html", `<h1>Not Found</h1>`, "daemon_unreachable", "daemon answered with HTTP status 404 and no error of ours"},
		"gateway":                {502, "text/html", `<h1>Bad Gateway</h1>`, "daemon_unreachable", "daemon answered with HTTP status 502 and no error of ours"},
		"JSON of a stranger":     {500, jsonType, `{"message":"m"}`, "daemon_unreachable", "daemon answered with HTTP status 500 and no error of ours"},
		"redirect":               {307, "text/html", ``, "daemon_unreachable", "daemon answered with a redirect, which is not followed"},
		"success that is HTML":   {200, "text/html", `<h1>Hello</h1>`, "daemon_unreachable", "daemon answered with something that is not the expected JSON"},
		"success that is a list": {200, jsonType, `[]`, "daemon_unreachable", "daemon answered with something that is not the expected JSON"},
		"success without token":  {200, jsonType, `{"token_type":"Bearer"}`, "daemon_unreachable", "daemon answered with no token"},
		"success without an end": {200, jsonType, strings.Repeat(" ", 5<<20), "daemon_unreachable", "daemon answered with an answer that is too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := &daemon{}
			d.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				w.Header().Set("Location", "http://127.0.0.1:4170/elsewhere")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer d.stop()
			_, err := d.client().Token(t.Context(), usher.TokenRequest{Key: "github"})
			want := &usher.Error{Status: tt.status, Code: tt.code, Route: "POST /v1/token", Message: tt.message}
			if tt.code == "login_not_found" {
				want.Kind = "not_found_or_evicted" // what clients of the other surface look for
			}
			if diff := cmp.Diff(error(want), err); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTP_119_NoRedirectTakesTheBearerElsewhere(t *testing.T) {
	stolen := ""
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stolen = "asked " + r.Header.Get("Authorization")
	}))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		front := httptest.NewServer(http.RedirectHandler(thief.URL, status))
		for _, hc := range []*http.Client{nil, {}, {CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}} {
			c := &usher.Client{BaseURL: front.URL, Bearer: secret.New(bearer), HTTPClient: hc}
			if _, err := c.Token(t.Context(), usher.TokenRequest{Key: "github"}); !errors.Is(err, usher.ErrDaemonUnreachable) {
				t.Errorf("%d: error = %v", status, err)
			}
			if _, err := c.Status(t.Context()); !errors.Is(err, usher.ErrDaemonUnreachable) {
				t.Errorf("%d: error = %v", status, err)
			}
			for _, err := range c.Events(t.Context(), "") {
				if !errors.Is(err, usher.ErrDaemonUnreachable) {
					t.Errorf("%d: error of the stream = %v", status, err)
				}
			}
		}
		front.Close()
	}
	if stolen != "" {
		t.Errorf("the other host was %s", stolen)
	}
}

func TestBaseURL(t *testing.T) {
	tests := map[string]struct {
		c  *usher.Client
		ok bool
	}{
		"default":                      {&usher.Client{Bearer: secret.New("b")}, true},
		"loopback name":                {&usher.Client{BaseURL: "http://localhost:1", Bearer: secret.New("b")}, true},
		"loopback IPv6":                {&usher.Client{BaseURL: "http://[::1]:1/", Bearer: secret.New("b")}, true},
		"https":                        {&usher.Client{BaseURL: "https://box.test", Bearer: secret.New("b")}, true},
		"below a path":                 {&usher.Client{BaseURL: "https://box.test/usher/", Bearer: secret.New("b")}, true},
		"plain http without a bearer":  {&usher.Client{BaseURL: "http://box.test"}, true},
		"plain http that was allowed":  {&usher.Client{BaseURL: "http://box.test", Bearer: secret.New("b"), InsecureHTTP: true}, true},
		"plain http with a bearer":     {&usher.Client{BaseURL: "http://box.test", Bearer: secret.New("b")}, false},
		"name that begins as loopback": {&usher.Client{BaseURL: "http://localhost.evil.test", Bearer: secret.New("b")}, false},
		"user information":             {&usher.Client{BaseURL: "https://u:p@box.test"}, false},
		"loopback as user":             {&usher.Client{BaseURL: "http://localhost@box.test", Bearer: secret.New("b")}, false},
		"no scheme":                    {&usher.Client{BaseURL: "127.0.0.1:4170"}, false},
		"other scheme":                 {&usher.Client{BaseURL: "file:///etc/passwd"}, false},
		"query":                        {&usher.Client{BaseURL: "https://box.test?x=1"}, false},
		"socket without a path":        {&usher.Client{BaseURL: "unix:"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			asked := ""
			tt.c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) { asked = r.URL.String() })}
			err := tt.c.Health(t.Context())
			if tt.ok != (asked != "") || tt.ok != errors.Is(err, usher.ErrDaemonUnreachable) || !tt.ok && !errors.Is(err, usher.ErrInvalidRequest) {
				t.Errorf("asked %q, error %v", asked, err)
			}
			if asked != "" && !strings.HasSuffix(asked, "/health") || strings.Contains(asked, "//health") {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

type roundTripper func(*http.Request)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return nil, errRefused
}

func TestNothingPrintsTheBearer(t *testing.T) {
	d := &daemon{}
	c := d.client()
	err := c.Health(t.Context())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(verb+verb, c, err); strings.Contains(s, bearer) {
			t.Errorf("%s prints it: %s", verb, s)
		}
	}
}
