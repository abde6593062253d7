package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
)

// world is one sandbox, one store, one configuration, and as many brokers on
// them as a test wants processes.
type world struct {
	t     *testing.T
	as    *sandbox.Server
	store *memstore.Store
	dir   string // the providers' files
	http  *http.Client

	audit paper
}

// inWorld runs f in a bubble against a sandbox that approves by itself.
func inWorld(t *testing.T, cfg sandbox.Config, f func(t *testing.T, w *world)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg.Issuer = "http://127.0.0.1:9400" // where the catalogue's sandbox is
		if cfg.Interval == 0 {
			cfg.Interval = 1
		}
		if cfg.Approve == "" {
			cfg.Approve = sandbox.ApproveAuto
		}
		as, err := sandbox.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		f(t, &world{t: t, as: as, store: memstore.New(), dir: dir,
			http: &http.Client{Transport: &memhttp.Transport{Handler: as}}})
	})
}

func (w *world) broker(change ...func(*broker.Config)) *broker.Broker {
	cfg := broker.Config{
		Store: w.store, Providers: provider.Open(w.dir, credential.CheckName), HTTP: w.http,
		Audit:    &audit.Writer{Text: &w.audit},
		AliasKey: func() (secret.String, error) { return secret.New("0123456789abcdef"), nil },
	}
	for _, c := range change {
		c(&cfg)
	}
	b := broker.New(cfg)
	w.t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			w.t.Errorf("Close: %v", err)
		}
	})
	return b
}

func (w *world) login(b *broker.Broker, key string) api.Login {
	w.t.Helper()
	l, err := b.StartLogin(w.t.Context(), api.StartLogin{Key: key})
	if err != nil {
		w.t.Fatalf("StartLogin: %v", err)
	}
	l, err = b.WaitLogin(w.t.Context(), l.ID)
	if err != nil || l.Status != api.LoginAuthorized {
		w.t.Fatalf("WaitLogin = %+v, %v", l, err)
	}
	return l
}

