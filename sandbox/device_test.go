package sandbox_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/sandbox"
)

func TestDeviceFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{})
		device := g.start()
		if got := device["user_code"].(string); !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(got) {
			t.Errorf("user_code = %q", got)
		}
		want := map[string]any{
			"device_code": device["device_code"], "user_code": device["user_code"],
			"verification_uri":          issuer + "/device",
			"verification_uri_complete": issuer + "/device?user_code=" + device["user_code"].(string),
			"expires_in":                600.0, "interval": 5.0,
		}
		if diff := cmp.Diff(want, device); diff != "" {
			t.Errorf("device answer (-want +got):\n%s", diff)
		}

		wantError(t, g.poll(device), 400, "authorization_pending")
		time.Sleep(5 * time.Second)
		if err := g.Approve(strings.ToLower(strings.ReplaceAll(device["user_code"].(string), "-", " ")), ""); err != nil {
			t.Fatal(err)
		}
		a := g.poll(device)
		if got := a.Header.Get("Cache-Control"); a.Status != 200 || got != "no-store" {
			t.Fatalf("poll = %d %s, Cache-Control %q", a.Status, a.Body, got)
		}
		tokens := a.json(t)
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if tokens[name] == nil {
				t.Errorf("no %s in %v", name, tokens)
			}
			delete(tokens, name)
		}
		if diff := cmp.Diff(map[string]any{"token_type": "Bearer", "expires_in": 3600.0, "scope": "openid email"}, tokens); diff != "" {
			t.Errorf("token answer (-want +got):\n%s", diff)
		}

		time.Sleep(5 * time.Second)
		wantError(t, g.poll(device), 400, "invalid_grant")
		r := g.Record()
		if r.DeviceAuthorizations != 1 || r.CodesReused != 1 || r.EarlyPolls != 0 {
			t.Errorf("record = %+v", r)
		}
	})
}

// Within the grace a code that was redeemed is worth the same tokens again, to
// a client that keeps to the interval.
func TestDeviceCodeGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto, AutoAfterPolls: -1, CodeGrace: 20 * time.Second})
		device := g.start()
		first := g.poll(device)
		if first.Status != 200 {
			t.Fatalf("poll = %d %s", first.Status, first.Body)
		}
		wantError(t, g.poll(device), 400, "slow_down") // now ten seconds apart
		time.Sleep(10 * time.Second)
		if again := g.poll(device); again.Status != 200 || again.Body != first.Body {
			t.Errorf("poll within the grace = %d %s, want %s", again.Status, again.Body, first.Body)
		}
		time.Sleep(10 * time.Second)
		wantError(t, g.poll(device), 400, "invalid_grant")
		r := g.Record()
		var outcomes []string
		for _, request := range r.Requests {
			outcomes = append(outcomes, request.Outcome)
		}
		if diff := cmp.Diff([]string{"issued", "issued", "slow_down", "repeated", "invalid_grant"}, outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if r.CodesReused != 1 || r.EarlyPolls != 1 {
			t.Errorf("record = %+v", r)
		}
	})
}

func TestEarlyPollSlowsDownForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{Interval: 2})
		device := g.start()
		wantError(t, g.poll(device), 400, "authorization_pending")
		time.Sleep(1900 * time.Millisecond)
		wantError(t, g.poll(device), 400, "slow_down")
		time.Sleep(6900 * time.Millisecond) // now the interval is 7 s
		wantError(t, g.poll(device), 400, "slow_down")
		time.Sleep(12 * time.Second)
		wantError(t, g.poll(device), 400, "authorization_pending")

		// Another code has its own interval.
		other := g.start()
		wantError(t, g.poll(other), 400, "authorization_pending")
		time.Sleep(2 * time.Second)
		wantError(t, g.poll(other), 400, "authorization_pending")

		var early []bool
		for _, r := range g.Record().Requests {
			if r.Endpoint == "token.device" {
				early = append(early, r.Early)
			}
		}
		if diff := cmp.Diff([]bool{false, true, true, false, false, false}, early); diff != "" {
			t.Errorf("early polls (-want +got):\n%s", diff)
		}
	})
}

func TestDeviceCodeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, sandbox.Config{CodeLifetime: time.Minute})
		device := g.start()
		time.Sleep(time.Minute)
		wantError(t, g.poll(device), 400, "expired_token")
		if err := g.Approve(device["user_code"].(string), ""); err != sandbox.ErrUnknownUserCode {
			t.Errorf("approving an expired code: %v", err)
		}

		time.Sleep(2 * time.Hour)
		g.start() // makes room: what expired long ago is forgotten
		wantError(t, g.poll(device), 400, "invalid_grant")
	})
}

func TestDecisionCountsOnce(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	device := g.start()
	if err := g.Deny(device["user_code"].(string)); err != nil {
		t.Fatal(err)
	}
	if err := g.Approve(device["user_code"].(string), ""); err != sandbox.ErrDecided {
		t.Errorf("second decision: %v, want ErrDecided", err)
	}
	wantError(t, g.poll(device), 400, "access_denied")
}

