package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/event"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
	"github.com/usherauth/usher/session"
)

const bearer = "daemon-token-0123456789abcdef"

// A fakeBroker answers with what a test put in and records who was asked. Its
// err, if set, is the answer to everything.
type fakeBroker struct {
	log *event.Log
	hub *session.Hub
	err error
	// start, wait and token replace the canned answers.
	start func(ctx context.Context, r api.StartLogin) (api.DeviceFlowStarted, bool, error)
	wait  func(ctx context.Context, id string) (api.Login, error)
	token func(ctx context.Context) (api.Token, error)
	flow  func(id, clientID string) (api.DeviceFlow, error)

	mu    sync.Mutex
	asked []string
}

func newFake() *fakeBroker {
	return &fakeBroker{log: event.New(8), hub: session.Open(session.Config{})}
}

func (f *fakeBroker) ask(call ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, strings.Join(call, " "))
	return f.err
}

// calls are the calls so far.
func (f *fakeBroker) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := slices.Clone(f.asked)
	for i := range calls {
		calls[i] = strings.TrimRight(calls[i], " ") // what is empty at the end
	}
	return calls
}

var created = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func pendingLogin() api.Login {
	return api.Login{
		ID: "l-1", Key: "github", Provider: "github", Account: "default", Method: "device", Status: api.LoginPending,
		UserCode: "ABCD-1234", VerificationURI: "https://idp.example/device",
		CreatedAt: created, ExpiresAt: created.Add(15 * time.Minute), Interval: 5,
		Initiator: api.Caller{}.Name(),
	}
}

func credential() api.Credential {
	return api.Credential{Key: "github", Provider: "github", Account: "default", Kind: "refreshable", State: api.StateActive, Generation: 3}
}

func (f *fakeBroker) StartLogin(_ context.Context, r api.StartLogin) (api.Login, error) {
	l := pendingLogin()
	l.Key, l.Attached = r.Key, r.Key == "joined"
	return l, f.ask("StartLogin", r.Key, r.Caller().Name(), r.Trace)
}

func (f *fakeBroker) GetLogin(_ context.Context, id string) (api.Login, error) {
	if id != "l-1" {
		return api.Login{}, api.Errorf(api.CodeLoginNotFound, "login %s not found", id)
	}
	return pendingLogin(), f.ask("GetLogin", id)
}

func (f *fakeBroker) CompleteLogin(_ context.Context, id string, r api.CompleteLogin) (api.Login, error) {
	l := pendingLogin().Public()
	l.Method, l.Status = api.MethodCode, api.LoginAuthorized
	return l, f.ask("CompleteLogin", id, r.RedirectedURL, r.Code, r.State, r.ISS)
}

func (f *fakeBroker) WaitLogin(ctx context.Context, id string) (api.Login, error) {
	if err := f.ask("WaitLogin", id); err != nil || f.wait == nil {
		return api.Login{}, err
	}
	return f.wait(ctx, id)
}

func (f *fakeBroker) CancelLogin(_ context.Context, id string, by api.Caller) (api.Login, error) {
	l := pendingLogin().Public()
	l.Status = api.LoginCancelled
	return l, f.ask("CancelLogin", id, by.Name())
}

func (f *fakeBroker) RecordReveal(_ context.Context, l api.Login, by api.Caller) {
	_ = f.ask("RecordReveal", l.ID, by.Name())
}

func (f *fakeBroker) Logins(context.Context) ([]api.Login, error) {
	return []api.Login{pendingLogin()}, f.ask("Logins")
}

func (f *fakeBroker) Credentials(context.Context) ([]api.Credential, error) {
	return []api.Credential{credential()}, f.ask("Credentials")
}

func (f *fakeBroker) Credential(_ context.Context, key string) (api.Credential, error) {
	return credential(), f.ask("Credential", key)
}

func (f *fakeBroker) Token(ctx context.Context, r api.TokenRequest) (api.Token, error) {
	if err := f.ask("Token", r.Key); err != nil || f.token == nil {
		return api.Token{AccessToken: "at-1", TokenType: "Bearer"}, err
	}
	return f.token(ctx)
}

func (f *fakeBroker) Logout(_ context.Context, r api.LogoutRequest) (api.Logout, error) {
	out := api.Logout{Key: r.Key, Removed: true, Revocation: api.RevocationRevoked}
	if r.KeepRemote {
		out.Revocation = api.RevocationKept
	}
	return out, f.ask("Logout", r.Key)
}

func (f *fakeBroker) Providers(context.Context) ([]api.Provider, error) {
	return nil, f.ask("Providers")
}

func (f *fakeBroker) WriteMetrics(_ context.Context, w io.Writer) error {
	if err := f.ask("WriteMetrics"); err != nil {
		return err
	}
	_, err := io.WriteString(w, "# TYPE fake gauge\nfake 1\n")
	return err
}

func (f *fakeBroker) Events() *event.Log { return f.log }

func (f *fakeBroker) Sessions() *session.Hub { return f.hub }

const flowID = "36915e1f-0000-4000-8000-000000000000"

func (f *fakeBroker) StartDeviceFlow(ctx context.Context, r api.StartLogin) (api.DeviceFlowStarted, bool, error) {
	if err := f.ask("StartDeviceFlow", r.Key, r.ClientID, r.Trace); err != nil || f.start == nil {
		return api.DeviceFlowStarted{}, false, err
	}
	return f.start(ctx, r)
}

func (f *fakeBroker) DeviceFlow(_ context.Context, id, clientID string) (api.DeviceFlow, error) {
	if id != flowID {
		return api.DeviceFlow{}, api.Errorf(api.CodeLoginNotFound, "login %s not found", id)
	}
	if f.flow != nil {
		return f.flow(id, clientID)
	}
	return api.DeviceFlow{DeviceFlowID: id, ProviderID: "qwen-oauth", Status: api.FlowCancelled, CreatedAt: 1795288181241}, f.ask("DeviceFlow", id, clientID)
}

func (f *fakeBroker) CancelDeviceFlow(_ context.Context, id, clientID string) error {
	if id != flowID {
		return api.Errorf(api.CodeLoginNotFound, "login %s not found", id)
	}
	return f.ask("CancelDeviceFlow", id, clientID)
}

func (f *fakeBroker) AuthStatus(context.Context) (api.AuthStatus, error) {
	if f.err != nil {
		return api.AuthStatus{}, f.err
	}
	return api.AuthStatus{
		PendingDeviceFlows:           []api.PendingDeviceFlow{{DeviceFlowID: flowID, ProviderID: "qwen-oauth", ExpiresAt: 1795289081241}},
		SupportedDeviceFlowProviders: []string{"qwen-oauth"},
	}, f.ask("AuthStatus")
}

var (
	tcpAddr  = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4170}
	unixAddr = &net.UnixAddr{Name: "/run/usher.sock", Net: "unix"}
)

// newServer makes a server for c, which gets the fake and the bearer if it
// says nothing else.
func newServer(t testing.TB, c server.Config) *server.Server {
	t.Helper()
	if c.Broker == nil {
		c.Broker = newFake()
	}
	if !c.NoAuth {
		c.Token = secret.New(bearer)
	}
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handler is a server for c as its TCP listener shows it.
func handler(t testing.TB, c server.Config) http.Handler {
	t.Helper()
	return newServer(t, c).Handler(tcpAddr, false)
}
