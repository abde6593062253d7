package usher

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/usherauth/usher/api"
)

// longPoll is how long the daemon is asked to hold a request back until a login
// has ended.
const longPoll = 30 * time.Second

// StartLogin starts a login, or joins the one that is pending for the same key.
// [Client.Login] does the same and returns a handle.
func (c *Client) StartLogin(ctx context.Context, r StartLogin) (LoginState, error) {
	var out LoginState
	err := c.call(ctx, request{route: "POST /v1/logins", body: r}, &out)
	return out, err
}

// GetLogin returns a login as it is, with code and links while it is pending.
func (c *Client) GetLogin(ctx context.Context, id string) (LoginState, error) {
	var out LoginState
	r, err := loginRequest("GET", id)
	if err == nil {
		err = c.call(ctx, r, &out)
	}
	return out, err
}

// WaitLogin returns a login when it has ended, however it ended. If ctx ends
// first, it returns the login as last seen and an error that matches
// [ErrLoginPending]. Unlike [Login.Wait] it does not retry: a lost connection
// is an error that matches [ErrDaemonUnreachable].
func (c *Client) WaitLogin(ctx context.Context, id string) (LoginState, error) {
	last := LoginState{ID: id, Status: api.LoginPending}
	r, err := loginRequest("GET", id)
	if err != nil {
		return last, err
	}
	r.query = url.Values{"wait": {longPoll.String()}}
	for {
		began := time.Now()
		var now LoginState
		err := c.call(ctx, r, &now)
		switch {
		case err != nil && ctx.Err() != nil:
			return last, pendingError(ctx, r.route)
		case err != nil:
			return last, err
		case now.Ended():
			return now, nil
		}
		last = now
		// A daemon that is about to stop answers at once.
		if time.Since(began) < time.Second && !sleep(ctx, time.Second) {
			return last, pendingError(ctx, r.route)
		}
	}
}

func pendingError(ctx context.Context, route string) *Error {
	return &Error{Code: api.CodeLoginPending, Route: route, Message: "login is still pending", Err: context.Cause(ctx)}
}

// CancelLogin cancels a login that is pending, and returns what it became.
func (c *Client) CancelLogin(ctx context.Context, id string) (LoginState, error) {
	var out LoginState
	r, err := loginRequest("DELETE", id)
	if err == nil {
		err = c.call(ctx, r, &out)
	}
	return out, err
}

// Logins returns the pending logins and those that ended recently, without
// codes and links.
func (c *Client) Logins(ctx context.Context) ([]LoginState, error) {
	var out api.LoginList
	err := c.call(ctx, request{route: "GET /v1/logins"}, &out)
	return out.Logins, err
}

func loginRequest(method, id string) (request, error) {
	r := request{route: method + " /v1/logins/{id}", path: "/v1/logins/" + url.PathEscape(id)}
	if id == "" {
		return r, &Error{Code: api.CodeInvalidRequest, Route: r.route, Message: "login id is empty"}
	}
	return r, nil
}

// transient reports whether err is trouble on the way to the daemon, or in its
// stopping and starting, that time may heal.
func transient(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case api.CodeDaemonStopping, api.CodeTooManyStreams, api.CodeRateLimited, api.CodeTimeout, api.CodeInternal:
		return true
	case api.CodeDaemonUnreachable:
		// No answer at all, or that of a proxy whose daemon is away.
		return e.Status == 0 || e.Status >= 500
	default:
		return false
	}
}
