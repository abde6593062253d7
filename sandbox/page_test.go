package sandbox_test

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/sandbox"
)

// newBrowser is a rig whose client keeps cookies.
func newBrowser(t *testing.T, cfg sandbox.Config) *rig {
	t.Helper()
	g := newRig(t, cfg)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	g.http.Jar = jar
	return g
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// hidden reads the hidden fields of a page's form.
func hidden(page string) url.Values {
	v := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		v.Set(m[1], html.UnescapeString(m[2]))
	}
	return v
}

func decision(page, what string) url.Values {
	v := hidden(page)
	v.Set("decision", what)
	return v
}

func TestPageApproves(t *testing.T) {
	g := newBrowser(t, sandbox.Config{})
	device := g.start("usher_context", `{"host":"build-7","user":"ci","started":"2026-11-21T10:00:00Z"}`)

	enter := g.get(device["verification_uri"].(string))
	if enter.Status != 200 || !strings.Contains(enter.Body, `name="user_code"`) {
		t.Fatalf("enter page: %d %s", enter.Status, enter.Body)
	}
	typed := strings.ToLower(strings.ReplaceAll(device["user_code"].(string), "-", ""))
	confirm := g.get(g.URL("/device?user_code=" + typed))
	for _, want := range []string{device["user_code"].(string), "cli", "email", "sandbox-user", "build-7", "ci", "10:00", "Did you start this login"} {
		if !strings.Contains(confirm.Body, want) {
			t.Errorf("confirm page lacks %q", want)
		}
	}
	wantError(t, g.poll(device), 400, "authorization_pending") // looking decides nothing

	done := g.post(g.URL("/device"), decision(confirm.Body, "approve"))
	if done.Status != 200 || !strings.Contains(done.Body, "You are done") {
		t.Errorf("done page: %d %s", done.Status, done.Body)
	}
	again := g.post(g.URL("/device"), decision(confirm.Body, "deny"))
	if again.Status != http.StatusConflict {
		t.Errorf("second decision: %d", again.Status)
	}
	other := g.start()
	if page := g.get(other["verification_uri_complete"].(string)); strings.Contains(page.Body, "On machine") {
		t.Error("the page shows a context nobody sent")
	}
}

func TestPageDenies(t *testing.T) {
	g := newBrowser(t, sandbox.Config{})
	device := g.start()
	page := g.get(device["verification_uri_complete"].(string))
	if undecided := g.post(g.URL("/device"), decision(page.Body, "maybe")); !strings.Contains(undecided.Body, "Allow this login?") {
		t.Errorf("no decision: %d %s", undecided.Status, undecided.Body)
	}
	if a := g.post(g.URL("/device"), decision(page.Body, "deny")); a.Status != 200 || !strings.Contains(a.Body, "Denied") {
		t.Errorf("denied page: %d %s", a.Status, a.Body)
	}
	wantError(t, g.poll(device), 400, "access_denied")
}

func TestPageRefusesForeignForms(t *testing.T) {
	g := newBrowser(t, sandbox.Config{})
	device, other := g.start(), g.start()
	page := g.get(device["verification_uri_complete"].(string)).Body
	approve := decision(page, "approve")
	with := func(name, value string) url.Values {
		v := decision(page, "approve")
		v.Set(name, value)
		return v
	}
	stranger := newRig(t, sandbox.Config{})
	stranger.http.Transport = g.http.Transport // the same server, no cookies
	for name, a := range map[string]reply{
		"no token":           g.post(g.URL("/device"), with("csrf", "")),
		"wrong token":        g.post(g.URL("/device"), with("csrf", "AAAA")),
		"token of another":   g.post(g.URL("/device"), with("user_code", other["user_code"].(string))),
		"other site":         g.post(g.URL("/device"), approve, "Sec-Fetch-Site", "cross-site"),
		"other origin":       g.post(g.URL("/device"), approve, "Origin", "https://evil.example"),
		"no cookie":          stranger.post(g.URL("/device"), approve),
		"cookie of its own":  stranger.post(g.URL("/device"), approve, "Cookie", "sandbox_session=x"),
		"empty cookie":       stranger.post(g.URL("/device"), approve, "Cookie", "sandbox_session="),
		"token for the code": g.post(g.URL("/authorize"), mergeForms(authorizeForm("decision", "approve"), approve)),
	} {
		if a.Status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, a.Status)
		}
	}
	wantError(t, g.poll(device), 400, "authorization_pending")
	wantError(t, g.poll(other), 400, "authorization_pending")
	if a := g.post(g.URL("/device"), approve, "Sec-Fetch-Site", "same-origin", "Origin", issuer); a.Status != 200 {
		t.Errorf("our own form: %d %s", a.Status, a.Body)
	}
}

