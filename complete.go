package usher

import (
	"context"
	"net/url"

	"github.com/usherauth/usher/api"
)

// The methods of a login, for [LoginOptions].
const (
	// MethodDevice: the person enters a user code on any device (RFC 8628).
	MethodDevice = api.MethodDevice
	// MethodCode: the person opens a link in a browser, whose last address is
	// then brought to [Login.Complete] (RFC 6749 section 4.1 with PKCE).
	MethodCode = api.MethodCode
)

// Complete ends a login of method code with the address that the browser was
// sent to once the person had decided: the whole URL, as a listener at the
// redirect URI or the address bar has it. It returns as [Login.Wait] does,
// which goes on waiting on its own.
//
// An answer that does not belong to the login is refused with an error that
// matches [ErrStateMismatch], [ErrIssuerMismatch] or [ErrInvalidRequest], and
// one that could not be passed on with [ErrProviderUnreachable]; then the login
// is still pending and Complete may be called again. If it had ended before,
// the error matches [ErrLoginEnded].
//
// A lost connection to the daemon is an error that says nothing about the login:
// the daemon goes on with an answer that it has got. Wait tells.
func (l *Login) Complete(ctx context.Context, redirectedURL string) (Credential, error) {
	state, err := l.client.CompleteLogin(ctx, l.ID, CompleteLogin{RedirectedURL: redirectedURL})
	if err != nil {
		return Credential{}, err
	}
	return outcome(state)
}

// CompleteLogin brings the answer for a login of method code, and returns what
// it became. See [Login.Complete] for the errors.
func (c *Client) CompleteLogin(ctx context.Context, id string, r CompleteLogin) (LoginState, error) {
	req := request{route: "POST /v1/logins/{id}/complete", path: "/v1/logins/" + url.PathEscape(id) + "/complete", body: r}
	if id == "" {
		return LoginState{}, &Error{Code: api.CodeInvalidRequest, Route: req.route, Message: "login id is empty"}
	}
	var out LoginState
	if err := c.call(ctx, req, &out); err != nil {
		return LoginState{}, err
	}
	return out, nil
}
