package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/audit"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
	"github.com/usherauth/usher/session"
)

// own is an in-process provider made of two functions.
type own struct {
	start func() (*oauth.DeviceAuthorization, error)
	poll  func() (*oauth.Token, error)
}

func (o own) Start(context.Context, oauth.DeviceRequest) (*oauth.DeviceAuthorization, error) {
	return o.start()
}

func (o own) Poll(context.Context, credential.DeviceGrant) (*oauth.Token, error) { return o.poll() }

const (
	poison = "sk-poison"
	escape = "\x1b[2J"
	foul   = escape + poison + "\r\n\u202e"
)

// poisoned is an error that tells poison however it is asked.
type poisoned struct{}

func (poisoned) Error() string   { return foul }
func (poisoned) String() string  { return foul }
func (poisoned) Is(error) bool   { panic(foul) }
func (poisoned) As(any) bool     { panic(foul) }
func (poisoned) Unwrap() []error { panic(foul) }

func answer(change func(a *oauth.DeviceAuthorization)) func() (*oauth.DeviceAuthorization, error) {
	return func() (*oauth.DeviceAuthorization, error) {
		a := &oauth.DeviceAuthorization{
			DeviceCode: secret.New(poison), CodeVerifier: secret.New(poison), UserCode: "AB-12", VerificationURI: "https://as.test/d", Interval: time.Second,
		}
		if change != nil {
			change(a)
		}
		return a, nil
	}
}

func token(change func(k *oauth.Token)) func() (*oauth.Token, error) {
	return func() (*oauth.Token, error) {
		k := &oauth.Token{AccessToken: secret.New(poison), RefreshToken: secret.New(poison), IDToken: secret.New(poison), Lifetime: time.Hour}
		if change != nil {
			change(k)
		}
		return k, nil
	}
}

// hostile are providers that put poison wherever something can be put.
func hostile() map[string]login.Provider {
	errs := map[string]error{
		"text":    errors.New(foul),
		"asks":    poisoned{},
		"wrapped": fmt.Errorf("%s: %w", foul, &oauth.Error{Kind: oauth.KindOAuth, Code: oauth.ErrorAuthorizationPending}),
		"code":    &oauth.Error{Kind: oauth.KindOAuth, Outcome: oauth.Answered, Code: poison, Op: foul, Description: foul},
		"denied":  &oauth.Error{Kind: oauth.KindOAuth, Code: oauth.ErrorAccessDenied, Op: foul, Description: foul, Body: secret.New(foul), Err: errors.New(foul)},
		"cause":   &oauth.Error{Kind: oauth.KindNetwork, Outcome: oauth.Outcome(foul), Op: foul, Err: errors.New(foul)},
		"config":  &oauth.Error{Kind: oauth.KindConfig, Op: foul, Err: poisoned{}},
		"kind":    &oauth.Error{Kind: oauth.Kind(foul), Op: foul},
		"status":  &oauth.Error{Kind: oauth.KindStatus, Status: -1, RetryAfter: 1 << 62, Op: foul},
		"api":     api.Errorf(api.CodeStoreFailure, "%s", foul),
		"nil":     (*oauth.Error)(nil),
	}
	panics := map[string]any{
		"text": foul, "error": errors.New(foul), "asks": poisoned{}, "api": api.Errorf(api.CodeInternal, "%s", foul), "abort": http.ErrAbortHandler,
	}
	answers := map[string]func(a *oauth.DeviceAuthorization){
		"uri":      func(a *oauth.DeviceAuthorization) { a.VerificationURI = "https://as.test/" + foul },
		"script":   func(a *oauth.DeviceAuthorization) { a.VerificationURI = "javascript:" + poison },
		"complete": func(a *oauth.DeviceAuthorization) { a.VerificationURIComplete = "https://" + poison + ".test/" },
		"warnings": func(a *oauth.DeviceAuthorization) { a.Warnings = []string{foul} },
		"times":    func(a *oauth.DeviceAuthorization) { a.ExpiresIn, a.Interval = -1, 1<<62 },
	}
	tokens := map[string]func(k *oauth.Token){
		"good":     nil,
		"header":   func(k *oauth.Token) { k.AccessToken = secret.New(foul) },
		"type":     func(k *oauth.Token) { k.Type = foul },
		"scopes":   func(k *oauth.Token) { k.Scopes = []string{foul} },
		"resource": func(k *oauth.Token) { k.ResourceURL = foul },
		"extra":    func(k *oauth.Token) { k.Extra = secret.New(foul) },
		"warnings": func(k *oauth.Token) { k.Warnings = []string{foul} },
	}
	all := map[string]login.Provider{}
	never := func() (*oauth.Token, error) {
		return nil, &oauth.Error{Kind: oauth.KindOAuth, Code: oauth.ErrorAuthorizationPending}
	}
	for name, err := range errs {
		all["start-err-"+name] = own{func() (*oauth.DeviceAuthorization, error) { return nil, err }, never}
		all["poll-err-"+name] = own{answer(nil), func() (*oauth.Token, error) { return nil, err }}
	}
	for name, v := range panics {
		all["start-panic-"+name] = own{func() (*oauth.DeviceAuthorization, error) { panic(v) }, never}
		all["poll-panic-"+name] = own{answer(nil), func() (*oauth.Token, error) { panic(v) }}
	}
	for name, change := range answers {
		all["answer-"+name] = own{answer(change), never}
	}
	for name, change := range tokens {
		all["token-"+name] = own{answer(nil), token(change)}
	}
	all["nothing"] = own{func() (*oauth.DeviceAuthorization, error) { return nil, nil }, never}
	all["no-token"] = own{answer(nil), func() (*oauth.Token, error) { return nil, nil }}
	return all
}