func code(err error) api.Code {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestTheMainJob(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
		b := w.broker()
		sub := b.Events().Subscribe("")

		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox", Origin: "me@box"})
		if err != nil || l.Status != api.LoginPending || l.UserCode == "" || l.VerificationURIComplete == "" || l.Interval != 1 || l.Origin != "me@box" {
			t.Fatalf("started %+v, %v", l, err)
		}
		done, err := b.WaitLogin(t.Context(), l.ID)
		if err != nil || done.Status != api.LoginAuthorized || done.UserCode != "" || done.Credential == nil || done.Credential.Generation != 1 {
			t.Fatalf("ended %+v, %v", done, err)
		}

		first, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"})
		if err != nil || first.AccessToken == "" || first.TokenType != "Bearer" {
			t.Fatalf("Token = %v, %v", first, err)
		}
		time.Sleep(2 * time.Hour)
		second, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"})
		if err != nil || second.AccessToken == first.AccessToken {
			t.Fatalf("after the expiry: %v, %v", second, err)
		}
		if n := w.as.Record().RefreshRequests; n != 1 {
			t.Errorf("%d refresh requests, want 1", n)
		}

		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"})
		want := api.Logout{Key: "sandbox", Removed: true, Revocation: api.RevocationRevoked}
		if d := cmp.Diff(want, out); err != nil || d != "" {
			t.Errorf("Logout: %v %s", err, d)
		}
		if n := w.as.Record().Revocations; n != 2 {
			t.Errorf("%d revocations, want refresh and access token", n)
		}
		if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); code(err) != api.CodeLoginNeeded {
			t.Errorf("Token after the logout: %v", err)
		}

		var types []string
		for range 5 {
			e, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, e.Type)
			if e.Login != nil && (e.Login.UserCode != "" || e.Login.VerificationURI != "") {
				t.Errorf("event %s carries the code", e.Type)
			}
		}
		wantTypes := []string{api.EventLoginStarted, api.EventLoginAuthorized, api.EventCredentialStored, api.EventCredentialRefreshed, api.EventCredentialRemoved}
		if !slices.Equal(types, wantTypes) {
			t.Errorf("events %v, want %v", types, wantTypes)
		}
		log := w.audit.String()
		for _, line := range []string{"status=started expiresInMs=", "status=authorized", "status=refreshed", "status=removed"} {
			if !strings.Contains(log, line) {
				t.Errorf("the audit log lacks %q:\n%s", line, log)
			}
		}
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		start := func(key string) func() error {
			return func() error { _, err := b.StartLogin(t.Context(), api.StartLogin{Key: key}); return err }
		}
		tests := []struct {
			name string
			do   func() error
			code api.Code
			hint string
		}{
			{"bad key", start("Not A Key"), api.CodeInvalidKey, "github/work"},
			{"unknown provider", start("githbu"), api.CodeUnknownProvider, "usher provider"},
			{"no client id", start("github"), api.CodeProviderIncomplete, "usher provider add github --client-id"},
			{"never logged in", func() error { _, err := b.Token(t.Context(), api.TokenRequest{Key: "github/work"}); return err }, api.CodeLoginNeeded, "usher login github/work"},
			{"token of an unknown provider", func() error { _, err := b.Token(t.Context(), api.TokenRequest{Key: "githbu/work"}); return err }, api.CodeUnknownProvider, "usher provider"},
			{"credential of an unknown provider", func() error { _, err := b.Credential(t.Context(), "githbu"); return err }, api.CodeUnknownProvider, "usher provider"},
			{"no credential", func() error { _, err := b.Credential(t.Context(), "github"); return err }, api.CodeLoginNeeded, "usher login github"},
			{"unknown login", func() error { _, err := b.GetLogin(t.Context(), "nope"); return err }, api.CodeLoginNotFound, "forgotten 5 minutes after"},
			{"negative ttl", func() error {
				_, err := b.Token(t.Context(), api.TokenRequest{Key: "github", MinTTL: -1})
				return err
			}, api.CodeInvalidRequest, ""},
		}
		for _, tt := range tests {
			err := tt.do()
			e := api.AsError(err)
			if e == nil || e.Code != tt.code || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("%s: %+v", tt.name, e)
			}
		}
	})
}

func TestProviderTroubleAtTheStart(t *testing.T) {
	tests := []struct {
		name, plan string
		code       api.Code
	}{
		{"server error", `[{"endpoint":"device","do":{"status":503}}]`, api.CodeProviderUnreachable},
		{"dropped", `[{"endpoint":"device","do":{"drop":"before"}}]`, api.CodeProviderUnreachable},
		{"refused", `[{"endpoint":"device","do":{"oauth_error":"invalid_scope"}}]`, api.CodeProviderRefused},
		{"html", `[{"endpoint":"device","do":{"status":200,"body":"<html>","content_type":"text/html"}}]`, api.CodeProviderRefused},
		{"discovery down", `[{"endpoint":"discovery","do":{"status":500}}]`, api.CodeProviderUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults, err := sandbox.ParseFaults([]byte(tt.plan))
			if err != nil {
				t.Fatal(err)
			}
			inWorld(t, sandbox.Config{Faults: faults}, func(t *testing.T, w *world) {
				b := w.broker()
				if _, err := b.StartLogin(w.t.Context(), api.StartLogin{Key: "sandbox"}); code(err) != tt.code {
					t.Errorf("StartLogin: %v (%s)", err, code(err))
				}
				if all, err := b.Logins(w.t.Context()); err != nil || len(all) != 0 {
					t.Errorf("left behind %+v, %v", all, err)
				}
			})
		})
	}
}

func TestRFC7009_48_UnknownTokenIsRevoked(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		// The server forgot everything: it answers 200 to what it does not know.
		fresh, err := sandbox.New(sandbox.Config{Issuer: "http://127.0.0.1:9400"})
		if err != nil {
			t.Fatal(err)
		}
		w.http.Transport = &memhttp.Transport{Handler: fresh}
		if out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil || out.Revocation != api.RevocationRevoked {
			t.Errorf("Logout = %+v, %v", out, err)
		}
	})
}

