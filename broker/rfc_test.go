package broker_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/sandbox"
)

// forms returns the forms that arrived at an endpoint of the sandbox.
func (w *world) forms(endpoint string) (forms []url.Values) {
	w.t.Helper()
	for _, r := range w.as.RecordWithSecrets().Requests {
		if r.Endpoint != endpoint {
			continue
		}
		form, err := url.ParseQuery(r.Raw.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		forms = append(forms, form)
	}
	return forms
}

// A paper is a log that tests read.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// everything makes the broker write down all that it can.
func everything(p *paper) func(*broker.Config) {
	return func(c *broker.Config) {
		c.Log = slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Audit = &audit.Writer{Text: p, JSON: p}
	}
}

// drain adds all events so far to p.
func drain(t *testing.T, p *paper, b *broker.Broker, from string) {
	t.Helper()
	b.Events().Append(api.Event{Type: "test.end"})
	for sub := b.Events().Subscribe(from); ; {
		e, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == "test.end" {
			return
		}
		note(t, p, e)
	}
}

func note(t *testing.T, p *paper, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
}

func TestRFC6750_17_TokensAreInNoLogAndNoCookie(t *testing.T) {
	faults := sandbox.Faults{{Endpoint: "token.refresh", Calls: []int{2}, Do: sandbox.Action{Status: 503}}}
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour, Faults: faults}, func(t *testing.T, w *world) {
		var p paper
		b := w.broker(everything(&p))
		first := b.Events().Append(api.Event{Type: "test.begin"}).ID
		w.login(b, "sandbox")
		for range 3 {
			if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		drain(t, &p, b, first)

		record := w.as.RecordWithSecrets()
		kinds := map[string]int{}
		for _, s := range record.Secrets {
			kinds[s.Kind]++
			if strings.Contains(p.String(), s.Value) {
				t.Errorf("a %s was written down", s.Kind)
			}
		}
		if kinds["access_token"] < 3 || kinds["refresh_token"] < 3 {
			t.Errorf("the sandbox issued %v: too little was tried", kinds)
		}
		for _, word := range []string{"status=authorized", "status=refreshed", "status=removed", `"type":"credential.refreshed"`} {
			if !strings.Contains(p.String(), word) {
				t.Errorf("%q was not written down: too little was tried", word)
			}
		}
		for _, r := range record.Requests {
			if r.Raw.Header.Get("Cookie") != "" {
				t.Errorf("a cookie went to %s", r.Endpoint)
			}
		}
	})
}

// Nothing but the person's browser opens a page: a whole login asks the
// machines' endpoints alone.
func TestRFC8252_25_NoPageIsOpened(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		b := w.broker()
		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.as.Approve(l.UserCode, ""); err != nil {
			t.Fatal(err)
		}
		if l, err = b.WaitLogin(t.Context(), l.ID); err != nil || l.Status != api.LoginAuthorized {
			t.Fatalf("WaitLogin = %+v, %v", l, err)
		}
		var asked []string
		for _, r := range w.as.Record().Requests {
			asked = append(asked, r.Endpoint)
		}
		slices.Sort(asked)
		if diff := cmp.Diff([]string{"device", "discovery", "token.device"}, slices.Compact(asked)); diff != "" {
			t.Errorf("endpoints (-want +got):\n%s", diff)
		}
	})
}

