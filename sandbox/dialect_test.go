package sandbox_test

import (
	"net/url"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/sandbox"
)

var (
	anyUserCode = regexp.MustCompile(`[B-Z]{4}-[B-Z]{4}`)
	anySecret   = regexp.MustCompile(`(dc|at|rt|ac|gho|ghr)_[A-Za-z0-9_-]{43}`)
)

// golden is an answer with its random parts named.
func golden(a reply) string {
	body := anyUserCode.ReplaceAllString(a.Body, "USER-CODE")
	return anySecret.ReplaceAllString(body, "${1}_SECRET")
}

func wantGolden(t *testing.T, a reply, status int, contentType, want string) {
	t.Helper()
	if got := golden(a); a.Status != status || got != want {
		t.Errorf("answer = %d\n%s\nwant %d\n%s", a.Status, got, status, want)
	}
	if got := a.Header.Get("Content-Type"); got != contentType {
		t.Errorf("Content-Type = %q, want %q", got, contentType)
	}
}

func TestQwenDialect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{Dialect: sandbox.DialectQwen})
		post := func(path, body string) reply {
			return g.do(g.request("POST", g.URL(path), body, "Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json"))
		}
		start := "client_id=qwen&scope=openid%20profile%20email%20model.completion"
		wantGolden(t, post("/api/v1/oauth2/device/code", start), 400, "application/json",
			`{"error":"invalid_request","error_description":"code_challenge is missing"}`)
		a := post("/api/v1/oauth2/device/code", start+"&code_challenge="+challengeOf(verifier)+"&code_challenge_method=S256")
		wantGolden(t, a, 200, "application/json", `{"device_code":"dc_SECRET","user_code":"USER-CODE","verification_uri":"http://127.0.0.1:9400/device",`+
			`"verification_uri_complete":"http://127.0.0.1:9400/device?user_code=USER-CODE","expires_in":600}`)

		poll := "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=qwen&code_verifier=" + verifier +
			"&device_code=" + a.json(t)["device_code"].(string)
		wantGolden(t, post("/api/v1/oauth2/token", poll), 400, "application/json",
			`{"error":"authorization_pending","error_description":"nobody has decided yet"}`)
		wantGolden(t, post("/api/v1/oauth2/token", poll), 429, "application/json",
			`{"error":"slow_down","error_description":"polled too often"}`)
		if err := g.Approve(a.json(t)["user_code"].(string), ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		tokens := post("/api/v1/oauth2/token", poll)
		const want = `{"status":"success","access_token":"at_SECRET","token_type":"Bearer","expires_in":3600,"refresh_token":"rt_SECRET",` +
			`"scope":"openid profile email model.completion","resource_url":"127.0.0.1:9400"}`
		wantGolden(t, tokens, 200, "application/json", want)
		refresh := "grant_type=refresh_token&client_id=qwen&refresh_token=" + tokens.json(t)["refresh_token"].(string)
		wantGolden(t, post("/api/v1/oauth2/token", refresh), 200, "application/json", want)
		wantGolden(t, post("/api/v1/oauth2/token", refresh), 400, "application/json",
			`{"error":"invalid_grant","error_description":"the refresh token was used before"}`)
	})
}

func TestGitHubDialect(t *testing.T) {
	const formType = "application/x-www-form-urlencoded; charset=utf-8"
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{Dialect: sandbox.DialectGitHub})
		wantGolden(t, g.post(g.URL("/login/device/code"), form("client_id", "cli")), 200, formType,
			"device_code=dc_SECRET&expires_in=600&interval=5&user_code=USER-CODE&verification_uri=http%3A%2F%2F127.0.0.1%3A9400%2Flogin%2Fdevice")
		a := g.post(g.URL("/login/device/code"), form("client_id", "cli", "scope", "repo,gist"), "Accept", "application/json")
		wantGolden(t, a, 200, "application/json",
			`{"device_code":"dc_SECRET","user_code":"USER-CODE","verification_uri":"http://127.0.0.1:9400/login/device","expires_in":600,"interval":5}`)

		poll := form("client_id", "cli", "device_code", a.json(t)["device_code"].(string), "grant_type", deviceURN)
		send := func(v url.Values) reply {
			return g.post(g.URL("/login/oauth/access_token"), v, "Accept", "application/json")
		}
		wantGolden(t, send(poll), 200, "application/json", `{"error":"authorization_pending","error_description":"nobody has decided yet"}`)
		wantGolden(t, send(poll), 200, "application/json", `{"error":"slow_down","error_description":"polled too often","interval":10}`)
		if err := g.Approve(a.json(t)["user_code"].(string), ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		wantGolden(t, send(poll), 200, "application/json", `{"access_token":"gho_SECRET","token_type":"bearer","scope":"repo,gist"}`)
		time.Sleep(10 * time.Second)
		wantGolden(t, send(poll), 200, "application/json", `{"error":"incorrect_device_code","error_description":"the device code was used"}`)
		wantGolden(t, send(form("client_id", "cli", "grant_type", "refresh_token", "refresh_token", "x")), 200, "application/json",
			`{"error":"bad_refresh_token","error_description":"unknown refresh token"}`)
		wantGolden(t, send(form("client_id", "cli", "client_secret", "x", "grant_type", deviceURN)), 200, "application/json",
			`{"error":"incorrect_client_credentials","error_description":"wrong way of client authentication"}`)
		wantGolden(t, send(form("client_id", "cli", "grant_type", "authorization_code", "code", "x")), 200, "application/json",
			`{"error":"bad_verification_code","error_description":"unknown code"}`)
		if page := g.get(g.URL("/login/device")); page.Status != 200 {
			t.Errorf("page: %d", page.Status)
		}
	})
}

func TestGitHubTokensExpireOnDemand(t *testing.T) {
	g := newRig(t, sandbox.Config{Dialect: sandbox.DialectGitHub, TokenLifetime: 8 * time.Hour})
	tokens := g.login("scope", "repo")
	if tokens["expires_in"] != 28800.0 || tokens["refresh_token"] == nil {
		t.Errorf("tokens = %v", tokens)
	}
	if a := g.renew(tokens["refresh_token"]); a.json(t)["refresh_token"] == nil {
		t.Errorf("refresh: %d %s", a.Status, a.Body)
	}
	if a := g.resource(tokens["access_token"]); a.Status != 200 {
		t.Errorf("resource: %d", a.Status)
	}
	g.ExpireAccessTokens()
	if a := g.resource(tokens["access_token"]); a.Status != 401 {
		t.Errorf("resource after expiry: %d", a.Status)
	}
}