func TestRFC7009_49_RevocationIsRetriedAfter503(t *testing.T) {
	faults := sandbox.Faults{{Endpoint: "revoke", Calls: []int{1}, Do: sandbox.Action{Status: 503, RetryAfter: 2}}}
	inWorld(t, sandbox.Config{Faults: faults}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		began := time.Now()
		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"})
		if err != nil || out.Revocation != api.RevocationRevoked || time.Since(began) < 2*time.Second {
			t.Errorf("Logout = %+v, %v after %v", out, err, time.Since(began))
		}
	})
}

func TestRFC7009_51_UnsupportedTokenTypeIsNoFailure(t *testing.T) {
	faults := sandbox.Faults{{Endpoint: "revoke", Do: sandbox.Action{OAuthError: "unsupported_token_type"}}}
	inWorld(t, sandbox.Config{Faults: faults}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"})
		if err != nil || !out.Removed || out.Revocation != api.RevocationUnsupported || out.Error != nil {
			t.Errorf("Logout = %+v, %v", out, err)
		}
	})
}

func TestLogoutRemovesEvenWhenRevocationFails(t *testing.T) {
	tests := []struct {
		name string
		do   sandbox.Action
		code api.Code
	}{
		{"500", sandbox.Action{Status: 500}, api.CodeRevocationLost},
		{"dropped", sandbox.Action{Drop: "before"}, api.CodeProviderUnreachable},
		{"refused", sandbox.Action{OAuthError: "invalid_client"}, api.CodeRevocationLost},
	}
	for _, tt := range tests {
		faults := sandbox.Faults{{Endpoint: "revoke", Do: tt.do}}
		inWorld(t, sandbox.Config{Faults: faults}, func(t *testing.T, w *world) {
			b := w.broker()
			w.login(b, "sandbox")
			out, err := b.Logout(w.t.Context(), api.LogoutRequest{Key: "sandbox"})
			if err != nil || !out.Removed || out.Revocation != api.RevocationFailed || out.Error == nil || out.Error.Code != tt.code {
				t.Errorf("%s: Logout = %+v, %+v, %v", tt.name, out, out.Error, err)
			}
			if all, err := b.Credentials(w.t.Context()); err != nil || len(all) != 0 {
				t.Errorf("%s: left %+v, %v", tt.name, all, err)
			}
		})
	}
}

// A refresh token that outlives its access token could get another one.
func TestLogoutRevokesTheRefreshTokenFirst(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		var hints []string
		for _, r := range w.as.RecordWithSecrets().Requests {
			if r.Endpoint != "revoke" {
				continue
			}
			form, err := url.ParseQuery(string(r.Raw.Body))
			if err != nil {
				t.Fatal(err)
			}
			hints = append(hints, form.Get("token_type_hint"))
		}
		if want := []string{"refresh_token", "access_token"}; !slices.Equal(hints, want) {
			t.Errorf("revoked %q, want %q", hints, want)
		}
	})
}

func TestLogoutThatKeepsTheRemoteSide(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox", KeepRemote: true})
		if err != nil || !out.Removed || out.Revocation != api.RevocationKept || w.as.Record().Count("revoke") != 0 {
			t.Errorf("Logout = %+v, %v; %d revocation requests", out, err, w.as.Record().Count("revoke"))
		}
		again, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"})
		if err != nil || again.Removed || again.Revocation != api.RevocationNothing {
			t.Errorf("second Logout = %+v, %v", again, err)
		}
	})
}

func TestLogoutCancelsThePendingLogin(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		b := w.broker()
		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"})
		if err != nil || out.CancelledLogin != l.ID || out.Removed {
			t.Errorf("Logout = %+v, %v", out, err)
		}
		if got, err := b.GetLogin(t.Context(), l.ID); err != nil || got.Status != api.LoginCancelled || got.Error.Code != api.CodeCancelled {
			t.Errorf("GetLogin = %+v, %v", got, err)
		}
	})
}