// The code stands while it can be used, and in no answer after that.
func TestRFC8628_45_CodeGoesWithTheLogin(t *testing.T) {
	ends := map[string]func(w *world, b *broker.Broker, l api.Login) error{
		api.LoginAuthorized: func(w *world, _ *broker.Broker, l api.Login) error { return w.as.Approve(l.UserCode, "") },
		api.LoginDenied:     func(w *world, _ *broker.Broker, l api.Login) error { return w.as.Deny(l.UserCode) },
		api.LoginExpired:    func(*world, *broker.Broker, api.Login) error { return nil },
		api.LoginCancelled: func(w *world, b *broker.Broker, l api.Login) error {
			_, err := b.CancelLogin(w.t.Context(), l.ID, api.Caller{Owner: true})
			return err
		},
	}
	for status, end := range ends {
		inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
			b := w.broker()
			l, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: "cli-A"})
			if err != nil {
				t.Fatal(err)
			}
			shown, err := b.GetLogin(t.Context(), l.DeviceFlowID)
			if err != nil || shown.UserCode == "" || shown.UserCode != l.UserCode {
				t.Fatalf("pending: %+v, %v", shown, err)
			}
			if err := end(w, b, shown); err != nil {
				t.Fatal(err)
			}
			var after paper
			ended, err := b.WaitLogin(t.Context(), shown.ID)
			if err != nil || ended.Status != status {
				t.Fatalf("%s: %+v, %v", status, ended, err)
			}
			note(t, &after, ended)
			again, err := b.GetLogin(t.Context(), shown.ID)
			if err != nil {
				t.Fatal(err)
			}
			note(t, &after, again)
			flow, err := b.DeviceFlow(t.Context(), shown.ID, "cli-A")
			if err != nil {
				t.Fatal(err)
			}
			note(t, &after, flow)
			for _, hidden := range []string{shown.UserCode, shown.VerificationURI} {
				if strings.Contains(after.String(), hidden) {
					t.Errorf("%s: %q is still shown: %s", status, hidden, &after)
				}
			}
			if stored, err := w.store.GetLogin(t.Context(), shown.ID); err != nil || stored.Live() {
				t.Errorf("%s: the codes are still stored (%v)", status, err)
			}
		})
	}
}

// From the answer of the logout on nobody gets the token: at once in the
// process that revoked it, and within a second in every other one.
func TestRFC7009_50_RevokedTokenIsGoneAtOnce(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		b, other := w.broker(), w.broker()
		w.login(b, "sandbox")
		for _, running := range []*broker.Broker{b, other} {
			if _, err := running.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); err != nil {
				t.Fatal(err)
			}
		}
		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"})
		if err != nil || out.Revocation != api.RevocationRevoked {
			t.Fatalf("Logout = %+v, %v", out, err)
		}
		gone := func(name string, running *broker.Broker) {
			t.Helper()
			if got, err := running.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); code(err) != api.CodeLoginNeeded || got.AccessToken != "" {
				t.Errorf("%s: Token: %v", name, err)
			}
			if _, err := running.Credential(t.Context(), "sandbox"); code(err) != api.CodeLoginNeeded {
				t.Errorf("%s: Credential: %v", name, err)
			}
		}
		gone("the same process", b)
		gone("a process that starts now", w.broker())
		time.Sleep(time.Second)
		synctest.Wait()
		gone("another process", other)
		if n := w.as.Record().RefreshRequests; n != 0 {
			t.Errorf("%d refreshes with a revoked token", n)
		}
	})
}

// A resource that the server does not know is told as such, and is no reason to
// give up a credential.
func TestRFC8707_79_InvalidTargetIsTold(t *testing.T) {
	refuse := func(endpoint string) sandbox.Faults {
		return sandbox.Faults{{Endpoint: endpoint, Do: sandbox.Action{OAuthError: oauth.ErrorInvalidTarget}}}
	}
	const target = "invalid_target"
	inWorld(t, sandbox.Config{Faults: refuse("device")}, func(t *testing.T, w *world) {
		_, err := w.broker().StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if e := api.AsError(err); e == nil || e.Code != api.CodeProviderRefused || e.Kind != target || !strings.Contains(e.Message, target) {
			t.Errorf("at the start: %+v", e)
		}
	})
	inWorld(t, sandbox.Config{Faults: refuse("token.device")}, func(t *testing.T, w *world) {
		b := w.broker()
		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		l, err = b.WaitLogin(t.Context(), l.ID)
		if err != nil || l.Status != api.LoginFailed || l.Error == nil || l.Error.Code != api.CodeProviderRefused || !strings.Contains(l.Error.Hint, target) {
			t.Errorf("at the poll: %+v, %v", l, err)
		}
		if n := w.as.Record().Count("token"); n != 1 {
			t.Errorf("%d polls, want the refusal to end the login", n)
		}
	})
	inWorld(t, sandbox.Config{Faults: refuse("token.refresh"), TokenLifetime: time.Minute}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		time.Sleep(time.Minute)
		_, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"})
		if e := api.AsError(err); e == nil || e.Code != api.CodeProviderRefused || !strings.Contains(e.Message, target) {
			t.Errorf("at the refresh: %+v", e)
		}
		if c, err := b.Credential(t.Context(), "sandbox"); err != nil || c.State != api.StateActive {
			t.Errorf("after the refusal: %+v, %v", c, err)
		}
	})
}

