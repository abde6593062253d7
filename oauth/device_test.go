package oauth_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestRFC8628_30_DeviceRequestCarriesClientIDAndScope(t *testing.T) {
	srv := says(t, 200, goodDevice)
	if _, err := srv.client().AuthorizeDevice(t.Context(), oauth.DeviceRequest{Scopes: []string{"openid", "email"}}); err != nil {
		t.Fatal(err)
	}
	got := srv.only(t)
	form := got.form(t)
	if got.Method != "POST" || form.Get("client_id") != "cli" || form.Get("scope") != "openid email" {
		t.Errorf("got %s with %v, want POST with client_id and scope", got.Method, form)
	}
}

func TestRFC8628_30_DeviceRequestNeedsTLS(t *testing.T) {
	c := &oauth.Client{ID: "cli", Endpoints: oauth.Endpoints{DeviceAuthorization: "http://op.example/device"}}
	_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
	wantError(t, err, oauth.KindConfig, oauth.NotSent, "")
}

func TestRFC8628_31_IntervalIsFiveSecondsIfAbsent(t *testing.T) {
	srv := says(t, 200, strings.Replace(goodDevice, `,"interval":5`, "", 1))
	d, err := srv.client().AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Interval != 5*time.Second {
		t.Errorf("interval %v, want 5s", d.Interval)
	}
}

func TestRFC8628_34_PendingIsAnError(t *testing.T) {
	srv := says(t, 400, `{"error":"authorization_pending"}`)
	_, err := srv.client().PollDevice(t.Context(), secret.New("dc-1"), secret.String{})
	wantError(t, err, oauth.KindOAuth, oauth.Answered, oauth.ErrorAuthorizationPending)
}

func TestRFC8628_40_PollNamesTheGrant(t *testing.T) {
	srv := says(t, 200, goodToken)
	if _, err := srv.client().PollDevice(t.Context(), secret.New("dc-1"), secret.New("v")); err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:device_code"},
		"client_id":     {"cli"},
		"device_code":   {"dc-1"},
		"code_verifier": {"v"},
	}
	if diff := cmp.Diff(want, srv.only(t).form(t)); diff != "" {
		t.Errorf("poll (-want +got):\n%s", diff)
	}
}

func TestRFC8628_41_DeviceCodeIsKeptSecret(t *testing.T) {
	const canary = "dc-canary-0123456789"
	for name, body := range map[string]string{
		"description": `{"error":"access_denied","error_description":"no such code: ` + canary + `"}`,
		"code":        `{"error":"` + canary + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			srv := says(t, 400, body)
			_, err := srv.client().PollDevice(t.Context(), secret.New(canary), secret.String{})
			e := asError(t, err)
			if text := e.Error() + e.Description + e.Code; strings.Contains(text, canary) {
				t.Errorf("the device code comes back in %q", text)
			}
		})
	}
}