func TestWaitThatEndsEarlyTellsThatTheLoginIsPending(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		b := w.broker()
		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := b.WaitLogin(ctx, l.ID)
		if code(err) != api.CodeLoginPending || got.ID != l.ID || got.UserCode != l.UserCode {
			t.Errorf("WaitLogin = %+v, %v", got, err)
		}
		again, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil || !again.Attached || again.ID != l.ID || again.UserCode != l.UserCode {
			t.Errorf("StartLogin again = %+v, %v", again, err)
		}
	})
}

func TestDaemonTellsWhatOthersDoWithinASecond(t *testing.T) {
	inWorld(t, sandbox.Config{TokenLifetime: time.Minute}, func(t *testing.T, w *world) {
		daemon := w.broker(func(c *broker.Config) { c.Daemon, c.Audit = true, nil })
		synctest.Wait()
		sub := daemon.Events().Subscribe("")
		// Logins and credentials are looked at apart, so nothing orders the
		// events of one by those of the other.
		next := func(want ...string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond)
			defer cancel()
			for len(want) > 0 {
				e, err := sub.Next(ctx)
				if err != nil {
					t.Fatalf("no %v: %v", want, err)
				}
				want = slices.DeleteFunc(want, func(typ string) bool { return typ == e.Type })
			}
		}
		cli := w.broker()
		w.login(cli, "sandbox")
		next(api.EventLoginAuthorized, api.EventCredentialStored)
		if _, err := daemon.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := cli.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		next(api.EventCredentialRefreshed)
		if _, err := cli.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil {
			t.Fatal(err)
		}
		next(api.EventCredentialRemoved)
		if _, err := daemon.Token(t.Context(), api.TokenRequest{Key: "sandbox"}); code(err) != api.CodeLoginNeeded {
			t.Errorf("the daemon still has a token: %v", err)
		}
	})
}

func TestAnotherAccountIsTold(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		b := w.broker()
		sub := b.Events().Subscribe("")
		var aliases []string
		for _, person := range []string{"alice", "alice", "bob"} {
			l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.as.Approve(l.UserCode, person); err != nil {
				t.Fatal(err)
			}
			done, err := b.WaitLogin(t.Context(), l.ID)
			if err != nil || done.Credential == nil {
				t.Fatalf("WaitLogin = %+v, %v", done, err)
			}
			aliases = append(aliases, done.Credential.Alias)
		}
		if aliases[0] == "" || aliases[0] != aliases[1] || aliases[1] == aliases[2] {
			t.Errorf("aliases %v", aliases)
		}
		changes := 0
		for range 10 {
			e, err := sub.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if e.Type == api.EventCredentialAccountChanged {
				changes++
			}
		}
		if changes != 1 {
			t.Errorf("%d account_changed events, want 1", changes)
		}
	})
}

