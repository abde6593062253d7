package usher_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/event"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
	"github.com/usherauth/usher/session"
)

const bearer = "daemon-token-0123456789abcdef"

// A broker knows one login, "l-1", which ends when a test says so.
type broker struct {
	server.Broker // what no test asks for
	log           *event.Log
	hub           *session.Hub
	err           error // the answer to Token

	mu    sync.Mutex
	asked api.StartLogin // last
	login api.Login
	ended chan struct{}
}

func newBroker() *broker {
	now := time.Now().UTC()
	return &broker{log: event.New(8), hub: session.Open(session.Config{}), ended: make(chan struct{}), login: api.Login{
		ID: "l-1", Key: "github", Provider: "github", Account: "default", Method: "device", Status: api.LoginPending,
		UserCode: "ABCD-1234", VerificationURI: "https://idp.example/device", VerificationURIComplete: "https://idp.example/device?user_code=ABCD-1234",
		CreatedAt: now, ExpiresAt: now.Add(15 * time.Minute), Interval: 5, Initiator: api.Caller{}.Name(),
	}}
}

// end ends the login.
func (b *broker) end(status string, failure *api.Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.login = b.login.Public()
	b.login.Status, b.login.Error = status, failure
	if status == api.LoginAuthorized {
		b.login.Credential = &api.Credential{Key: "github", State: api.StateActive, Generation: 1}
	}
	public := b.login
	b.log.Append(api.Event{Type: "login." + status, Login: &public})
	close(b.ended)
}

func (b *broker) state() api.Login {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.login
}

func (b *broker) StartLogin(_ context.Context, r api.StartLogin) (api.Login, error) {
	l := b.state()
	b.mu.Lock()
	b.asked = r
	b.mu.Unlock()
	l.Scopes, l.Origin = r.Scopes, r.Origin
	return l, nil
}

func (b *broker) GetLogin(_ context.Context, id string) (api.Login, error) {
	if id != "l-1" {
		return api.Login{}, api.Errorf(api.CodeLoginNotFound, "login %s not found", id)
	}
	return b.state(), nil
}

// started is what a login was asked for with last.
func (b *broker) started() api.StartLogin {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

func (b *broker) CompleteLogin(_ context.Context, id string, r api.CompleteLogin) (api.Login, error) {
	switch r.RedirectedURL {
	case redirected:
		b.end(api.LoginAuthorized, nil)
		return b.state(), nil
	case redirected + "&no":
		b.end(api.LoginDenied, &api.Failure{Code: api.CodeAccessDenied})
		return b.state(), nil
	}
	return api.Login{}, api.Errorf(api.CodeStateMismatch, "not of login %s", id)
}

func (b *broker) WaitLogin(ctx context.Context, id string) (api.Login, error) {
	if _, err := b.GetLogin(ctx, id); err != nil {
		return api.Login{}, err
	}
	select {
	case <-b.ended:
		return b.state(), nil
	case <-ctx.Done():
		return b.state(), api.Errorf(api.CodeLoginPending, "login is pending")
	}
}

func (b *broker) CancelLogin(ctx context.Context, id string, _ api.Caller) (api.Login, error) {
	if _, err := b.GetLogin(ctx, id); err != nil {
		return api.Login{}, err
	}
	b.end(api.LoginCancelled, nil)
	return b.state(), nil
}

func (b *broker) RecordReveal(context.Context, api.Login, api.Caller) {}

func (b *broker) Logins(context.Context) ([]api.Login, error) { return []api.Login{b.state()}, nil }

func (b *broker) Credentials(context.Context) ([]api.Credential, error) {
	return []api.Credential{{Key: "github"}}, nil
}

func (b *broker) Credential(_ context.Context, key string) (api.Credential, error) {
	return api.Credential{Key: key}, nil
}

func (b *broker) Token(_ context.Context, r api.TokenRequest) (api.Token, error) {
	return api.Token{AccessToken: "at-" + r.Key, TokenType: "Bearer", ExpiresAt: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC), Scopes: []string{"a", "b"}, BaseURL: "https://api.example"}, b.err
}

func (b *broker) Logout(_ context.Context, r api.LogoutRequest) (api.Logout, error) {
	out := api.Logout{Key: r.Key, Removed: true, Revocation: api.RevocationRevoked}
	if r.KeepRemote {
		out.Revocation = api.RevocationKept
	}
	return out, nil
}

func (b *broker) Providers(context.Context) ([]api.Provider, error) {
	return []api.Provider{{Name: "github"}}, nil
}

func (b *broker) AuthStatus(context.Context) (api.AuthStatus, error) {
	return api.AuthStatus{SupportedDeviceFlowProviders: []string{"github"}}, nil
}

func (b *broker) Events() *event.Log { return b.log }

func (b *broker) Sessions() *session.Hub { return b.hub }

// daemon is a daemon that tests stop and start: a transport that reaches a
// server's handler while one is up.
type daemon struct {
	mu   sync.Mutex
	up   http.Handler
	cut  context.CancelFunc // breaks the connections that are open
	life context.Context
	seen []*http.Request
}

// start puts a server for b up.
func (d *daemon) start(t *testing.T, b server.Broker) {
	t.Helper()
	s, err := server.New(server.Config{Broker: b, Token: secret.New(bearer), Workspace: "/abs", Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	d.serve(s.Handler(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4170}, false))
}

func (d *daemon) serve(h http.Handler) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = h
	d.life, d.cut = context.WithCancel(context.Background())
}

// stop makes the daemon unreachable and breaks its connections.
func (d *daemon) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = nil
	d.cut()
}

var errRefused = errors.New("connection refused")

func (d *daemon) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	h, life := d.up, d.life
	d.seen = append(d.seen, r)
	d.mu.Unlock()
	if h == nil {
		return nil, errRefused
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(life, func() { cancel(io.ErrUnexpectedEOF) })
	resp, err := (&memhttp.Transport{Handler: h}).RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		cancel(nil)
		if life.Err() != nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	resp.Body = &lifeline{resp.Body, func() { stop(); cancel(nil) }}
	return resp, nil
}

// lifeline frees a connection's context with its body.
type lifeline struct {
	io.ReadCloser
	free func()
}

func (l *lifeline) Close() error {
	defer l.free()
	return l.ReadCloser.Close()
}

// requests is how many requests have come.
func (d *daemon) requests() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.seen)
}

// client is a client of d.
func (d *daemon) client() *usher.Client {
	return &usher.Client{Bearer: secret.New(bearer), HTTPClient: &http.Client{Transport: d}}
}

// newDaemon is a daemon for b that is up, and its client.
func newDaemon(t *testing.T, b server.Broker) (*daemon, *usher.Client) {
	t.Helper()
	d := &daemon{}
	d.start(t, b)
	t.Cleanup(func() { d.stop() })
	return d, d.client()
}
