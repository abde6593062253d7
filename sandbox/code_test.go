package sandbox_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
)

const redirect = "http://127.0.0.1:51234/callback?keep=1"

func authorizeForm(pairs ...string) url.Values {
	v := form("response_type", "code", "client_id", "cli", "redirect_uri", redirect, "scope", "openid",
		"state", "st&te", "nonce", "n-1", "code_challenge", challengeOf(verifier), "code_challenge_method", "S256")
	for name, values := range form(pairs...) {
		v[name] = values
	}
	return v
}

// authorized is the query of the redirect an authorization request ends in.
func (g *rig) authorized(v url.Values) url.Values {
	g.t.Helper()
	a := g.get(g.URL("/authorize") + "?" + v.Encode())
	if a.Status != 303 {
		g.t.Fatalf("authorize: %d %s", a.Status, a.Body)
	}
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		g.t.Fatal(err)
	}
	if got := u.Scheme + "://" + u.Host + u.Path; got != strings.TrimSuffix(redirect, "?keep=1") {
		g.t.Fatalf("redirected to %s", got)
	}
	return u.Query()
}

func (g *rig) exchange(code string, pairs ...string) reply {
	g.t.Helper()
	v := form("grant_type", "authorization_code", "client_id", "cli", "code", code,
		"redirect_uri", redirect, "code_verifier", verifier)
	for name, values := range form(pairs...) {
		v[name] = values
	}
	return g.post(g.TokenURL(), v)
}

func TestAuthorizationCode(t *testing.T) {
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto})
	q := g.authorized(authorizeForm())
	if q.Get("state") != "st&te" || q.Get("iss") != issuer || q.Get("keep") != "1" || q.Get("code") == "" {
		t.Fatalf("redirect query = %v", q)
	}
	code := q.Get("code")
	wantError(t, g.exchange(code, "code_verifier", strings.Repeat("a", 43)), 400, "invalid_grant")
	wantError(t, g.exchange(code, "code_verifier", ""), 400, "invalid_grant")
	wantError(t, g.exchange(code, "redirect_uri", "http://127.0.0.1:51234/"), 400, "invalid_grant")
	wantError(t, g.exchange(code, "client_id", "other"), 400, "invalid_grant")
	wantError(t, g.exchange(code, "code", ""), 400, "invalid_request")
	a := g.exchange(code)
	if a.Status != 200 {
		t.Fatalf("exchange: %d %s", a.Status, a.Body)
	}
	tokens := a.json(t)
	checkIDToken(t, g, tokens["id_token"].(string), "n-1")

	// A spent code takes down what it was exchanged for.
	wantError(t, g.exchange(code), 400, "invalid_grant")
	wantError(t, g.resource(tokens["access_token"]), 401, "invalid_token")
	if r := g.Record(); r.CodesReused != 1 || r.FamiliesRevoked != 1 || r.Count("token") != 7 || r.Count("token.code") != 7 {
		t.Errorf("record = %+v", r)
	}
}

func checkIDToken(t *testing.T, g *rig, raw, nonce string) {
	t.Helper()
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(g.get(g.URL("/jwks")).Body), &keys); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	var more struct {
		Nonce string `json:"nonce"`
	}
	if err := token.Claims(keys, &claims, &more); err != nil {
		t.Fatalf("verifying id token: %v", err)
	}
	err = claims.Validate(jwt.Expected{Issuer: g.Issuer(), Subject: "sandbox-user", AnyAudience: jwt.Audience{"cli"}, Time: time.Now()})
	if err != nil || more.Nonce != nonce || !keys.Keys[0].IsPublic() {
		t.Errorf("id token: %v, nonce %q, public %v", err, more.Nonce, keys.Keys[0].IsPublic())
	}
}

func TestAuthorizationCodeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto, CodeLifetime: time.Hour})
		code := g.authorized(authorizeForm()).Get("code")
		time.Sleep(10 * time.Minute) // codes of this kind never live longer
		wantError(t, g.exchange(code), 400, "invalid_grant")
	})
}

