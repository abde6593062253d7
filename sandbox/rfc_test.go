package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/sandbox"
)

// The other side of the rule: a second use is refused, and takes down what the
// first one gave (section 4.1.2).
func TestRFC6749_15_SpentCodeIsRefusedAndRevokes(t *testing.T) {
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto})
	code := g.authorized(authorizeForm()).Get("code")
	first := g.exchange(code)
	if first.Status != http.StatusOK {
		t.Fatalf("first use: %d %s", first.Status, first.Body)
	}
	tokens := first.json(t)
	if a := g.resource(tokens["access_token"]); a.Status != http.StatusOK {
		t.Fatalf("resource before the second use: %d", a.Status)
	}
	wantError(t, g.exchange(code), 400, "invalid_grant")
	if a := g.resource(tokens["access_token"]); a.Status != http.StatusUnauthorized {
		t.Errorf("resource after the second use: %d, want 401", a.Status)
	}
	wantError(t, g.renew(tokens["refresh_token"]), 400, "invalid_grant")
}

// A person may type the code in any form; it is only ever shown in one.
func TestRFC8628_43_UserCodeIsTakenInAnyForm(t *testing.T) {
	for _, typed := range []func(string) string{
		strings.ToLower,
		func(code string) string { return strings.ReplaceAll(code, "-", "") },
		func(code string) string { return " " + strings.ReplaceAll(strings.ToLower(code), "-", " ") + " " },
	} {
		g := newBrowser(t, sandbox.Config{})
		device := g.start()
		code := device["user_code"].(string)
		page := g.get(g.URL("/device?user_code=") + url.QueryEscape(typed(code)))
		if page.Status != http.StatusOK || !strings.Contains(page.Body, ">"+code+"<") {
			t.Errorf("typed %q: %d, and the page does not show %s", typed(code), page.Status, code)
		}
		g.post(g.URL("/device"), decision(page.Body, "approve"))
		if a := g.poll(device); a.Status != http.StatusOK {
			t.Errorf("typed %q: poll %d %s", typed(code), a.Status, a.Body)
		}
	}
}

func TestRFC8628_44_PageWarnsOfCodesSentByOthers(t *testing.T) {
	g := newBrowser(t, sandbox.Config{})
	page := g.get(g.start()["verification_uri_complete"].(string)).Body
	warning := strings.Index(page, "Did you start this login yourself")
	if warning < 0 || !strings.Contains(page, "If somebody sent you the code or the link, choose Deny") {
		t.Fatalf("the page has no warning:\n%s", page)
	}
	if button := strings.Index(page, `value="approve"`); button < warning {
		t.Error("the warning stands behind the button")
	}
}

func TestRFC9700_91_NoImplicitAndNoPasswordGrant(t *testing.T) {
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto})
	for _, kind := range []string{"token", "id_token", "code token", "id_token token"} {
		q := g.authorized(authorizeForm("response_type", kind))
		if q.Get("error") != "unsupported_response_type" || q.Has("access_token") || q.Has("code") {
			t.Errorf("response type %q: %v", kind, q)
		}
	}
	wantError(t, g.post(g.TokenURL(), form("grant_type", "password", "client_id", "cli", "username", "u", "password", "p")), 400, "unsupported_grant_type")
}

func TestRFC9700_92_CodeFlowWithoutPKCEIsRefused(t *testing.T) {
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto})
	for _, pairs := range [][]string{
		{"code_challenge", "", "code_challenge_method", ""},
		{"code_challenge", verifier, "code_challenge_method", "plain"},
		{"code_challenge_method", ""}, // which means plain
	} {
		if q := g.authorized(authorizeForm(pairs...)); q.Get("error") != "invalid_request" || q.Has("code") {
			t.Errorf("%q: %v", pairs, q)
		}
	}
	code := g.authorized(authorizeForm()).Get("code")
	wantError(t, g.exchange(code, "code_verifier", ""), 400, "invalid_grant")
}