func TestClientSecretGoesOnlyToTheClientItBelongsTo(t *testing.T) {
	clients := []sandbox.Client{{ID: "confidential", Secret: secret.New("s3cret"), AuthStyle: sandbox.AuthBasic}}
	inWorld(t, sandbox.Config{Clients: clients, TokenLifetime: time.Minute}, func(t *testing.T, w *world) {
		file := filepath.Join(w.dir, "secret")
		if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		add := func(issuer, clientID string) {
			t.Helper()
			_, err := provider.Open(w.dir, credential.CheckName).Add(provider.Spec{Name: "corp", Replace: true, Settings: provider.Settings{
				Issuer: issuer, ClientID: clientID, ClientSecretFile: file,
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		add("http://127.0.0.1:9400", "confidential")
		b := w.broker()
		w.login(b, "corp")
		time.Sleep(2 * time.Minute)
		if _, err := b.Token(t.Context(), api.TokenRequest{Key: "corp"}); err != nil {
			t.Fatalf("with the right client: %v", err)
		}
		before := w.as.Record().RefreshRequests
		add("http://127.0.0.1:9400", "another")
		time.Sleep(2 * time.Minute)
		_, err := b.Token(t.Context(), api.TokenRequest{Key: "corp"})
		if e := api.AsError(err); e == nil || e.Code != api.CodeLoginNeeded || e.Kind != string(credential.CauseProviderChanged) {
			t.Errorf("with another client: %+v", e)
		}
		if n := w.as.Record().RefreshRequests; n != before {
			t.Error("the refresh token was sent although the configuration changed")
		}
		// What was configured wrongly can be put right again, without a login.
		add("http://127.0.0.1:9400", "confidential")
		if _, err := b.Token(t.Context(), api.TokenRequest{Key: "corp"}); err != nil {
			t.Errorf("with the right client again: %v", err)
		}
	})
}

func TestStoreFailureIsFoundBeforeTheProviderIsAsked(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		w.store.Intercept(func(op string, _ credential.Key) error {
			if op == "CreateLogin" {
				return errors.New("writing logins: no space left on device")
			}
			return nil
		})
		if _, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"}); code(err) != api.CodeStoreFailure {
			t.Errorf("StartLogin: %v", err)
		}
		if n := w.as.Record().Count("*"); n != 0 {
			t.Errorf("%d requests to the provider", n)
		}
	})
}

func TestProvidersTellWhatIsMissing(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		all, err := w.broker().Providers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ready := map[string]bool{}
		for _, p := range all {
			ready[p.Name] = p.Ready
			if !p.Ready && (p.Help == "" || len(p.Missing) == 0) {
				t.Errorf("%s is not ready and does not say why", p.Name)
			}
		}
		if !ready["sandbox"] || !ready["qwen-oauth"] || ready["github"] {
			t.Errorf("ready: %v", ready)
		}
	})
}

// plain is the provider of an embedding program, without PKCE.
type plain struct {
	polls int
	life  time.Duration // of the access token; 0 for none named
}

func (*plain) Start(context.Context, oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	return &oauth.DeviceAuthorization{
		DeviceCode: secret.New("dc"), UserCode: "AAAA-BBBB", VerificationURI: "https://as.test/d",
		ExpiresIn: time.Minute, Interval: time.Second,
	}, nil
}

func (p *plain) Poll(_ context.Context, g credential.DeviceGrant) (*oauth.Token, error) {
	p.polls++
	if p.polls < 3 {
		return nil, errors.New("provider text that nobody may see")
	}
	return &oauth.Token{AccessToken: secret.New("at"), Type: "Bearer", Lifetime: p.life}, nil
}

func TestInProcessProvider(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker(func(c *broker.Config) { c.InProcess = map[string]login.Provider{"plain": &plain{}} })
		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "plain"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		mid, err := b.GetLogin(t.Context(), l.ID)
		if err != nil || mid.Trouble != login.TroubleError {
			t.Errorf("in trouble: %+v, %v", mid, err)
		}
		done, err := b.WaitLogin(t.Context(), l.ID)
		if err != nil || done.Status != api.LoginAuthorized {
			t.Errorf("ended as %+v, %v", done, err)
		}
		text, err := json.Marshal([]any{mid, done})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text)+w.audit.String(), "nobody may see") {
			t.Error("provider text escaped")
		}
	})
}

func TestTokenThatCannotBeRenewedNeedsALoginWhenItEnds(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker(func(c *broker.Config) {
			c.InProcess = map[string]login.Provider{"plain": &plain{polls: 2, life: time.Hour}}
		})
		w.login(b, "plain")
		state := func() (string, string) {
			c, err := b.Credential(t.Context(), "plain")
			if err != nil {
				t.Fatal(err)
			}
			return c.State, c.Cause
		}
		if s, cause := state(); s != api.StateActive || cause != "" {
			t.Errorf("fresh: %s, %s", s, cause)
		}
		time.Sleep(time.Hour)
		if s, cause := state(); s != api.StateNeedsLogin || cause != string(credential.CauseNoRefreshToken) {
			t.Errorf("ended: %s, %s", s, cause)
		}
		if status, err := b.AuthStatus(t.Context()); err != nil || status.Providers[0].Status != "error" {
			t.Errorf("AuthStatus = %+v, %v", status, err)
		}
	})
}