func TestAuthorizationErrorsGoBack(t *testing.T) {
	for _, tt := range []struct {
		mode  sandbox.ApproveMode
		pairs []string
		want  string
	}{
		{sandbox.ApproveAuto, []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{sandbox.ApproveAuto, []string{"code_challenge_method", "plain"}, "invalid_request"},
		{sandbox.ApproveAuto, []string{"response_type", "token"}, "unsupported_response_type"},
		{sandbox.ApproveAuto, []string{"scope", `"`}, "invalid_scope"},
		{sandbox.ApproveAuto, []string{"usher_context", "{"}, "invalid_request"},
		{sandbox.ApproveDeny, nil, "access_denied"},
	} {
		g := newRig(t, sandbox.Config{Approve: tt.mode})
		q := g.authorized(authorizeForm(tt.pairs...))
		if q.Get("error") != tt.want || q.Get("iss") != issuer || q.Get("state") != "st&te" || q.Has("code") {
			t.Errorf("%v: redirect query = %v, want %s", tt.pairs, q, tt.want)
		}
	}
}

// The fault plan changes what a redirect brings along.
func TestFaultsOfAnAuthorizationResponse(t *testing.T) {
	for do, want := range map[string]func(url.Values) bool{
		`{"set": {"iss": "https://evil.example"}}`:                    func(q url.Values) bool { return q.Get("iss") == "https://evil.example" && q.Has("code") },
		`{"remove": ["iss"]}`:                                         func(q url.Values) bool { return !q.Has("iss") && q.Has("code") },
		`{"set": {"code": "ac_replayed"}}`:                            func(q url.Values) bool { return q.Get("code") == "ac_replayed" && q.Get("iss") == issuer },
		`{"set": {"error": "server_error"}, "remove": ["code", "x"]}`: func(q url.Values) bool { return q.Get("error") == "server_error" && !q.Has("code") },
		`{"set": {"state": 7}}`:                                       func(q url.Values) bool { return q.Get("state") == "7" && q.Get("keep") == "1" },
	} {
		g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto})
		g.plan(`[{"endpoint": "authorize", "do": ` + do + `}]`)
		if q := g.authorized(authorizeForm()); !want(q) {
			t.Errorf("%s: redirect query = %v", do, q)
		}
	}
}

func TestWithoutDeviceGrant(t *testing.T) {
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto, WithoutDevice: true})
	metadata := g.get(g.URL("/.well-known/oauth-authorization-server"))
	if strings.Contains(metadata.Body, "device") {
		t.Errorf("metadata: %s", metadata.Body)
	}
	if a := g.post(g.DeviceURL(), form("client_id", "cli")); a.Status != 404 {
		t.Errorf("device authorization endpoint: %d", a.Status)
	}
	wantError(t, g.post(g.TokenURL(), form("grant_type", deviceURN, "client_id", "cli", "device_code", "x")), 400, "unsupported_grant_type")
	if a := g.exchange(g.authorized(authorizeForm()).Get("code")); a.Status != 200 {
		t.Errorf("exchange: %d %s", a.Status, a.Body)
	}
}

func TestNoOpenRedirector(t *testing.T) {
	registered := []sandbox.Client{{ID: "cli", RedirectURIs: []string{"http://127.0.0.1/callback?keep=1", "https://app.example/back"}}}
	for _, tt := range []struct {
		clients []sandbox.Client
		to      string
		want    bool
	}{
		{nil, redirect, true},
		{nil, "http://[::1]:1/x", true},
		{nil, "http://localhost:9/", true},
		{nil, "https://evil.example/", false},
		{nil, "http://127.0.0.1.evil.example/", false},
		{nil, "http://user@127.0.0.1/", false},
		{nil, "http://127.0.0.1/#x", false},
		{nil, "javascript:alert(1)", false},
		{nil, "", false},
		{registered, redirect, true}, // any port
		{registered, "https://app.example/back", true},
		{registered, "https://app.example/back/", false},
		{registered, "https://app.example:444/back", false},
		{registered, "http://127.0.0.1:5/other", false},
		{registered, "http://u@127.0.0.1:5/callback?keep=1", false},
		{registered, "http://localhost:5/callback?keep=1", false},
	} {
		g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto, Clients: tt.clients})
		a := g.get(g.URL("/authorize") + "?" + authorizeForm("redirect_uri", tt.to).Encode())
		if got := a.Status == 303; got != tt.want {
			t.Errorf("redirect to %q: status %d, want redirected %v", tt.to, a.Status, tt.want)
		}
		if !tt.want && a.Header.Get("Location") != "" {
			t.Errorf("redirect to %q: Location %q", tt.to, a.Header.Get("Location"))
		}
	}
}