// The dialects' requests byte by byte, typed from what the original clients send.
func TestDialectRequests(t *testing.T) {
	const (
		device  = "device"
		poll    = "poll"
		refresh = "refresh"
	)
	for _, tt := range []struct {
		dialect  oauth.Dialect
		id       string
		scopes   []string
		call     string
		path     string
		wantBody string
	}{
		{oauth.DialectQwen, "f0304373b74a44d2b584a3fb70ca9e56", []string{"openid", "profile", "email", "model.completion"}, device,
			"/api/v1/oauth2/device/code",
			"client_id=f0304373b74a44d2b584a3fb70ca9e56&scope=openid%20profile%20email%20model.completion&code_challenge=<S256>&code_challenge_method=S256"},
		{oauth.DialectQwen, "f0304373b74a44d2b584a3fb70ca9e56", nil, poll, "/api/v1/oauth2/token",
			"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=f0304373b74a44d2b584a3fb70ca9e56&device_code=dc%201&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		{oauth.DialectQwen, "f0304373b74a44d2b584a3fb70ca9e56", nil, refresh, "/api/v1/oauth2/token",
			"grant_type=refresh_token&refresh_token=rt%2F1%2B&client_id=f0304373b74a44d2b584a3fb70ca9e56"},
		{oauth.DialectGitHub, "Iv1.b507a08c87ecfe98", []string{"read:user", "gist"}, device, "/login/device/code",
			"client_id=Iv1.b507a08c87ecfe98&scope=read%3Auser%20gist"},
		{oauth.DialectGitHub, "Iv1.b507a08c87ecfe98", nil, poll, "/login/oauth/access_token",
			"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=Iv1.b507a08c87ecfe98&device_code=dc%201"},
		{oauth.DialectGitHub, "Iv1.b507a08c87ecfe98", nil, refresh, "/login/oauth/access_token",
			"grant_type=refresh_token&refresh_token=rt%2F1%2B&client_id=Iv1.b507a08c87ecfe98"},
	} {
		t.Run(string(tt.dialect)+" "+tt.call, func(t *testing.T) {
			srv := says(t, 200, goodDevice[:len(goodDevice)-1]+","+goodToken[1:])
			c := &oauth.Client{ID: tt.id, Dialect: tt.dialect}
			c.Endpoints = oauth.Endpoints{DeviceAuthorization: srv.URL + tt.path, Token: srv.URL + tt.path}
			wantBody := tt.wantBody
			var err error
			switch tt.call {
			case device:
				var d *oauth.DeviceAuthorization
				d, err = c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{Scopes: tt.scopes})
				if err == nil {
					wantBody = strings.Replace(wantBody, "<S256>", oauth.ChallengeS256(d.CodeVerifier), 1)
				}
			case poll:
				verifier := secret.String{}
				if tt.dialect == oauth.DialectQwen {
					verifier = secret.New("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
				}
				_, err = c.PollDevice(t.Context(), secret.New("dc 1"), verifier)
			case refresh:
				_, err = c.Refresh(t.Context(), oauth.RefreshRequest{RefreshToken: secret.New("rt/1+")})
			}
			if err != nil {
				t.Fatal(err)
			}
			got := srv.only(t)
			if got.Method != "POST" || got.Path != tt.path || got.Body != wantBody {
				t.Errorf("got  %s %s\n%s\nwant POST %s\n%s", got.Method, got.Path, got.Body, tt.path, wantBody)
			}
			id := got.Header.Get("X-Request-Id")
			got.Header.Del("X-Request-Id")
			wantHeader := http.Header{
				"Accept":         {"application/json"},
				"Content-Type":   {"application/x-www-form-urlencoded"},
				"Content-Length": got.Header["Content-Length"],
				"User-Agent":     {"usher"},
				"Connection":     {"close"},
			}
			if diff := cmp.Diff(wantHeader, got.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			uuid4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
			if want := tt.dialect == oauth.DialectQwen && tt.call == device; want != uuid4.MatchString(id) {
				t.Errorf("x-request-id %q, want a version 4 UUID: %t", id, want)
			}
		})
	}
}

func TestQwenPendingByStatus(t *testing.T) {
	for body, want := range map[string]string{
		`{"status":"pending"}`:                       oauth.ErrorAuthorizationPending,
		`{"status":"pending","slowDown":true}`:       oauth.ErrorSlowDown,
		`{"status":"pending","access_token":null}`:   oauth.ErrorAuthorizationPending,
		`{"error":"slow_down","status":"pending"}`:   oauth.ErrorSlowDown,
		`{"error":"expired_token","slowDown":false}`: oauth.ErrorExpiredToken,
	} {
		t.Run(body, func(t *testing.T) {
			srv := says(t, 200, body)
			c := srv.client()
			c.Dialect = oauth.DialectQwen
			_, err := c.PollDevice(t.Context(), secret.New("dc-1"), secret.String{})
			wantError(t, err, oauth.KindOAuth, oauth.Answered, want)
		})
	}
}

func TestGitHubScopesAreSplitAtCommas(t *testing.T) {
	body := `{"access_token":"at-1","token_type":"bearer","scope":"repo,gist user"}`
	for dialect, want := range map[oauth.Dialect][]string{
		oauth.DialectGitHub:   {"repo", "gist", "user"},
		oauth.DialectStandard: {"repo,gist", "user"},
	} {
		c := says(t, 200, body).client()
		c.Dialect = dialect
		tok, err := c.Refresh(t.Context(), oldToken)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, tok.Scopes); diff != "" {
			t.Errorf("%s: scopes (-want +got):\n%s", dialect, diff)
		}
	}
}

func TestDeviceAuthorizationIsRead(t *testing.T) {
	srv := says(t, 200, goodDevice)
	d, err := srv.client().AuthorizeDevice(t.Context(), oauth.DeviceRequest{Extra: url.Values{"b": {"2"}, "a": {"1"}}, Resource: "https://api.example"})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{d.DeviceCode.Reveal(), d.UserCode, d.VerificationURI, d.VerificationURIComplete, d.ExpiresIn, d.Interval, d.Warnings}
	want := []any{"dc-1", "WDJB-MJHT", "https://op.example/device", "https://op.example/device?user_code=WDJB-MJHT", 15 * time.Minute, 5 * time.Second, []string(nil)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("device authorization (-want +got):\n%s", diff)
	}
	if body := srv.only(t).Body; !strings.HasSuffix(body, "&resource=https%3A%2F%2Fapi.example&a=1&b=2") {
		t.Errorf("request ends %q, want resource, then the extra parameters in order", body)
	}
}

func TestDeviceCallsRefuseWhatCannotBeSent(t *testing.T) {
	srv := says(t, 200, goodDevice)
	for name, call := range map[string]func(*oauth.Client) error{
		"extra repeats a parameter": func(c *oauth.Client) error {
			_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{Extra: url.Values{"client_id": {"other"}}})
			return err
		},
		"extra has two values": func(c *oauth.Client) error {
			_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{Extra: url.Values{"a": {"1", "2"}}})
			return err
		},
		"no device code": func(c *oauth.Client) error {
			_, err := c.PollDevice(t.Context(), secret.String{}, secret.String{})
			return err
		},
		"unknown dialect": func(c *oauth.Client) error {
			c.Dialect = "klingon"
			_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
			return err
		},
		"no endpoint": func(c *oauth.Client) error {
			c.Endpoints.DeviceAuthorization = ""
			_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
			return err
		},
		"no client id": func(c *oauth.Client) error {
			c.ID = ""
			_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
			return err
		},
		"header in the user agent": func(c *oauth.Client) error {
			c.UserAgent = "usher\r\nX: y"
			_, err := c.AuthorizeDevice(t.Context(), oauth.DeviceRequest{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(srv.client()), oauth.KindConfig, oauth.NotSent, "") })
	}
	if n := srv.count(); n != 0 {
		t.Errorf("server saw %d requests, want none", n)
	}
}