func TestRFC9700_95_LoginAsksForExactlyWhatWasAsked(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Minute}, func(t *testing.T, w *world) {
		add := func(name string, s provider.Settings) {
			t.Helper()
			s.Issuer, s.ClientID = "http://127.0.0.1:9400", "cli"
			if _, err := provider.Open(w.dir, credential.CheckName).Add(provider.Spec{Name: name, Settings: s}); err != nil {
				t.Fatal(err)
			}
		}
		add("none", provider.Settings{})
		add("some", provider.Settings{Scopes: []string{"openid", "email"}, Resource: "https://api.example/v1"})
		b := w.broker()
		for i, tt := range []struct {
			key      string
			asked    []string
			scope    []string // of the device authorization request
			resource []string
		}{
			{"none", nil, nil, nil},
			{"none/two", []string{"email"}, []string{"email"}, nil},
			{"some", nil, []string{"openid email"}, []string{"https://api.example/v1"}},
			{"some/two", []string{"profile"}, []string{"profile"}, []string{"https://api.example/v1"}},
		} {
			l, err := b.StartLogin(t.Context(), api.StartLogin{Key: tt.key, Scopes: tt.asked})
			if err != nil {
				t.Fatal(err)
			}
			if l, err = b.WaitLogin(t.Context(), l.ID); err != nil || l.Status != api.LoginAuthorized {
				t.Fatalf("%s: %+v, %v", tt.key, l, err)
			}
			start := w.forms("device")[i]
			if !slices.Equal(start["scope"], tt.scope) || !slices.Equal(start["resource"], tt.resource) {
				t.Errorf("%s: asked for scope %q at %q, want %q at %q", tt.key, start["scope"], start["resource"], tt.scope, tt.resource)
			}
			polls := w.forms("token.device")
			if last := polls[len(polls)-1]; last.Has("scope") || !slices.Equal(last["resource"], tt.resource) {
				t.Errorf("%s: polled for scope %q at %q", tt.key, last["scope"], last["resource"])
			}
			time.Sleep(time.Minute)
			if _, err := b.Token(t.Context(), api.TokenRequest{Key: tt.key}); err != nil {
				t.Fatal(err)
			}
			if refresh := w.forms("token.refresh")[i]; refresh.Has("scope") || !slices.Equal(refresh["resource"], tt.resource) {
				t.Errorf("%s: refreshed for scope %q at %q", tt.key, refresh["scope"], refresh["resource"])
			}
		}
	})
}