func TestClientAuthentication(t *testing.T) {
	g := newRig(t, sandbox.Config{Clients: []sandbox.Client{
		{ID: "public", Scopes: []string{"openid", "email"}},
		{ID: "post", Secret: secret.New("s3cret"), AuthStyle: sandbox.AuthPost},
		{ID: "ba:sic", Secret: secret.New("s 3%cret"), AuthStyle: sandbox.AuthBasic},
	}})
	basic := func(id, password string) []string {
		r := g.request("POST", g.DeviceURL(), "")
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(password))
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	for _, tt := range []struct {
		name    string
		form    url.Values
		headers []string
		want    string // "" means it is let in
	}{
		{"public", form("client_id", "public"), nil, ""},
		{"public with secret", form("client_id", "public", "client_secret", "x"), nil, "invalid_client"},
		{"public by basic", url.Values{}, basic("public", ""), "invalid_client"},
		{"public, too much scope", form("client_id", "public", "scope", "openid admin"), nil, "invalid_scope"},
		{"post", form("client_id", "post", "client_secret", "s3cret"), nil, ""},
		{"post, wrong secret", form("client_id", "post", "client_secret", "s3creT"), nil, "invalid_client"},
		{"post, no secret", form("client_id", "post"), nil, "invalid_client"},
		{"post by basic", url.Values{}, basic("post", "s3cret"), "invalid_client"},
		{"basic", url.Values{}, basic("ba:sic", "s 3%cret"), ""},
		{"basic by post", form("client_id", "ba:sic", "client_secret", "s 3%cret"), nil, "invalid_client"},
		{"both", form("client_id", "ba:sic", "client_secret", "s 3%cret"), basic("ba:sic", "s 3%cret"), "invalid_request"},
		{"two ids", form("client_id", "public"), basic("ba:sic", "s 3%cret"), "invalid_request"},
		{"other scheme", form("client_id", "public"), []string{"Authorization", "Bearer x"}, "invalid_client"},
		{"unknown", form("client_id", "who"), nil, "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := g.post(g.DeviceURL(), tt.form, tt.headers...)
			got, _ := a.json(t)["error"].(string)
			if got != tt.want {
				t.Errorf("answer = %d %q, want %q", a.Status, got, tt.want)
			}
			if got == "invalid_client" && (a.Status != 401 || (a.Header.Get("WWW-Authenticate") != "") != (tt.headers != nil)) {
				t.Errorf("status %d, WWW-Authenticate %q", a.Status, a.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestParseClients(t *testing.T) {
	clients, err := sandbox.ParseClients([]byte(`[
		{"id": "web", "secret": "s3cret", "auth_style": "basic", "redirect_uris": ["https://app.example/back"], "scopes": ["openid"]},
		{"id": "cli"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if len(clients) != 2 || clients[0].Secret.Reveal() != "s3cret" || clients[0].AuthStyle != sandbox.AuthBasic ||
		clients[0].RedirectURIs[0] != "https://app.example/back" || clients[1].ID != "cli" || !clients[1].Secret.IsZero() {
		t.Errorf("clients = %+v", clients)
	}
	for input, want := range map[string]string{
		`{"id": "a"}`:                                        "cannot unmarshal",
		`[{"id": "a", "sekret": "x"}]`:                       `unknown field "sekret"`,
		`[{"id": ""}]`:                                       "client 1: id",
		`[{"id": "a"}, {"id": "a"}]`:                         "registered twice",
		`[{"id": "a", "secret": "hush"}]`:                    "none takes no secret",
		`[{"id": "a", "auth_style": "post"}]`:                "needs a secret",
		`[{"id": "a", "auth_style": "digest"}]`:              `auth style "digest"`,
		`[{"id": "a", "redirect_uris": ["/back"]}]`:          "absolute URI",
		`[{"id": "a", "redirect_uris": ["https://x.y/#f"]}]`: "without fragment",
		`[{"id": "a", "scopes": ["a b"]}]`:                   "not a scope token",
		`[] []`:                                              "more than one",
	} {
		if _, err := sandbox.ParseClients([]byte(input)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("ParseClients(%s): %v, want %q", input, err, want)
		}
	}
}