// sendsTo returns where authorization requests for the redirect URI to send a
// browser, or "" if nowhere.
func sendsTo(t *testing.T, clients []sandbox.Client, to string) (location string) {
	t.Helper()
	for _, mode := range []sandbox.ApproveMode{sandbox.ApproveAuto, sandbox.ApproveDeny} {
		g := newRig(t, sandbox.Config{Approve: mode, Clients: clients})
		a := g.get(g.URL("/authorize") + "?" + authorizeForm("redirect_uri", to).Encode())
		location = a.Header.Get("Location")
		if (a.Status == http.StatusSeeOther) != (location != "") || location == "" && a.Status != http.StatusBadRequest {
			t.Errorf("%s to %q: status %d with Location %q", mode, to, a.Status, location)
		}
	}
	return location
}

// Only the port of a loopback address is free (RFC 8252 section 7.3).
func TestRFC9700_93_RedirectURIsMatchExactly(t *testing.T) {
	clients := []sandbox.Client{{ID: "cli", RedirectURIs: []string{"https://app.example/back?a=1", "http://127.0.0.1/cb"}}}
	for _, to := range []string{"https://app.example/back?a=1", "http://127.0.0.1/cb", "http://127.0.0.1:4711/cb"} {
		if location := sendsTo(t, clients, to); !strings.HasPrefix(location, to) {
			t.Errorf("registered %s: sent to %q", to, location)
		}
	}
	for _, to := range []string{
		"https://app.example/back", "https://app.example/back?a=1&b=2", "https://app.example/back?a=2",
		"https://app.example/back/?a=1", "https://app.example/Back?a=1", "https://app.example/b%61ck?a=1",
		"https://app.example/x/../back?a=1", "https://APP.example/back?a=1", "https://app.example:443/back?a=1",
		"http://app.example/back?a=1", "https://app.example.evil.example/back?a=1", "https://evil.example/?https://app.example/back?a=1",
		"https://app.example@evil.example/back?a=1", "https://app.example/back?a=1#f", "http://127.0.0.1/cb/", "http://127.0.0.2/cb",
		"http://[::1]/cb", "http://localhost/cb", "https://127.0.0.1/cb",
	} {
		if location := sendsTo(t, clients, to); location != "" {
			t.Errorf("%s is not registered, and sent to %q", to, location)
		}
	}

	// The exchange names the same one again.
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto})
	code := g.authorized(authorizeForm()).Get("code")
	for _, other := range []string{"http://127.0.0.1:51234/callback", "http://127.0.0.1:51235/callback?keep=1", ""} {
		wantError(t, g.exchange(code, "redirect_uri", other), 400, "invalid_grant")
	}
	if a := g.exchange(code); a.Status != http.StatusOK {
		t.Errorf("with the same redirect URI: %d %s", a.Status, a.Body)
	}
}

// The browser that brought the person's decision is sent on by 303, which
// makes it forget the form; 307 would hand that to the client.
func TestRFC9700_97_DecisionIsNotTakenAlong(t *testing.T) {
	for _, what := range []string{"approve", "deny"} {
		g := newBrowser(t, sandbox.Config{})
		page := g.get(g.URL("/authorize") + "?" + authorizeForm().Encode())
		a := g.post(g.URL("/authorize"), decision(page.Body, what))
		if a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "http://127.0.0.1:51234/callback?") {
			t.Errorf("%s: %d to %q, want 303", what, a.Status, a.Header.Get("Location"))
		}
		if strings.Contains(a.Header.Get("Location"), "csrf") {
			t.Errorf("%s: the form went along to %q", what, a.Header.Get("Location"))
		}
	}
}

func TestRFC9700_98_NoOpenRedirector(t *testing.T) {
	clients := []sandbox.Client{{ID: "other", RedirectURIs: []string{"https://app.example/back"}}}
	for _, to := range []string{
		"https://evil.example/", "//evil.example/", "http://evil.example:80/", "http://127.0.0.1@evil.example/",
		"http://127.0.0.1.evil.example/", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "",
	} {
		// Neither for a client that nobody registered, nor for an unknown one
		// where clients are.
		for _, registered := range [][]sandbox.Client{nil, clients} {
			if location := sendsTo(t, registered, to); location != "" {
				t.Errorf("sent to %q", location)
			}
		}
	}
	// Errors too go nowhere but to a known place.
	g := newRig(t, sandbox.Config{})
	for _, pairs := range [][]string{
		{"response_type", "token"}, {"code_challenge", ""}, {"scope", `"`},
	} {
		a := g.get(g.URL("/authorize") + "?" + authorizeForm(append(pairs, "redirect_uri", "https://evil.example/")...).Encode())
		if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%q: %d to %q", pairs, a.Status, a.Header.Get("Location"))
		}
	}
}