// With a server that rotates and punishes, each refresh spends the newest
// token, once, however many ask; so that a stolen one is noticed by its reuse.
func TestRFC9700_96_RotationIsFollowed(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Minute, Rotation: sandbox.RotationStrict}, func(t *testing.T, w *world) {
		processes := []*broker.Broker{w.broker(), w.broker()}
		w.login(processes[0], "sandbox")
		const rounds = 5
		for range rounds {
			time.Sleep(time.Minute)
			var wg sync.WaitGroup
			for _, b := range append(processes, processes...) {
				wg.Go(func() {
					if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		var issued, spent []string
		for _, s := range w.as.RecordWithSecrets().Secrets {
			if s.Kind == "refresh_token" {
				issued = append(issued, s.Value)
			}
		}
		for _, form := range w.forms("token.refresh") {
			spent = append(spent, form.Get("refresh_token"))
		}
		if len(spent) != rounds || len(issued) != rounds+1 || !slices.Equal(spent, issued[:rounds]) {
			t.Errorf("%d refresh tokens were spent of %d issued, want each once and in order, but the newest", len(spent), len(issued))
		}
		if r := w.as.Record(); r.ReuseSeen != 0 || r.FamiliesRevoked != 0 || r.RefreshesGranted != rounds {
			t.Errorf("reuse %d, families revoked %d, granted %d", r.ReuseSeen, r.FamiliesRevoked, r.RefreshesGranted)
		}

		// The thief comes with one that was spent: both sides lose it.
		stolen := oauth.Client{HTTP: w.http, ID: "usher-demo", Endpoints: oauth.Endpoints{Token: w.as.TokenURL()}}
		c, err := w.store.Get(t.Context(), credential.Key{Provider: "sandbox", Account: credential.DefaultAccount})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stolen.Refresh(t.Context(), oauth.RefreshRequest{RefreshToken: c.RefreshToken}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		_, err = processes[0].Token(t.Context(), api.TokenRequest{Key: "sandbox"})
		if code(err) != api.CodeLoginNeeded {
			t.Errorf("after a theft: %v", err)
		}
		if r := w.as.Record(); r.ReuseSeen != 1 || r.FamiliesRevoked != 1 {
			t.Errorf("reuse %d, families revoked %d, want 1 and 1", r.ReuseSeen, r.FamiliesRevoked)
		}
	})
}

func TestRFC10027_104_LoginTellsWhoWhatAndWhere(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		b := w.broker(func(c *broker.Config) { c.Origin = "ci@build-7" })
		for i, tt := range []struct{ key, origin, user, host string }{
			{"sandbox", "", "ci", "build-7"},
			{"sandbox/two", "me@laptop", "me", "laptop"},
		} {
			l, err := b.StartLogin(t.Context(), api.StartLogin{Key: tt.key, Scopes: []string{"email"}, Origin: tt.origin})
			if err != nil {
				t.Fatal(err)
			}
			// To the person at this end.
			if l.Origin != tt.user+"@"+tt.host || l.Provider != "sandbox" || !slices.Equal(l.Scopes, []string{"email"}) || l.CreatedAt.IsZero() {
				t.Errorf("the login says %+v", l)
			}
			// To the one who approves, by way of the provider.
			var told map[string]string
			if err := json.Unmarshal([]byte(w.forms("device")[i].Get("usher_context")), &told); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"user": tt.user, "host": tt.host, "started": l.CreatedAt.Format(time.RFC3339)}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("the provider was told (-want +got):\n%s", diff)
			}
			page, err := w.http.Get(l.VerificationURIComplete)
			if err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			if _, err := body.ReadFrom(page.Body); err != nil {
				t.Fatal(err)
			}
			page.Body.Close()
			for _, word := range []string{tt.user, tt.host, "usher-demo", "email"} {
				if page.StatusCode != http.StatusOK || !strings.Contains(body.String(), "<bdi>"+word+"</bdi>") {
					t.Errorf("the page does not tell %q", word)
				}
			}
		}
	})
}

func TestRFC10027_105_LoginLivesNoLongerThanItsCode(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{
		10 * time.Second: 10 * time.Second,
		20 * time.Minute: 20 * time.Minute,
		12 * time.Hour:   time.Hour,
	} {
		inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, CodeLifetime: lifetime}, func(t *testing.T, w *world) {
			b := w.broker()
			began := time.Now()
			l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
			if err != nil {
				t.Fatal(err)
			}
			if got := l.ExpiresAt.Sub(began); got != want {
				t.Errorf("%v: the login says %v, want %v", lifetime, got, want)
			}
			// Joining it makes it no longer.
			time.Sleep(want / 2)
			if l, err = b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"}); err != nil || !l.Attached {
				t.Errorf("%v: joined %+v, %v", lifetime, l, err)
			}
			l, err = b.WaitLogin(t.Context(), l.ID)
			if took := time.Since(began); err != nil || l.Status != api.LoginExpired || took > want+time.Second {
				t.Errorf("%v: ended %s after %v, %v", lifetime, l.Status, took, err)
			}
		})
	}
}