// The status tells of a credential how it is, for how long, whose, and what a
// person has to do.
func TestStatusTellsOfCredentials(t *testing.T) {
	faults := sandbox.Faults{{Endpoint: "token.refresh", Do: sandbox.Action{OAuthError: "invalid_grant"}}}
	inWorld(t, sandbox.Config{TokenLifetime: time.Hour, Faults: faults}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox/work")
		ends := time.Now().Add(time.Hour)
		c, err := b.Credential(t.Context(), "sandbox/work")
		if err != nil || !strings.HasPrefix(c.Alias, "acct-") {
			t.Fatalf("Credential = %+v, %v", c, err)
		}
		want := api.AuthProvider{
			Kind: "auth_provider", Status: "ok", ProviderID: "sandbox/work", ExpiresAt: ends.UnixMilli(), AccountAlias: c.Alias,
		}
		check := func(when string) {
			t.Helper()
			status, err := b.AuthStatus(t.Context())
			if diff := cmp.Diff([]api.AuthProvider{want}, status.Providers); diff != "" || err != nil {
				t.Errorf("%s (-want +got):\n%s%v", when, diff, err)
			}
		}
		check("logged in")
		time.Sleep(2 * time.Hour)
		check("the token ended, and can be renewed")
		if _, err := b.Token(t.Context(), api.TokenRequest{Key: "sandbox/work"}); code(err) != api.CodeLoginNeeded {
			t.Fatalf("Token: %v", err)
		}
		want.Status, want.Error, want.Hint = "error", "login needed: refresh_refused", "start a new login for sandbox/work"
		check("refused")
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox/work"}); err != nil {
			t.Fatal(err)
		}
		status, err := b.AuthStatus(t.Context())
		if err != nil || len(status.Providers) != 0 {
			t.Errorf("logged out: %+v, %v", status, err)
		}
		supported := status.SupportedDeviceFlowProviders
		if !slices.Contains(supported, "sandbox") || slices.Contains(supported, "github") { // which lacks a client id
			t.Errorf("supported: %q", supported)
		}
	})
}

// Who asks for the status is warned before a person is needed: in the last fifth
// of the time, a day at most.
func TestStatusWarnsBeforeAPersonIsNeeded(t *testing.T) {
	const wantHint = "ends soon and cannot be renewed; start a new login for plain"
	for name, tt := range map[string]struct {
		life    time.Duration // of the access token
		refresh time.Duration // of the refresh token; 0 for none
		warn    time.Duration // when the warning begins
	}{
		"no refresh token":               {time.Hour, 0, 48 * time.Minute},
		"no refresh token, long":         {30 * 24 * time.Hour, 0, 29 * 24 * time.Hour},
		"refresh token that ends":        {time.Hour, 10 * time.Hour, 8 * time.Hour},
		"refresh token that ends, later": {time.Hour, 30 * 24 * time.Hour, 29 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
				b := w.broker(func(c *broker.Config) {
					c.InProcess = map[string]login.Provider{"plain": &plain{life: tt.life}}
				})
				w.login(b, "plain")
				if tt.refresh > 0 {
					c, err := w.store.Get(t.Context(), credential.Key{Provider: "plain", Account: credential.DefaultAccount})
					if err != nil {
						t.Fatal(err)
					}
					c.RefreshToken, c.RefreshExpiresAt = secret.New("rt"), c.Received.Wall.Add(tt.refresh)
					if _, err := w.store.Update(t.Context(), c, c.Generation); err != nil {
						t.Fatal(err)
					}
				}
				status := func() api.AuthProvider {
					t.Helper()
					all, err := b.AuthStatus(t.Context())
					if err != nil || len(all.Providers) != 1 {
						t.Fatalf("AuthStatus = %+v, %v", all, err)
					}
					return all.Providers[0]
				}
				time.Sleep(tt.warn - 2*time.Second)
				if got := status(); got.Status != api.AuthOK || got.Hint != "" {
					t.Errorf("before: %+v", got)
				}
				time.Sleep(2 * time.Second)
				if got := status(); got.Status != api.AuthWarning || got.Hint != wantHint || got.Error != "" {
					t.Errorf("then: %+v", got)
				}
			})
		})
	}
}