func mergeForms(a, b url.Values) url.Values {
	for name, values := range b {
		if name != "user_code" {
			a[name] = values
		}
	}
	return a
}

func TestConsentPage(t *testing.T) {
	for decided, want := range map[string]string{"approve": "", "deny": "access_denied"} {
		g := newBrowser(t, sandbox.Config{})
		page := g.get(g.URL("/authorize") + "?" + authorizeForm("usher_context", `{"host":"box-7","user":"ada","started":"2026-11-22T10:00:00Z"}`).Encode())
		if page.Status != 200 {
			t.Fatalf("consent page: %d %s", page.Status, page.Body)
		}
		for _, text := range []string{html.EscapeString(redirect), "box-7", "ada", "2026-11-22T10:00:00Z", "<bdi>cli<", "openid", "Did you start this login yourself, just now?"} {
			if !strings.Contains(page.Body, text) {
				t.Errorf("consent page does not show %q", text)
			}
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "form-action 'self' http:") {
			t.Errorf("Content-Security-Policy = %q", csp)
		}
		a := g.post(g.URL("/authorize"), decision(page.Body, decided))
		u, err := url.Parse(a.Header.Get("Location"))
		if err != nil || a.Status != http.StatusSeeOther || u.Query().Get("error") != want || (u.Query().Get("code") != "") != (want == "") {
			t.Errorf("%s: %d %v", decided, a.Status, u)
		}
		if u.Query().Get("state") != "st&te" || u.Query().Get("iss") != issuer {
			t.Errorf("%s: redirect to %v", decided, u)
		}
	}
}

func TestPageEscapesEverything(t *testing.T) {
	const client, scope = `"><script>alert(1)</script>`, `<img/src=x/onerror=alert(2)>`
	g := newBrowser(t, sandbox.Config{})
	device := g.start("client_id", client, "scope", scope, "usher_context", `{"host":"<b onclick=x>","user":"' onload='","started":"</main>"}`)
	pages := map[string]reply{
		"device":    g.get(device["verification_uri_complete"].(string)),
		"authorize": g.get(g.URL("/authorize") + "?" + authorizeForm("client_id", client, "scope", scope, "state", client).Encode()),
		"enter":     g.get(g.URL("/device?user_code=") + url.QueryEscape(client)),
		"message":   g.get(g.URL("/authorize?client_id=" + url.QueryEscape(client) + "&redirect_uri=" + url.QueryEscape(client))),
	}
	for name, page := range pages {
		for _, bad := range []string{"<script", "<img", "<b onclick", "' onload='", `"onmouseover`, "style=", "javascript:"} {
			if strings.Contains(page.Body, bad) {
				t.Errorf("%s page holds %q", name, bad)
			}
		}
		if n := strings.Count(page.Body, "</main>"); n != 1 {
			t.Errorf("%s page ends main %d times", name, n)
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := page.Header.Get(header); got != want {
				t.Errorf("%s page: %s = %q, want %q", name, header, got, want)
			}
		}
		csp := page.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'") ||
			strings.Contains(csp, "unsafe") || strings.Contains(csp, "script") {
			t.Errorf("%s page: Content-Security-Policy = %q", name, csp)
		}
	}
	for name, text := range map[string]string{"device": client, "authorize": scope} {
		if !strings.Contains(html.UnescapeString(pages[name].Body), text) {
			t.Errorf("%s page does not show %q", name, text)
		}
	}
}

func TestWrongCodesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newBrowser(t, sandbox.Config{})
		device := g.start()
		right := device["verification_uri_complete"].(string)
		for range 10 {
			if a := g.get(g.URL("/device?user_code=AAAA-AAAA")); a.Status != http.StatusNotFound {
				t.Fatalf("wrong code: %d", a.Status)
			}
		}
		if a := g.get(right); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "60" {
			t.Errorf("after ten wrong codes: %d", a.Status)
		}
		time.Sleep(time.Minute)
		if a := g.get(right); a.Status != 200 {
			t.Errorf("a minute later: %d", a.Status)
		}
	})
}

func TestPageAssets(t *testing.T) {
	g := newRig(t, sandbox.Config{})
	page := g.get(g.URL("/device")).Body
	href := regexp.MustCompile(`<link rel="stylesheet" href="([^"]+)">`).FindStringSubmatch(page)
	if href == nil {
		t.Fatalf("no style sheet in %s", page)
	}
	style := g.get(issuer + href[1])
	if style.Status != 200 || !strings.HasPrefix(style.Header.Get("Content-Type"), "text/css") || !strings.Contains(style.Body, "prefers-color-scheme: dark") {
		t.Errorf("style sheet: %d %q", style.Status, style.Header.Get("Content-Type"))
	}
	if a := g.get(g.URL("/")); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/device" {
		t.Errorf("root: %d %q", a.Status, a.Header.Get("Location"))
	}
}
