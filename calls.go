package usher

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/usherauth/usher/api"
)

// Token returns an access token of the credential that r names, which is
// refreshed first if it is due. The error matches [ErrLoginNeeded] if only a
// person can help.
func (c *Client) Token(ctx context.Context, r TokenRequest) (Token, error) {
	req := request{route: "POST /v1/token", body: r}
	var out Token
	if err := c.call(ctx, req, &out); err != nil {
		return Token{}, err
	}
	if out.AccessToken == "" {
		return Token{}, foreign(req.route, http.StatusOK, "no token")
	}
	return out, nil
}

// Credentials returns what is stored, without secrets.
func (c *Client) Credentials(ctx context.Context) ([]Credential, error) {
	var out api.CredentialList
	err := c.call(ctx, request{route: "GET /v1/credentials"}, &out)
	return out.Credentials, err
}

// Credential returns the stored credential of key. The error matches
// [ErrLoginNeeded] if there is none.
func (c *Client) Credential(ctx context.Context, key string) (Credential, error) {
	var out Credential
	r, err := credentialRequest("GET", key)
	if err == nil {
		err = c.call(ctx, r, &out)
	}
	return out, err
}

// Logout revokes the tokens of a credential at its provider and removes it. A
// revocation that failed is told in the answer; the credential is gone even so.
func (c *Client) Logout(ctx context.Context, r LogoutRequest) (Logout, error) {
	var out Logout
	req, err := credentialRequest("DELETE", r.Key)
	if err != nil {
		return out, err
	}
	if r.KeepRemote {
		req.query = url.Values{"keep_remote": {"true"}}
	}
	err = c.call(ctx, req, &out)
	return out, err
}

// credentialRequest is a request for the credential of key, which in a path is
// always two segments.
func credentialRequest(method, key string) (request, error) {
	r := request{route: method + " /v1/credentials/{provider}/{account}"}
	provider, account, found := strings.Cut(key, "/")
	if !found {
		account = "default"
	}
	if provider == "" || account == "" {
		return r, &Error{Code: api.CodeInvalidKey, Route: r.route, Message: "key must be provider or provider/account"}
	}
	r.path = "/v1/credentials/" + url.PathEscape(provider) + "/" + url.PathEscape(account)
	return r, nil
}

// Providers returns where logins can happen.
func (c *Client) Providers(ctx context.Context) ([]Provider, error) {
	var out api.ProviderList
	err := c.call(ctx, request{route: "GET /v1/providers"}, &out)
	return out.Providers, err
}

// Status returns the overview of the compatible surface: credentials, pending
// logins and supported providers. It needs no configured bearer on a daemon
// that asks for none.
func (c *Client) Status(ctx context.Context) (AuthStatus, error) {
	var out AuthStatus
	err := c.call(ctx, request{route: "GET /workspace/auth/status"}, &out)
	return out, err
}

// Capabilities returns what the daemon can do, and its version.
func (c *Client) Capabilities(ctx context.Context) (Capabilities, error) {
	var out Capabilities
	err := c.call(ctx, request{route: "GET /capabilities"}, &out)
	return out, err
}

// Health returns nil if the daemon answers. It needs no bearer.
func (c *Client) Health(ctx context.Context) error {
	r := request{route: "GET /health"}
	var out api.Health
	if err := c.call(ctx, r, &out); err != nil {
		return err
	}
	if out.Status != "ok" {
		return foreign(r.route, http.StatusOK, "a health that is not ok")
	}
	return nil
}
