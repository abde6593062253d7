package usher

import (
	"context"
	"time"

	"github.com/usherauth/usher/api"
)

// LoginOptions are the choices of a [Client.Login]. The zero value asks for
// what the provider is configured with.
type LoginOptions struct {
	// Method is [MethodDevice] or [MethodCode]; empty is device where the
	// provider has it, and else code.
	Method string
	// RedirectURI, with method code, is where the browser is sent in the end:
	// a loopback address where the program listens, on any port, or one that
	// the provider's file allows. Empty is an address where nobody need listen.
	RedirectURI string
	// Scopes replaces the provider's configured scopes.
	Scopes []string
	// Origin says who asks, as user@host, to the person who approves.
	Origin string
}

// A Login is the handle of a login that was started or resumed. Its fields are
// what was true then and do not change. It is safe for concurrent use.
type Login struct {
	// ID names the login to [Client.ResumeLogin], also in another process.
	ID string
	// Key is the credential that the login is for.
	Key string
	// Attached tells that the login was pending already and has been joined.
	Attached bool
	// UserCode is what the person enters at VerificationURI;
	// VerificationURIComplete, if the provider gave it, has the code in it
	// (RFC 8628 section 3.2). All are empty if the login had ended.
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string
	// AuthorizationURI is the link that the person opens instead, if the
	// method is code; see [Login.Complete].
	AuthorizationURI string
	// ExpiresAt is the end of the code, or of the link.
	ExpiresAt time.Time

	client *Client
	shared *waiting
}

// Login starts a login for key ("provider" or "provider/account"), or joins the
// one that is pending for it, and returns without waiting for the person.
func (c *Client) Login(ctx context.Context, key string, o LoginOptions) (*Login, error) {
	state, err := c.StartLogin(ctx, StartLogin{
		Key: key, Method: o.Method, RedirectURI: o.RedirectURI, Scopes: o.Scopes, Origin: o.Origin,
	})
	if err != nil {
		return nil, err
	}
	return c.handle(state), nil
}

// ResumeLogin returns the handle of a login that was started earlier, by this
// process or another one.
func (c *Client) ResumeLogin(ctx context.Context, id string) (*Login, error) {
	state, err := c.GetLogin(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.handle(state), nil
}

func (c *Client) handle(s LoginState) *Login {
	return &Login{
		ID: s.ID, Key: s.Key, Attached: s.Attached,
		UserCode:                s.UserCode,
		VerificationURI:         s.VerificationURI,
		VerificationURIComplete: s.VerificationURIComplete,
		AuthorizationURI:        s.AuthorizationURI,
		ExpiresAt:               s.ExpiresAt,
		client:                  c,
		shared:                  &waiting{},
	}
}

// Cancel cancels the login if it is still pending. It returns nil if it had
// ended already, however it did.
func (l *Login) Cancel(ctx context.Context) error {
	_, err := l.client.CancelLogin(ctx, l.ID)
	return err
}

// outcome is what a login that has ended means to whoever waited for it.
func outcome(s LoginState) (Credential, error) {
	if s.Status == api.LoginAuthorized {
		if s.Credential != nil {
			return *s.Credential, nil
		}
		return Credential{Key: s.Key, Provider: s.Provider, Account: s.Account}, nil
	}
	e := &Error{Route: "GET /v1/logins/{id}", Kind: s.Status, Message: "login for " + s.Key + " ended: " + s.Status}
	switch s.Status {
	case api.LoginDenied:
		e.Code = api.CodeAccessDenied
	case api.LoginExpired:
		e.Code = api.CodeExpired
	case api.LoginCancelled:
		e.Code = api.CodeCancelled
	default:
		e.Code = api.CodeInternal
	}
	if s.Error != nil {
		e.Code = s.Error.Code
		if s.Error.Hint != "" {
			e.Message += ": " + s.Error.Hint // why, not what to do
		}
	}
	return Credential{}, e
}