func TestModesDecideAfterPolls(t *testing.T) {
	for _, tt := range []struct {
		mode  sandbox.ApproveMode
		after int
		want  []string
	}{
		{sandbox.ApproveAuto, 0, []string{"authorization_pending", "authorization_pending", "issued"}},
		{sandbox.ApproveAuto, 1, []string{"authorization_pending", "issued"}},
		{sandbox.ApproveAuto, -1, []string{"issued"}},
		{sandbox.ApproveDeny, 1, []string{"authorization_pending", "access_denied"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, sandbox.Config{Approve: tt.mode, AutoAfterPolls: tt.after})
			device := g.start()
			var got []string
			for range tt.want {
				g.poll(device)
				time.Sleep(5 * time.Second)
			}
			for _, r := range g.Record().Requests[1:] {
				got = append(got, r.Outcome)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s after %d (-want +got):\n%s", tt.mode, tt.after, diff)
			}
		})
	}
}

func TestDeviceGrantChecksPKCE(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	poll := func(device map[string]any, pairs ...string) reply {
		return g.post(g.TokenURL(), form(append([]string{"grant_type", deviceURN, "client_id", "cli",
			"device_code", device["device_code"].(string)}, pairs...)...))
	}
	device := g.start()
	if err := g.Approve(device["user_code"].(string), ""); err != nil {
		t.Fatal(err)
	}
	wantError(t, poll(device), 400, "invalid_grant")
	wantError(t, poll(device, "code_verifier", strings.Repeat("a", 43)), 400, "invalid_grant")
	wantError(t, poll(device, "code_verifier", challengeOf(verifier)), 400, "invalid_grant")
	if a := poll(device, "code_verifier", verifier); a.Status != 200 {
		t.Errorf("right verifier: %d %s", a.Status, a.Body)
	}

	without := g.post(g.DeviceURL(), form("client_id", "cli")).json(t)
	wantError(t, poll(without, "code_verifier", verifier), 400, "invalid_grant")
	wantError(t, poll(without), 400, "authorization_pending")
}

func TestDeviceRequestIsChecked(t *testing.T) {
	challenge := challengeOf(verifier)
	for _, tt := range []struct {
		name, body, want string
	}{
		{"no client", "scope=openid", "invalid_request"},
		{"empty client", "client_id=", "invalid_request"},
		{"control character in client", "client_id=a%00b", "invalid_client"},
		{"repeated parameter", "client_id=a&client_id=a", "invalid_request"},
		{"malformed body", "client_id=%zz", "invalid_request"},
		{"quote in scope", "client_id=a&scope=%22", "invalid_scope"},
		{"endless scope", "client_id=a&scope=" + strings.Repeat("x", 2000), "invalid_scope"},
		{"plain challenge", "client_id=a&code_challenge_method=plain&code_challenge=" + challenge, "invalid_request"},
		{"challenge without method", "client_id=a&code_challenge=" + challenge, "invalid_request"},
		{"method without challenge", "client_id=a&code_challenge_method=S256", "invalid_request"},
		{"short challenge", "client_id=a&code_challenge_method=S256&code_challenge=abc", "invalid_request"},
		{"context is no object", "client_id=a&usher_context=%5B%5D", "invalid_request"},
		{"secret of a public client", "client_id=a&client_secret=s", "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(t, sandbox.Config{})
			a := g.do(g.request("POST", g.DeviceURL(), tt.body, "Content-Type", "application/x-www-form-urlencoded"))
			if got := a.json(t)["error"]; got != tt.want || a.Status/100 != 4 {
				t.Errorf("answer = %d %v, want %s", a.Status, got, tt.want)
			}
			if n := g.Record().DeviceAuthorizations; n != 0 {
				t.Errorf("%d device authorizations were started", n)
			}
		})
	}
}

func TestRequestShape(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	body := "client_id=cli"
	for _, tt := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"JSON body", g.request("POST", g.DeviceURL(), `{"client_id":"cli"}`, "Content-Type", "application/json"), 400},
		{"no content type", g.request("POST", g.DeviceURL(), body), 400},
		{"GET", g.request("GET", g.DeviceURL()+"?"+body, ""), 405},
		{"too large", g.request("POST", g.DeviceURL(), "client_id="+strings.Repeat("x", 70<<10), "Content-Type", "application/x-www-form-urlencoded"), 413},
		{"unknown path", g.request("GET", g.URL("/nope"), ""), 404},
		{"charset", g.request("POST", g.DeviceURL(), body, "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"), 200},
		{"resource twice", g.request("POST", g.DeviceURL(), body+"&resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb", "Content-Type", "application/x-www-form-urlencoded"), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := g.do(tt.r); a.Status != tt.want {
				t.Errorf("status = %d, want %d: %s", a.Status, tt.want, a.Body)
			}
		})
	}
}