func TestOnlyProvidersThatShowItAreToldWhoAsks(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		_, err := provider.Open(w.dir, credential.CheckName).Add(provider.Spec{Name: "corp", Settings: provider.Settings{
			Issuer: "http://127.0.0.1:9400", ClientID: "cli",
		}})
		if err != nil {
			t.Fatal(err)
		}
		b := w.broker(func(c *broker.Config) { c.Origin = "me@box" })
		for _, key := range []string{"sandbox", "corp"} {
			w.login(b, key)
		}
		told := map[bool]int{}
		for _, r := range w.as.RecordWithSecrets().Requests {
			if r.Endpoint == "device" {
				told[strings.Contains(string(r.Raw.Body), "usher_context")]++
			}
		}
		if told[true] != 1 || told[false] != 1 {
			t.Errorf("told %d, not told %d; want one each", told[true], told[false])
		}
	})
}

// A removal that the store will refuse is found out before the tokens are dead.
func TestLogoutRevokesNothingThatItCannotRemove(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		full := true
		w.store.Intercept(func(op string, _ credential.Key) error {
			if full && (op == "Reserve" || op == "Delete") {
				return errors.New("no space left on device")
			}
			return nil
		})
		if _, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); code(err) != api.CodeStoreFailure {
			t.Errorf("Logout: %v", err)
		}
		if n := w.as.Record().Count("revoke"); n != 0 {
			t.Errorf("%d revocations although nothing could be removed", n)
		}
		full = false
		if out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil || !out.Removed || out.Revocation != api.RevocationRevoked {
			t.Errorf("Logout = %+v, %v", out, err)
		}
	})
}

// A removal makes room for itself.
func TestLogoutFromAFullStore(t *testing.T) {
	inWorld(t, sandbox.Config{}, func(t *testing.T, w *world) {
		b := w.broker()
		w.login(b, "sandbox")
		w.store.Intercept(func(op string, _ credential.Key) error {
			if op == "Reserve" {
				return credential.ErrFull
			}
			return nil
		})
		if out, err := b.Logout(t.Context(), api.LogoutRequest{Key: "sandbox"}); err != nil || !out.Removed || out.Revocation != api.RevocationRevoked {
			t.Errorf("Logout = %+v, %v", out, err)
		}
	})
}

func TestCompatibleClientsSeeNoCodeOfANativeLogin(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual}, func(t *testing.T, w *world) {
		b := w.broker()
		l, err := b.StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		for _, client := range []string{"", "cli-A", "v1"} {
			flow, err := b.DeviceFlow(t.Context(), l.ID, client)
			if err != nil || flow.UserCode != "" || flow.VerificationURI != "" || flow.InitiatorClientID != "" {
				t.Errorf("client %q sees %+v, %v", client, flow, err)
			}
			joined, fresh, err := b.StartDeviceFlow(t.Context(), api.StartLogin{Key: "sandbox", ClientID: client})
			if err != nil || fresh || joined.UserCode != "" || joined.VerificationURIComplete != "" {
				t.Errorf("client %q joins with %+v, fresh %v, %v", client, joined, fresh, err)
			}
		}
		if log := w.audit.String(); strings.Contains(log, "clientId=/v1") {
			t.Errorf("the audit log names a client that does not exist:\n%s", log)
		}
	})
}

// Whoever joins needs the code, not the provider: it may be out of reach.
func TestJoiningAsksTheProviderNothing(t *testing.T) {
	inWorld(t, sandbox.Config{Approve: sandbox.ApproveManual, Interval: 60}, func(t *testing.T, w *world) {
		first, err := w.broker().StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil {
			t.Fatal(err)
		}
		before := w.as.Record().Count("*")
		joined, err := w.broker().StartLogin(t.Context(), api.StartLogin{Key: "sandbox"})
		if err != nil || !joined.Attached || joined.UserCode != first.UserCode {
			t.Errorf("joined as %+v, %v", joined, err)
		}
		if n := w.as.Record().Count("*") - before; n != 0 {
			t.Errorf("joining made %d requests", n)
		}
	})
}
