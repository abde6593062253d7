package broker_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/sandbox"
)

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// browse opens link as a browser would, presses the button decision, and
// returns the address that it is sent to.
func (w *world) browse(link, decision string) string {
	w.t.Helper()
	page := w.fetch("GET", link, nil)
	form := url.Values{"decision": {decision}}
	for _, field := range hidden.FindAllStringSubmatch(page.body, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	at, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	done := w.fetch("POST", at.Scheme+"://"+at.Host+at.Path, form, page.cookies...)
	if done.status != http.StatusSeeOther {
		w.t.Fatalf("deciding: %d %s", done.status, done.body)
	}
	return done.location
}

type visit struct {
	status         int
	body, location string
	cookies        []*http.Cookie
}

func (w *world) fetch(method, link string, form url.Values, cookies ...*http.Cookie) visit {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, link, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := w.http.Transport.RoundTrip(r) // follows nothing
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return visit{resp.StatusCode, string(body), resp.Header.Get("Location"), resp.Cookies()}
}

func (w *world) codeLogin(b *broker.Broker) api.Login {
	w.t.Helper()
	l, err := b.StartLogin(w.t.Context(), api.StartLogin{Key: "sandbox", Method: api.MethodCode})
	if err != nil || l.Attached {
		w.t.Fatalf("StartLogin = %+v, %v", l, err)
	}
	return l
}

func TestLoginByCodeAtTheSandbox(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		b := w.broker()
		l := w.codeLogin(b)
		if l.Method != api.MethodCode || l.Status != api.LoginPending || l.UserCode != "" || l.Interval != 0 ||
			!strings.HasPrefix(l.AuthorizationURI, "http://127.0.0.1:9400/authorize?") || l.ExpiresAt.Sub(l.CreatedAt) != 10*time.Minute {
			t.Fatalf("started %+v", l)
		}
		if got, err := b.GetLogin(t.Context(), l.ID); err != nil || got.AuthorizationURI != l.AuthorizationURI {
			t.Errorf("GetLogin = %+v, %v", got, err)
		}
		to := w.browse(l.AuthorizationURI, "approve")
		if !strings.HasPrefix(to, login.DefaultRedirectURI("sandbox")+"?") {
			t.Fatalf("redirected to %s", to)
		}
		at, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		q := at.Query()

		for name, tt := range map[string]struct {
			r    api.CompleteLogin
			want api.Code
		}{
			"nothing":         {api.CompleteLogin{}, api.CodeInvalidRequest},
			"no state":        {api.CompleteLogin{Code: q.Get("code")}, api.CodeInvalidRequest},
			"both forms":      {api.CompleteLogin{RedirectedURL: to, Code: q.Get("code"), State: q.Get("state")}, api.CodeInvalidRequest},
			"wrong state":     {api.CompleteLogin{Code: q.Get("code"), State: "x", ISS: q.Get("iss")}, api.CodeStateMismatch},
			"wrong issuer":    {api.CompleteLogin{Code: q.Get("code"), State: q.Get("state"), ISS: "http://127.0.0.1:9401"}, api.CodeIssuerMismatch},
			"no issuer":       {api.CompleteLogin{Code: q.Get("code"), State: q.Get("state")}, api.CodeIssuerMismatch},
			"another address": {api.CompleteLogin{RedirectedURL: l.AuthorizationURI}, api.CodeInvalidRequest},
			"no answer":       {api.CompleteLogin{RedirectedURL: login.DefaultRedirectURI("sandbox") + "?state=" + q.Get("state") + "&iss=" + url.QueryEscape(q.Get("iss"))}, api.CodeInvalidRequest},
		} {
			if _, err := b.CompleteLogin(t.Context(), l.ID, tt.r); code(err) != tt.want {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
		}
		if n := w.as.Record().Count("token"); n != 0 {
			t.Errorf("strays were exchanged %d times", n)
		}
		got, err := b.CompleteLogin(t.Context(), l.ID, api.CompleteLogin{Code: q.Get("code"), State: q.Get("state"), ISS: q.Get("iss")})
		if err != nil || got.Status != api.LoginAuthorized || got.Credential == nil || got.AuthorizationURI != "" {
			t.Fatalf("CompleteLogin = %+v, %v", got, err)
		}
		if token, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); err != nil || token.AccessToken == "" {
			t.Errorf("Token: %v", err)
		}
		_, err = b.CompleteLogin(t.Context(), l.ID, api.CompleteLogin{RedirectedURL: to})
		if e := api.AsError(err); e == nil || e.Code != api.CodeLoginEnded || e.Kind != api.LoginAuthorized {
			t.Errorf("a replay: %+v", err)
		}
		if r := w.as.Record(); r.Count("token.code") != 1 || r.CodesReused != 0 {
			t.Errorf("record = %+v", r)
		}
	})
}