func TestRFC10027_106_StartsAreLimited(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		// Two processes share the limit, since they share the store.
		processes := []*broker.Broker{w.broker(), w.broker()}
		start := func(i int, account string) (api.Login, error) {
			return processes[i%2].StartLogin(t.Context(), api.StartLogin{Key: "sandbox/" + account})
		}
		var last api.Login
		for i, account := range strings.Split("abcdefgh", "")[:login.DefaultMaxActive] {
			var err error
			if last, err = start(i, account); err != nil {
				t.Fatalf("start %d: %v", i+1, err)
			}
		}
		for i := range 10 {
			if _, err := start(i, "more"); code(err) != api.CodeTooManyLogins {
				t.Errorf("beyond the limit: %v", err)
			}
		}
		if n := w.as.Record().DeviceAuthorizations; n != login.DefaultMaxActive {
			t.Errorf("%d device authorizations, want %d", n, login.DefaultMaxActive)
		}
		// Asking again for one that is pending is no start.
		if l, err := start(0, last.Account); err != nil || !l.Attached || w.as.Record().DeviceAuthorizations != login.DefaultMaxActive {
			t.Errorf("joining: %+v, %v", l, err)
		}
		if _, err := processes[0].CancelLogin(t.Context(), last.ID, api.Caller{Owner: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := start(0, "more"); err != nil {
			t.Errorf("after one has ended: %v", err)
		}
	})
}

// Codes are in no event, list, status, audit record or log, before the end of
// the login and after it, and not in what another client of the compatible
// surface sees.
func TestRFC10027_107_CodesArePassedOnNowhere(t *testing.T) {
	for _, mode := range []sandbox.ApproveMode{sandbox.ApproveAuto, sandbox.ApproveDeny, sandbox.ApproveManual} {
		inWorld(t, sandbox.Config{Approve: mode, CodeLifetime: time.Minute}, func(t *testing.T, w *world) {
			var p paper
			b := w.broker(everything(&p), func(c *broker.Config) { c.Daemon = true })
			first := b.Events().Append(api.Event{Type: "test.begin"}).ID
			l, _, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: "cli-A"})
			if err != nil {
				t.Fatal(err)
			}
			codes := []string{l.UserCode, l.VerificationURI}
			look := func() {
				t.Helper()
				logins, err := b.Logins(t.Context())
				if err != nil || len(logins) != 1 {
					t.Fatalf("Logins = %+v, %v", logins, err)
				}
				note(t, &p, logins)
				status, err := b.AuthStatus(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				note(t, &p, status)
				for _, stranger := range []string{"", "cli-B"} {
					flow, err := b.DeviceFlow(t.Context(), l.DeviceFlowID, stranger)
					if err != nil {
						t.Fatal(err)
					}
					note(t, &p, flow)
				}
				credentials, err := b.Credentials(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				note(t, &p, credentials)
			}
			look()
			joined, fresh, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: "cli-B"})
			if err != nil || fresh {
				t.Fatalf("taking over: fresh %v, %v", fresh, err)
			}
			note(t, &p, joined)
			ended, err := b.WaitLogin(t.Context(), l.DeviceFlowID)
			if err != nil {
				t.Fatal(err)
			}
			note(t, &p, ended)
			look()
			drain(t, &p, b, first)

			for _, s := range w.as.RecordWithSecrets().Secrets {
				codes = append(codes, s.Value)
			}
			for _, form := range w.forms("token.device") {
				codes = append(codes, form.Get("code_verifier"))
			}
			if len(codes) < 4 || slices.Contains(codes, "") {
				t.Fatalf("%s: codes %q: too little was tried", mode, codes)
			}
			for _, c := range codes {
				if strings.Contains(p.String(), c) {
					t.Errorf("%s: a code was passed on:\n%s", mode, &p)
				}
			}
			if !strings.Contains(p.String(), `"type":"login.started"`) || !strings.Contains(p.String(), l.DeviceFlowID) {
				t.Errorf("%s: the login was not written down: too little was tried", mode)
			}
		})
	}
}
