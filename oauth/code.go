package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"

	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/secret"
)

// AuthCodeRequest is an authorization request (RFC 6749 section 4.1.1).
type AuthCodeRequest struct {
	// RedirectURI is where the browser comes back to: https, or http to a loopback address. Required.
	RedirectURI string
	// State ties the answer to this request. Required.
	State string
	// CodeChallenge is ChallengeS256 of the verifier that ExchangeCode will send. Required: there is no authorization
	// without PKCE (RFC 9700 section 2.1.1).
	CodeChallenge string
	// Scopes to ask for; none leaves the choice to the server.
	Scopes []string
	// Resource is the resource indicator (RFC 8707); empty means Client.Resource.
	Resource string
	// Extra are further parameters, one value each, appended in the order of their names. None may repeat another one.
	Extra url.Values
}

// AuthCodeURL returns the link that a person opens to authorize the client (RFC 6749 section 4.1.1). A query that the
// endpoint already has is kept. There is never a secret in it, and it may be shown as safetext.URL would show it.
func (c *Client) AuthCodeURL(r AuthCodeRequest) (string, error) {
	const op = "authorization request"
	x := &call{op: op}
	x.form.add("response_type", "code")
	x.form.add("client_id", c.ID)
	x.form.add("redirect_uri", r.RedirectURI)
	x.form.add("scope", strings.Join(r.Scopes, " "))
	x.form.add("state", r.State)
	x.form.add("code_challenge", r.CodeChallenge)
	x.form.add("code_challenge_method", challengeMethod)
	if err := c.addResource(x, r.Resource); err != nil {
		return "", configError(op, "%w", err)
	}
	if err := x.form.addExtra(r.Extra); err != nil {
		return "", configError(op, "%w", err)
	}
	if err := c.checkAuthCode(r, x); err != nil {
		return "", configError(op, "%w", err)
	}
	shown, err := safetext.URL(c.Endpoints.Authorization)
	if err != nil {
		return "", configError(op, "authorization endpoint: %w", err)
	}
	endpoint, query, _ := strings.Cut(shown, "?")
	if query != "" {
		query += "&"
	}
	return endpoint + "?" + query + x.form.encode(), nil
}

func (c *Client) checkAuthCode(r AuthCodeRequest, x *call) error {
	if c.ID == "" {
		return errors.New("client id is not configured")
	}
	if err := checkEndpoint("authorization", c.Endpoints.Authorization); err != nil {
		return err
	}
	if err := checkRedirect(r.RedirectURI); err != nil {
		return err
	}
	if r.State == "" || r.CodeChallenge == "" {
		return errors.New("state and code challenge are required")
	}
	if err := x.form.check(); err != nil {
		return err
	}
	u, err := url.Parse(c.Endpoints.Authorization)
	if err != nil {
		return errors.New("authorization endpoint: link cannot be parsed")
	}
	for name := range u.Query() {
		for _, p := range x.form.fields {
			if p.name == name {
				return errors.New("authorization endpoint: its query repeats a parameter of the request")
			}
		}
	}
	return nil
}

// checkRedirect holds a redirect URI to RFC 6749 section 3.1.2 (absolute, no fragment) and to TLS off loopback.
func checkRedirect(raw string) error {
	if _, err := safetext.URL(raw); err != nil || strings.Contains(raw, "#") {
		return errors.New("redirect URI must be an https URL, or http to a loopback address, without a fragment")
	}
	return nil
}

// ExchangeCode exchanges an authorization code for a token (RFC 6749 section 4.1.3, RFC 7636 section 4.5). The redirect
// URI is the one of the authorization request. It makes one request; the code is spent by it.
func (c *Client) ExchangeCode(ctx context.Context, code secret.String, redirectURI string, codeVerifier secret.String) (*Token, error) {
	x := &call{op: "code exchange"}
	x.form.add("grant_type", "authorization_code")
	x.form.addSecret("code", code)
	x.form.add("redirect_uri", redirectURI)
	c.identify(x)
	x.form.addSecret("code_verifier", codeVerifier)
	if code.IsZero() || codeVerifier.IsZero() {
		return nil, configError(x.op, "code and code verifier are required")
	}
	if err := c.addResource(x, ""); err != nil {
		return nil, configError(x.op, "%w", err)
	}
	return c.token(ctx, x)
}

// CheckAuthResponse returns the code of an authorization response, the query q of the request to the redirect URI. It
// checks the state first (RFC 6749 section 10.12), then the issuer (RFC 9207 section 2.4), and believes nothing else
// before both hold, error texts included. A response with an error is an *Error of KindOAuth. Mismatches wrap ErrState
// and ErrIssuer.
func CheckAuthResponse(q url.Values, e Endpoints, state string) (code secret.String, err error) {
	const op = "authorization response"
	bad := func(err error) error { return &Error{Op: op, Outcome: Answered, Kind: KindMalformed, Err: err} }
	if state == "" {
		return code, configError(op, "state is required")
	}
	if len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
		return code, bad(ErrState)
	}
	if err := checkISS(q["iss"], e); err != nil {
		return code, bad(err)
	}
	if len(q["error"]) > 0 {
		if !isCode(q.Get("error")) {
			return code, bad(errors.New("error code is not readable"))
		}
		return code, &Error{
			Op: op, Outcome: Answered, Kind: KindOAuth, Code: q.Get("error"),
			Description: safetext.Line(q.Get("error_description"), safetext.DefaultLine),
		}
	}
	if len(q["code"]) != 1 || q.Get("code") == "" {
		return code, bad(missing("code", nil))
	}
	return secret.New(q.Get("code")), nil
}

// checkISS compares iss with the recorded issuer as a plain string. Without a recorded issuer there is nothing to compare
// with, and the parameter is ignored as any unknown one.
func checkISS(iss []string, e Endpoints) error {
	switch {
	case len(iss) == 0 && !e.RequireISS:
		return nil
	case len(iss) != 1, e.Issuer != "" && iss[0] != e.Issuer, e.Issuer == "" && e.RequireISS:
		return ErrIssuer
	}
	return nil
}
