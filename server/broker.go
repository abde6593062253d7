package server

import (
	"context"
	"io"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/event"
	"github.com/usherauth/usher/session"
)

// Broker is the domain behind the server. Its errors are [api.Error]s; any
// other error is answered as an internal one. All methods are called
// concurrently.
type Broker interface {
	// StartLogin starts a login or joins the pending one of the same key,
	// which Attached tells.
	StartLogin(ctx context.Context, r api.StartLogin) (api.Login, error)
	// GetLogin returns a login, with code and links while it is pending. Who is
	// shown them is the server's decision.
	GetLogin(ctx context.Context, id string) (api.Login, error)
	// WaitLogin returns a login when it has ended. If ctx ends first, it
	// returns the login as it is and an error with [api.CodeLoginPending].
	WaitLogin(ctx context.Context, id string) (api.Login, error)
	// CancelLogin cancels a login that is pending and returns what it became.
	CancelLogin(ctx context.Context, id string, by api.Caller) (api.Login, error)
	// CompleteLogin brings the answer for a login of method code and returns
	// what it became. It goes on when ctx ends.
	CompleteLogin(ctx context.Context, id string, r api.CompleteLogin) (api.Login, error)
	// RecordReveal writes to the audit log that by is shown the code and the
	// links of l, which somebody else has started.
	RecordReveal(ctx context.Context, l api.Login, by api.Caller)
	// Logins returns the known logins in their public form.
	Logins(ctx context.Context) ([]api.Login, error)

	Credentials(ctx context.Context) ([]api.Credential, error)
	Credential(ctx context.Context, key string) (api.Credential, error)
	Token(ctx context.Context, r api.TokenRequest) (api.Token, error)
	// Logout removes a credential. A revocation that failed is part of the
	// answer and not an error.
	Logout(ctx context.Context, r api.LogoutRequest) (api.Logout, error)
	Providers(ctx context.Context) ([]api.Provider, error)
	// WriteMetrics writes metrics in the Prometheus text format, which end with
	// a line feed.
	WriteMetrics(ctx context.Context, w io.Writer) error
	// Events is the log that GET /v1/events follows; always the same one.
	Events() *event.Log
	// Sessions are the sessions and their streams; always the same ones.
	Sessions() *session.Hub

	// StartDeviceFlow is StartLogin in the words of the compatible surface;
	// fresh is false if a pending login was joined. Its Key is the provider id.
	// Code and links are left out for all but the initiator, which is a client
	// id; an empty one is anonymous.
	StartDeviceFlow(ctx context.Context, r api.StartLogin) (flow api.DeviceFlowStarted, fresh bool, err error)
	DeviceFlow(ctx context.Context, id, clientID string) (api.DeviceFlow, error)
	// CancelDeviceFlow returns nil also for a login that has ended.
	CancelDeviceFlow(ctx context.Context, id, clientID string) error
	// AuthStatus leaves WorkspaceCwd to the server.
	AuthStatus(ctx context.Context) (api.AuthStatus, error)
}