func TestLoginByCodeThatIsDenied(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		b := w.broker()
		l := w.codeLogin(b)
		got, err := b.CompleteLogin(t.Context(), l.ID, api.CompleteLogin{RedirectedURL: w.browse(l.AuthorizationURI, "deny")})
		if err != nil || got.Status != api.LoginDenied || got.Error == nil || got.Error.Code != api.CodeAccessDenied {
			t.Errorf("CompleteLogin = %+v, %v", got, err)
		}
	})
}

// The code of a login that has been cancelled is not sent.
func TestCancelledLoginByCodeSpendsNoCode(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveAuto}, func(t *testing.T, w *world) {
		b := w.broker()
		l := w.codeLogin(b)
		to := w.fetch("GET", l.AuthorizationURI, nil).location
		if _, err := b.CancelLogin(t.Context(), l.ID, api.Caller{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.CompleteLogin(t.Context(), l.ID, api.CompleteLogin{RedirectedURL: to}); code(err) != api.CodeLoginEnded {
			t.Errorf("after a cancel: %v", err)
		}
		if n := w.as.Record().Count("token"); n != 0 {
			t.Errorf("a cancelled login's code was sent %d times", n)
		}
	})
}

// The answer for one login is brought to another.
func TestRFC6749_14_AnswerForAnotherLoginIsRefused(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveAuto}, func(t *testing.T, w *world) {
		b := w.broker()
		first := w.codeLogin(b)
		second, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox/work", Method: api.MethodCode})
		if err != nil {
			t.Fatal(err)
		}
		to := w.fetch("GET", second.AuthorizationURI, nil).location
		if _, err := b.CompleteLogin(t.Context(), first.ID, api.CompleteLogin{RedirectedURL: to}); code(err) != api.CodeStateMismatch {
			t.Errorf("the answer for another login: %v", err)
		}
		if got, err := b.CompleteLogin(t.Context(), second.ID, api.CompleteLogin{RedirectedURL: to}); err != nil || got.Status != api.LoginAuthorized {
			t.Errorf("at its own login: %+v, %v", got, err)
		}
	})
}

// The compatible surface knows device flows only; the native one and the audit
// log know all.
func TestLoginByCodeIsNoDeviceFlow(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveAuto}, func(t *testing.T, w *world) {
		var lines paper
		b := w.broker(func(c *broker.Config) { c.Audit = &audit.Writer{JSON: &lines} })
		sub := b.Events().Subscribe("")
		session, err := b.Sessions().Create("/work")
		if err != nil {
			t.Fatal(err)
		}
		l := w.codeLogin(b)
		status, err := b.AuthStatus(t.Context())
		if err != nil || len(status.PendingDeviceFlows) != 0 {
			t.Errorf("AuthStatus = %+v, %v", status, err)
		}
		if _, err := b.DeviceFlow(t.Context(), l.ID, ""); code(err) != api.CodeLoginNotFound {
			t.Errorf("DeviceFlow: %v", err)
		}
		if err := b.CancelDeviceFlow(t.Context(), l.ID, ""); code(err) != api.CodeLoginNotFound {
			t.Errorf("CancelDeviceFlow: %v", err)
		}
		if _, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox"}); code(err) != api.CodeConflict {
			t.Errorf("StartDeviceFlow: %v", err)
		}
		if all, err := b.Logins(t.Context()); err != nil || len(all) != 1 || all[0].AuthorizationURI != "" || all[0].Method != api.MethodCode {
			t.Errorf("Logins = %+v, %v", all, err)
		}
		to := w.fetch("GET", l.AuthorizationURI, nil).location
		if _, err := b.CompleteLogin(t.Context(), l.ID, api.CompleteLogin{RedirectedURL: to}); err != nil {
			t.Fatal(err)
		}
		if got := told(t, b, session.ID, l.ID); len(got) != 0 {
			t.Errorf("a session was told %q", got)
		}
		for _, want := range []string{api.EventLoginStarted, api.EventLoginAuthorized, api.EventCredentialStored} {
			e, err := sub.Next(t.Context())
			if err != nil || e.Type != want {
				t.Fatalf("event %s, %v, want %s", e.Type, err, want)
			}
			shown, err := json.Marshal(e)
			if err != nil || strings.Contains(string(shown), "authorize") && want == api.EventLoginStarted {
				t.Errorf("the event shows the link: %s, %v", shown, err)
			}
		}
		got := lines.String()
		if strings.Count(got, `"status":"started"`) != 1 || strings.Count(got, `"status":"authorized"`) != 1 || strings.Count(got, "\n") != 2 ||
			strings.Contains(got, "state=") || strings.Contains(got, "ac_") {
			t.Errorf("audit log:\n%s", got)
		}
	})
}

