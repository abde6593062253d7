package sandbox_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
)

func TestDiscovery(t *testing.T) {
	for _, tt := range []struct {
		issuer, path, endpoints string
	}{
		{"http://127.0.0.1:9400", "/.well-known/oauth-authorization-server", "http://127.0.0.1:9400"},
		{"http://127.0.0.1:9400", "/.well-known/openid-configuration", "http://127.0.0.1:9400"},
		{"http://127.0.0.1:9400/", "/.well-known/openid-configuration", "http://127.0.0.1:9400"},
		{"https://id.example/a/b", "/.well-known/oauth-authorization-server/a/b", "https://id.example/a/b"},
		{"https://id.example/a/b", "/.well-known/openid-configuration/a/b", "https://id.example/a/b"},
		{"https://id.example/a/b", "/a/b/.well-known/openid-configuration", "https://id.example/a/b"},
	} {
		g := newRig(t, sandbox.Config{Issuer: tt.issuer})
		origin := strings.Join(strings.SplitN(tt.issuer, "/", 4)[:3], "/")
		m := g.get(origin + tt.path).json(t)
		if m["issuer"] != tt.issuer {
			t.Errorf("issuer = %v, want %q", m["issuer"], tt.issuer)
		}
		for name, want := range map[string]string{
			"authorization_endpoint": "/authorize", "token_endpoint": "/token", "device_authorization_endpoint": "/device_authorization",
			"revocation_endpoint": "/revoke", "userinfo_endpoint": "/userinfo", "jwks_uri": "/jwks",
		} {
			if got := m[name]; got != tt.endpoints+want {
				t.Errorf("%s of %s = %v", name, tt.issuer, got)
			}
		}
		if diff := cmp.Diff([]any{"S256"}, m["code_challenge_methods_supported"]); diff != "" || m["authorization_response_iss_parameter_supported"] != true {
			t.Errorf("metadata = %v", m)
		}
	}
}