func TestRFC9700_100_VerifierOfAnotherTransactionIsRefused(t *testing.T) {
	const another = "another-verifier-made-of-unreserved-characters"
	g := newRig(t, sandbox.Config{Approve: sandbox.ApproveAuto, AutoAfterPolls: -1})
	mine := g.authorized(authorizeForm()).Get("code")
	theirs := g.authorized(authorizeForm("code_challenge", challengeOf(another))).Get("code")
	wantError(t, g.exchange(mine, "code_verifier", another), 400, "invalid_grant")
	wantError(t, g.exchange(theirs), 400, "invalid_grant")
	if a := g.exchange(mine); a.Status != http.StatusOK {
		t.Errorf("its own verifier: %d %s", a.Status, a.Body)
	}
	if a := g.exchange(theirs, "code_verifier", another); a.Status != http.StatusOK {
		t.Errorf("the other one's own verifier: %d %s", a.Status, a.Body)
	}
	// The device grant likewise, which need not have PKCE at all.
	wantError(t, g.poll(g.start("code_challenge", challengeOf(another))), 400, "invalid_grant")
	if a := g.poll(g.start()); a.Status != http.StatusOK {
		t.Errorf("device grant with its own verifier: %d %s", a.Status, a.Body)
	}
}

func TestOAuth21_101_SandboxKeepsToIt(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	var m struct {
		Grants     []string `json:"grant_types_supported"`
		Responses  []string `json:"response_types_supported"`
		Modes      []string `json:"response_modes_supported"`
		Challenges []string `json:"code_challenge_methods_supported"`
	}
	if err := json.Unmarshal([]byte(g.get(g.URL("/.well-known/oauth-authorization-server")).Body), &m); err != nil {
		t.Fatal(err)
	}
	slices.Sort(m.Grants)
	got := [][]string{m.Grants, m.Responses, m.Modes, m.Challenges}
	want := [][]string{{"authorization_code", "refresh_token", deviceURN}, {"code"}, {"query"}, {"S256"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	// No bearer in a query, nor in a form.
	access := g.login()["access_token"].(string)
	if a := g.get(g.URL("/resource?access_token=") + url.QueryEscape(access)); a.Status != http.StatusUnauthorized {
		t.Errorf("bearer in the query: %d, want 401", a.Status)
	}
	if a := g.post(g.URL("/userinfo"), form("access_token", access)); a.Status == http.StatusOK {
		t.Errorf("bearer in the form: %d", a.Status)
	}
	if a := g.resource(access); a.Status != http.StatusOK {
		t.Errorf("bearer in the header: %d", a.Status)
	}
}

// Before a person decides, the page tells who asks for what, and from where.
func TestRFC10027_104_PageTellsWhoWhatAndWhere(t *testing.T) {
	g := newBrowser(t, sandbox.Config{})
	device := g.start("client_id", "usher-demo", "scope", "openid email offline_access",
		"usher_context", `{"host":"build-7","user":"ci","started":"2026-11-21T10:00:00Z"}`)
	page := g.get(device["verification_uri_complete"].(string)).Body
	decide := strings.Index(page, `value="approve"`)
	for _, want := range []string{
		"<dt>App</dt><dd><bdi>usher-demo</bdi>", "<bdi>openid</bdi>", "<bdi>email</bdi>", "<bdi>offline_access</bdi>",
		"stay logged in while you are away", "<dt>On machine</dt><dd><bdi>build-7</bdi>", "<dt>By user</dt><dd><bdi>ci</bdi>",
		"<dt>Started</dt><dd><bdi>2026-11-21T10:00:00Z</bdi>", "what the app says about itself",
	} {
		if at := strings.Index(page, want); at < 0 || at > decide {
			t.Errorf("before the button the page lacks %q", want)
		}
	}
}