func TestChoiceOfMethodAndRedirectURI(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveAuto, Clients: []sandbox.Client{
		{ID: "cli", RedirectURIs: []string{"https://app.example/back", "http://127.0.0.1/cb"}},
		{ID: "usher-demo"},
	}}, func(t *testing.T, w *world) {
		file := `client_id = "cli"
			authorization_endpoint = "http://127.0.0.1:9400/authorize"
			token_endpoint = "http://127.0.0.1:9400/token"
			redirect_uris = ["https://app.example/back"]`
		if err := os.WriteFile(filepath.Join(w.dir, "app.toml"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		b := w.broker(func(c *broker.Config) { c.MaxLogins = 20 })
		for name, tt := range map[string]struct {
			r        api.StartLogin
			want     api.Code
			redirect string
		}{
			"the file's":                  {api.StartLogin{Key: "app"}, "", "https://app.example/back"},
			"the file's, by its name":     {api.StartLogin{Key: "app/a", Method: "code", RedirectURI: "https://app.example/back"}, "", "https://app.example/back"},
			"a loopback address":          {api.StartLogin{Key: "app/b", Method: "code", RedirectURI: "http://127.0.0.1:9/cb"}, "", "http://127.0.0.1:9/cb"},
			"somebody else's":             {api.StartLogin{Key: "app/c", Method: "code", RedirectURI: "https://evil.example/back"}, api.CodeInvalidRequest, ""},
			"localhost":                   {api.StartLogin{Key: "app/d", Method: "code", RedirectURI: "http://localhost:9/cb"}, api.CodeInvalidRequest, ""},
			"for no method in particular": {api.StartLogin{Key: "app/e", RedirectURI: "http://127.0.0.1:9/cb"}, "", "http://127.0.0.1:9/cb"},
			"in case of method code":      {api.StartLogin{Key: "sandbox/i", RedirectURI: "http://127.0.0.1:9/cb"}, "", ""},
			"for method device":           {api.StartLogin{Key: "sandbox/j", Method: "device", RedirectURI: "http://127.0.0.1:9/cb"}, api.CodeInvalidRequest, ""},
			"unknown method":              {api.StartLogin{Key: "app/f", Method: "password"}, api.CodeInvalidRequest, ""},
			"device where there is none":  {api.StartLogin{Key: "app/g", Method: "device"}, api.CodeUnsupportedMethod, ""},
			"device by default":           {api.StartLogin{Key: "sandbox/h"}, "", ""},
		} {
			l, err := b.StartLogin(t.Context(), tt.r)
			if code(err) != tt.want {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
				continue
			}
			if err != nil {
				continue
			}
			u, err := url.Parse(l.AuthorizationURI)
			if err != nil || u.Query().Get("redirect_uri") != tt.redirect || (l.Method == api.MethodCode) != (tt.redirect != "") {
				t.Errorf("%s: method %s at %s, %v", name, l.Method, l.AuthorizationURI, err)
			}
			if tt.redirect != "" {
				to := w.fetch("GET", l.AuthorizationURI, nil).location
				if got, err := b.CompleteLogin(t.Context(), l.ID, api.CompleteLogin{RedirectedURL: to}); err != nil || got.Status != api.LoginAuthorized {
					t.Errorf("%s: completed as %+v, %v", name, got, err)
				}
			}
		}
		if _, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "app"}); code(err) != api.CodeUnsupportedMethod {
			t.Errorf("a device flow: %v", err)
		}
		status, err := b.AuthStatus(t.Context())
		if err != nil || strings.Contains(strings.Join(status.SupportedDeviceFlowProviders, " "), "app") {
			t.Errorf("AuthStatus = %+v, %v", status.SupportedDeviceFlowProviders, err)
		}
		for _, key := range []string{"app", "app/a", "app/b"} {
			k, err := credential.ParseKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if c, err := w.store.Get(t.Context(), k); err != nil || c.AccessToken.IsZero() {
				t.Errorf("%s: stored %+v, %v", key, c, err)
			}
		}
	})
}