func TestIssuerPath(t *testing.T) {
	g := newRig(t, sandbox.Config{Issuer: "http://127.0.0.1:9400/tenant"})
	if tokens := g.login(); g.resource(tokens["access_token"]).Status != 200 {
		t.Error("the resource refuses its own token")
	}
	for path, want := range map[string]int{"/token": 404, "/tenantx/token": 404, "/tenant/token": 405, "/tenant": 303, "/.well-known/oauth-authorization-server": 404} {
		if a := g.get("http://127.0.0.1:9400" + path); a.Status != want {
			t.Errorf("%s: %d, want %d", path, a.Status, want)
		}
	}
	if got := g.get(g.URL("/_sandbox/record")).Status; got != 200 {
		t.Errorf("record: %d", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  sandbox.Config
		want string
	}{
		"approve":    {sandbox.Config{Approve: "perhaps"}, `approve mode "perhaps"`},
		"rotation":   {sandbox.Config{Rotation: "loose"}, `rotation "loose"`},
		"dialect":    {sandbox.Config{Dialect: "klingon"}, `dialect "klingon"`},
		"interval":   {sandbox.Config{Interval: -1}, "interval -1"},
		"token life": {sandbox.Config{TokenLifetime: time.Millisecond}, "token lifetime"},
		"code life":  {sandbox.Config{CodeLifetime: -time.Hour}, "code lifetime"},
		"code grace": {sandbox.Config{CodeGrace: -1}, "code grace"},
		"grace":      {sandbox.Config{GracePeriod: -1}, "grace period"},
		"canary":     {sandbox.Config{Canary: "a b"}, "canary"},
		"issuer":     {sandbox.Config{Issuer: "ftp://x"}, "http or https"},
		"query":      {sandbox.Config{Issuer: "https://x/?q"}, "no user, query or fragment"},
		"no host":    {sandbox.Config{Issuer: "https:///x"}, "want a host"},
		"bad URL":    {sandbox.Config{Issuer: "http://[::1"}, "parsing issuer"},
		"client":     {sandbox.Config{Clients: []sandbox.Client{{ID: "a", Secret: secret.New("x")}}}, `client "a"`},
		"faults":     {sandbox.Config{Faults: sandbox.Faults{{Endpoint: "x"}}}, "fault rule 1"},
	} {
		if _, err := sandbox.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestNoIssuerYet(t *testing.T) {
	s, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest("GET", "/jwks", nil))
	if rec.Code != 500 || !strings.Contains(rec.Body.String(), "no issuer yet") {
		t.Errorf("answer = %d %s", rec.Code, rec.Body)
	}
}

func TestRecordTellsWhatArrived(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	before := time.Now()
	g.get(g.URL("/.well-known/oauth-authorization-server"))
	tokens := g.login()
	g.renew(tokens["refresh_token"])
	g.resource(tokens["access_token"])

	var got sandbox.Record
	if err := json.Unmarshal([]byte(g.get(g.URL("/_sandbox/record")).Body), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g.Record(), got); diff != "" {
		t.Errorf("record over HTTP (-method +route):\n%s", diff)
	}
	want := []sandbox.Request{
		{Endpoint: "discovery", Number: 1, Outcome: "ok", Status: 200},
		{Endpoint: "device", Number: 1, ClientID: "cli", Outcome: "issued", Status: 200},
		{Endpoint: "token.device", Number: 1, GrantType: deviceURN, ClientID: "cli", Outcome: "issued", Status: 200},
		{Endpoint: "token.refresh", Number: 1, GrantType: "refresh_token", ClientID: "cli", Outcome: "issued", Status: 200},
		{Endpoint: "resource", Number: 1, Outcome: "ok", Status: 200},
	}
	for i, r := range got.Requests {
		if r.Time.Before(before) || r.Time.After(time.Now()) {
			t.Errorf("request %d came at %v", i, r.Time)
		}
		got.Requests[i].Time = time.Time{}
	}
	if diff := cmp.Diff(want, got.Requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got.Count("token") != 2 || got.Count("*") != 5 || got.Count("revoke") != 0 {
		t.Errorf("counts = %v", got.Counts)
	}
	g.admin("reset-record", "")
	if r := g.Record(); len(r.Requests) != 0 || r.Count("*") != 0 || r.DeviceAuthorizations != 0 {
		t.Errorf("record after reset = %+v", r)
	}
}

func TestSecretsAndCanary(t *testing.T) {
	const canary = "CANARY-7"
	var log bytes.Buffer
	g := newRig(t, sandbox.Config{Canary: canary, Approve: sandbox.ApproveAuto, AutoAfterPolls: -1, Log: slog.New(slog.NewJSONHandler(&log, nil))})
	tokens := g.poll(g.start()).json(t)
	g.renew(tokens["refresh_token"])
	code := g.authorized(authorizeForm()).Get("code")
	g.exchange(code)

	kinds := map[string]int{}
	for _, s := range g.RecordWithSecrets().Secrets {
		kinds[s.Kind]++
		if s.Kind != "id_token" && !strings.Contains(s.Value, canary) {
			t.Errorf("%s without the canary", s.Kind)
		}
	}
	want := map[string]int{"device_code": 1, "authorization_code": 1, "access_token": 3, "refresh_token": 3, "id_token": 3, "id_token_jti": 3}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if got := g.get(g.URL("/_sandbox/record?secrets=1")).Body; !strings.Contains(got, canary) || !strings.Contains(got, verifier) {
		t.Error("the record with secrets has no secrets")
	}
	for name, text := range map[string]string{"record": g.get(g.URL("/_sandbox/record")).Body, "log": log.String()} {
		if strings.Contains(text, canary) || strings.Contains(text, verifier) {
			t.Errorf("%s holds a secret: %s", name, text)
		}
		if !strings.Contains(text, "token.refresh") {
			t.Errorf("%s does not tell of the refresh: %s", name, text)
		}
	}
}

func TestRawRequestsKeepTheirBytes(t *testing.T) {
	g := newRig(t, sandbox.Config{Dialect: sandbox.DialectQwen})
	const body = "client_id=a&scope=openid%20email&code_challenge=x&code_challenge_method=S256"
	g.do(g.request("POST", g.DeviceURL()+"?q=1", body, "Content-Type", "application/x-www-form-urlencoded", "X-Request-Id", "r-1"))
	raw := g.RecordWithSecrets().Requests[0].Raw
	if raw.Method != "POST" || raw.Target != "/api/v1/oauth2/device/code?q=1" || raw.Body != body || raw.Header.Get("X-Request-Id") != "r-1" {
		t.Errorf("raw request = %+v", raw)
	}
}

func TestAdminActs(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	device := g.start()
	code := device["user_code"].(string)
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{"approve", `{"user_code": "nope"}`, 404},
		{"approve", `{"user_code": "` + code + `", "subject": "bob"}`, 200},
		{"deny", `{"user_code": "` + code + `"}`, 409},
		{"approve", `{"code": "x"}`, 400},
		{"deny", `[]`, 400},
		{"expire", `{"tokens": true}`, 400},
		{"faults", `[{"endpoint": "nope"}]`, 400},
		{"faults", `[{"endpoint": "jwks", "do": {"status": 500}}]`, 200},
		{"nope", `{}`, 404},
	} {
		if a := g.admin(tt.path, tt.body); a.Status != tt.want {
			t.Errorf("%s %s: %d %s, want %d", tt.path, tt.body, a.Status, a.Body, tt.want)
		}
	}
	if a := g.get(g.URL("/jwks")); a.Status != 500 {
		t.Errorf("planned fault: %d", a.Status)
	}
	g.admin("faults", `[]`)

	tokens := g.poll(device).json(t)
	if a := g.resource(tokens["access_token"]); !strings.Contains(a.Body, `"sub":"bob"`) {
		t.Errorf("resource = %s", a.Body)
	}
	other := g.start()
	g.admin("expire", `{"access_tokens": true, "device_codes": true}`)
	wantError(t, g.resource(tokens["access_token"]), 401, "invalid_token")
	wantError(t, g.poll(other), 400, "expired_token")
	renewed := g.renew(tokens["refresh_token"]).json(t)
	if a := g.resource(renewed["access_token"]); a.Status != 200 {
		t.Errorf("token after expiry and refresh: %d", a.Status)
	}
	g.admin("expire", `{"refresh_tokens": true}`)
	wantError(t, g.renew(renewed["refresh_token"]), 400, "invalid_grant")
	if r := g.Record(); r.ReuseSeen != 0 || r.FamiliesRevoked != 0 {
		t.Errorf("expiry counted as reuse: %+v", r)
	}
}

func TestAdminGate(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	for name, tt := range map[string]struct {
		headers []string
		host    string
		remote  string
		want    int
	}{
		"local program":  {nil, "127.0.0.1:9400", "127.0.0.1:1", 200},
		"IPv6 loopback":  {nil, "127.0.0.1:9400", "[::1]:1", 200},
		"pipe":           {nil, "127.0.0.1:9400", "pipe", 200},
		"other machine":  {nil, "127.0.0.1:9400", "192.0.2.7:1", 403},
		"rebound name":   {nil, "evil.example:9400", "127.0.0.1:1", 403},
		"web page":       {[]string{"Origin", "https://evil.example"}, "127.0.0.1:9400", "127.0.0.1:1", 403},
		"null origin":    {[]string{"Origin", "null"}, "127.0.0.1:9400", "127.0.0.1:1", 403},
		"cross site":     {[]string{"Sec-Fetch-Site", "cross-site"}, "127.0.0.1:9400", "127.0.0.1:1", 403},
		"same-site":      {[]string{"Sec-Fetch-Site", "same-site"}, "127.0.0.1:9400", "127.0.0.1:1", 403},
		"typed address":  {[]string{"Sec-Fetch-Site", "none"}, "127.0.0.1:9400", "127.0.0.1:1", 200},
		"host with port": {nil, "127.0.0.1", "127.0.0.1:1", 403},
	} {
		r := httptest.NewRequest("GET", "/_sandbox/record?secrets=1", nil)
		r.Host, r.RemoteAddr = tt.host, tt.remote
		for i := 0; i < len(tt.headers); i += 2 {
			r.Header.Set(tt.headers[i], tt.headers[i+1])
		}
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		if rec.Code != tt.want {
			t.Errorf("%s: %d, want %d", name, rec.Code, tt.want)
		}
	}
	if a := g.do(g.request("POST", g.URL("/_sandbox/expire"), `{}`, "Content-Type", "text/plain")); a.Status != 415 {
		t.Errorf("text/plain: %d", a.Status)
	}
	if a := g.get(g.URL("/_sandbox/expire")); a.Status != 405 {
		t.Errorf("GET of an action: %d", a.Status)
	}
}
