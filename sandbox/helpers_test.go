package sandbox_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/sandbox"
)

const (
	issuer    = "http://127.0.0.1:9400"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
	deviceURN = "urn:ietf:params:oauth:grant-type:device_code"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// rig is a sandbox and a plain HTTP client of it.
type rig struct {
	*sandbox.Server
	t    *testing.T
	http *http.Client
}

func newRig(t *testing.T, cfg sandbox.Config) *rig {
	t.Helper()
	if cfg.Issuer == "" {
		cfg.Issuer = issuer
	}
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{s, t, &http.Client{
		Transport:     &memhttp.Transport{Handler: s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is an HTTP answer read to its end.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// json is the answer's object.
func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.Body), &v); err != nil {
		t.Fatalf("decoding answer %d %q: %v", r.Status, r.Body, err)
	}
	return v
}

func (g *rig) do(r *http.Request) reply {
	g.t.Helper()
	resp, err := g.http.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

func (g *rig) request(method, url, body string, headers ...string) *http.Request {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (g *rig) get(url string, headers ...string) reply {
	g.t.Helper()
	return g.do(g.request("GET", url, "", headers...))
}

// form makes url.Values from pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func (g *rig) post(url string, v url.Values, headers ...string) reply {
	g.t.Helper()
	headers = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)
	return g.do(g.request("POST", url, v.Encode(), headers...))
}

func (g *rig) admin(path, body string) reply {
	g.t.Helper()
	return g.do(g.request("POST", g.URL("/_sandbox/"+path), body, "Content-Type", "application/json"))
}

// start starts a device authorization with PKCE.
func (g *rig) start(pairs ...string) map[string]any {
	g.t.Helper()
	v := form("client_id", "cli", "scope", "openid email", "code_challenge", challengeOf(verifier), "code_challenge_method", "S256")
	for name, values := range form(pairs...) {
		v[name] = values
	}
	a := g.post(g.DeviceURL(), v, "Accept", "application/json")
	if a.Status != http.StatusOK {
		g.t.Fatalf("device authorization: %d %s", a.Status, a.Body)
	}
	return a.json(g.t)
}

func (g *rig) poll(device map[string]any) reply {
	g.t.Helper()
	return g.post(g.TokenURL(), form("grant_type", deviceURN, "client_id", "cli",
		"device_code", device["device_code"].(string), "code_verifier", verifier), "Accept", "application/json")
}

// login gets tokens by a device authorization approved at once.
func (g *rig) login(pairs ...string) map[string]any {
	g.t.Helper()
	device := g.start(pairs...)
	if err := g.Approve(device["user_code"].(string), ""); err != nil {
		g.t.Fatal(err)
	}
	a := g.poll(device)
	if a.Status != http.StatusOK {
		g.t.Fatalf("poll: %d %s", a.Status, a.Body)
	}
	return a.json(g.t)
}

func (g *rig) renew(refreshToken any) reply {
	g.t.Helper()
	return g.post(g.TokenURL(), form("grant_type", "refresh_token", "client_id", "cli",
		"refresh_token", refreshToken.(string)), "Accept", "application/json")
}

func (g *rig) resource(accessToken any) reply {
	g.t.Helper()
	return g.get(g.URL("/resource"), "Authorization", "Bearer "+accessToken.(string))
}

// wantError checks an OAuth error answer.
func wantError(t *testing.T, a reply, status int, code string) {
	t.Helper()
	if got := a.json(t)["error"]; a.Status != status || got != code {
		t.Errorf("answer = %d %v, want %d %s", a.Status, got, status, code)
	}
}