// An embedded is a broker with in-process providers behind a server, and all
// that either lets out.
type embedded struct {
	t      *testing.T
	client *http.Client
	out    *paper
}

func embed(t *testing.T, providers map[string]login.Provider) *embedded {
	e := &embedded{t: t, out: &paper{}}
	log := slog.New(slog.NewTextHandler(e.out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	hub := session.Open(session.Config{Log: log})
	b := broker.New(broker.Config{
		Store: memstore.New(), Providers: provider.Open(t.TempDir(), credential.CheckName), InProcess: providers,
		Daemon: true, MaxLogins: 1000, Sessions: hub, Log: log, Audit: &audit.Writer{Text: e.out, JSON: e.out},
		HTTP: &http.Client{Transport: &memhttp.Transport{Handler: http.NotFoundHandler()}},
	})
	s, err := server.New(server.Config{Broker: b, Token: secret.New("the-bearer-of-this-test-0123456789"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	e.client = &http.Client{Transport: &memhttp.Transport{Handler: s.Handler(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4170}, false)}}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// do makes a request, and writes down and returns what comes back.
func (e *embedded) do(ctx context.Context, method, path, body string) map[string]any {
	e.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:4170"+path, strings.NewReader(body))
	if err != nil {
		e.t.Error(err)
		return nil
	}
	r.Header.Set("Authorization", "Bearer the-bearer-of-this-test-0123456789")
	r.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(r)
	if err != nil {
		e.t.Errorf("%s %s: %v", method, path, err)
		return nil
	}
	defer resp.Body.Close()
	fmt.Fprintf(e.out, "\n%s %s %s %v\n", method, path, resp.Status, resp.Header)
	text, err := io.ReadAll(io.TeeReader(resp.Body, e.out))
	if err != nil && ctx.Err() == nil {
		e.t.Error(err)
	}
	var object map[string]any
	_ = json.Unmarshal(text, &object) // a stream is none
	return object
}

func TestNoTextOfAnInProcessProviderEscapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		providers := hostile()
		e := embed(t, providers)
		ctx := t.Context()
		streams, stop := context.WithCancel(ctx)
		created := e.do(ctx, "POST", "/session", "{}")
		for _, path := range []string{"/v1/events", "/session/" + fmt.Sprint(created["sessionId"]) + "/events"} {
			go e.do(streams, "GET", path, "")
		}
		synctest.Wait()
		ids := map[string]string{}
		for name := range providers {
			native := e.do(ctx, "POST", "/v1/logins", `{"key":"`+name+`"}`)
			if id, ok := native["id"].(string); ok {
				ids[name] = id
			}
			e.do(ctx, "POST", "/workspace/auth/device-flow", `{"providerId":"`+name+`/other"}`)
		}
		look := func() {
			for _, id := range ids {
				e.do(ctx, "GET", "/v1/logins/"+id, "")
				e.do(ctx, "GET", "/workspace/auth/device-flow/"+id, "")
			}
			for _, path := range []string{"/v1/logins", "/v1/providers", "/v1/credentials", "/workspace/auth/status", "/capabilities"} {
				e.do(ctx, "GET", path, "")
			}
		}
		look()
		time.Sleep(90 * time.Second)
		look()
		// What was thrown has not hurt the daemon: the login of a provider
		// that behaves is through.
		if l := e.do(ctx, "GET", "/v1/logins/"+ids["token-good"], ""); l["status"] != api.LoginAuthorized {
			t.Errorf("the good login is %v", l)
		}
		if len(ids) < 20 {
			t.Errorf("only %d logins started", len(ids))
		}
		time.Sleep(20 * time.Minute) // their codes expire
		look()
		stop()
		synctest.Wait()

		said := e.out.String()
		for _, want := range []string{"event: login.started", "event: auth_device_flow_started", "status=failed", "in-process provider panicked"} {
			if !strings.Contains(said, want) {
				t.Errorf("the test has not heard %q", want)
			}
		}
		for line := range strings.Lines(said) {
			if strings.Contains(line, poison) || strings.ContainsAny(line, "\x1b\u202e") || strings.Contains(line, "u001b") || strings.Contains(line, `\x1b`) {
				t.Errorf("escaped: %s", line)
			}
		}
	})
}

// A user code is for a person to read and may be anything. Only the initiator
// sees it, and only in a form that a terminal can show.
func TestAUserCodeOfAnInProcessProviderIsTamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := embed(t, map[string]login.Provider{"odd": own{
			answer(func(a *oauth.DeviceAuthorization) { a.UserCode = foul }), token(nil),
		}})
		native := e.do(t.Context(), "POST", "/v1/logins", `{"key":"odd"}`)
		if code, ok := native["user_code"].(string); !ok || !strings.Contains(code, poison) {
			t.Errorf("user code %q", code)
		}
		e.do(t.Context(), "GET", "/v1/logins", "")
		time.Sleep(time.Minute)
		said := e.out.String()
		if n := strings.Count(said, poison); n != 1 {
			t.Errorf("the code is told %d times:\n%s", n, said)
		}
		if strings.ContainsAny(said, "\x1b\u202e") {
			t.Errorf("an escape code got through:\n%s", said)
		}
	})
}
