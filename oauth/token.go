package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/usherauth/usher/secret"
)

// Token is a successful answer of a token endpoint (RFC 6749 section 5.1).
type Token struct {
	// AccessToken is never zero and safe to put into a header: visible ASCII alone.
	AccessToken secret.String
	// RefreshToken is zero if the server issued none; on a refresh the old one then stays in use (section 6).
	RefreshToken secret.String
	// IDToken is the OpenID Connect id token, unverified; zero if there is none. See Subject.
	IDToken secret.String
	// Type is "Bearer".
	Type string
	// Scopes that were granted; nil if the server did not say, which means those that were asked for (section 5.1).
	Scopes []string
	// Lifetime of the access token from now; 0 if the server named none. At most ten years.
	Lifetime time.Duration
	// RefreshLifetime of the refresh token from now, which some servers name; 0 means unknown.
	RefreshLifetime time.Duration
	// ResourceURL is where API calls go, which some servers name with the token; unchecked, empty if absent.
	ResourceURL string
	// Extra holds all members not named above as one JSON object, zero if there are none, or more than MaxExtra bytes
	// of them.
	Extra secret.String
	// Warnings says what was odd about the answer.
	Warnings []string
}

// MaxExtra bounds Token.Extra, in bytes, and what is made of several: it is stored with the token for as long as that lives.
const MaxExtra = 64 << 10

// RefreshRequest is what a refresh asks for (RFC 6749 section 6).
type RefreshRequest struct {
	// RefreshToken to spend. Required.
	RefreshToken secret.String
	// Scopes narrows what was granted; none means the same again.
	Scopes []string
	// Resource is the resource indicator (RFC 8707); empty means Client.Resource.
	Resource string
}

// Refresh asks for a new access token (RFC 6749 section 6). It sends exactly one POST. The refresh token may be spent
// even if it fails: see Error.Outcome, and Error.Body for an answer that could not be used.
func (c *Client) Refresh(ctx context.Context, r RefreshRequest) (*Token, error) {
	x := &call{op: "refresh"}
	x.form.add("grant_type", "refresh_token")
	x.form.addSecret("refresh_token", r.RefreshToken)
	c.identify(x)
	x.form.add("scope", strings.Join(r.Scopes, " "))
	if r.RefreshToken.IsZero() {
		return nil, configError(x.op, "refresh token is empty")
	}
	if err := c.addResource(x, r.Resource); err != nil {
		return nil, configError(x.op, "%w", err)
	}
	return c.token(ctx, x)
}

// addResource appends the resource indicator of a grant, the request's own or else the client's.
func (c *Client) addResource(x *call, own string) error {
	if own == "" {
		own = c.Resource
	}
	if own == "" {
		return nil
	}
	x.form.add("resource", own)
	return checkResource(own)
}

// token sends x to the token endpoint and reads the token.
func (c *Client) token(ctx context.Context, x *call) (*Token, error) {
	x.name, x.endpoint = "token", c.Endpoints.Token
	t, err := c.Dialect.traits()
	if err != nil {
		return nil, configError(x.op, "%w", err)
	}
	a, err := c.do(ctx, x)
	if err != nil {
		return nil, err
	}
	if a.readErr != nil {
		a.readErr.Body = secret.New(string(a.body))
		return nil, a.readErr
	}
	tokenErr := a.parseErr
	if tokenErr == nil {
		if code := a.object.pendingCode(t); code != "" {
			return nil, &Error{Op: x.op, Outcome: Answered, Kind: KindOAuth, Code: code, Status: a.status}
		}
		var tok *Token
		if tok, tokenErr = parseToken(a.object, t, time.Now()); tokenErr == nil {
			return tok, nil
		}
	}
	e := a.malformed(x.op, tokenErr)
	e.Body = secret.New(string(a.body))
	return nil, e
}

// pendingCode returns the OAuth code for a poll that is answered {"status":"pending"}, with "slowDown":true when polled too
// fast (chat.qwen.ai), or "".
func (o object) pendingCode(t traits) string {
	if status, err := o.text("status"); !t.pendingByStatus || err != nil || status != "pending" {
		return ""
	}
	if o.truth("slowDown") {
		return ErrorSlowDown
	}
	return ErrorAuthorizationPending
}

// named are the members that parseToken reads; all others go to Token.Extra. An error member that did not decide (null,
// or unreadable) is dropped.
var named = map[string]bool{
	"access_token": true, "refresh_token": true, "id_token": true, "token_type": true, "scope": true,
	"expires_in": true, "refresh_expires_in": true, "refresh_token_expires_in": true, "resource_url": true,
	"error": true, "error_description": true,
}

// parseToken reads a token. Only what makes the access token unusable, or two different values for what is secret, is an
// error.
func parseToken(o object, t traits, now time.Time) (*Token, error) {
	tok := &Token{Type: "Bearer"}
	warn := (*warnings)(&tok.Warnings)
	access, err := o.text("access_token")
	if err != nil || access == "" {
		return nil, missing("access_token", err)
	}
	if !isTokenText(access) {
		return nil, errors.New("access_token holds characters that a header cannot hold")
	}
	tok.AccessToken = secret.New(access)
	if err := checkType(o, warn); err != nil {
		return nil, err
	}
	if _, err := o.raw("refresh_token"); err != nil {
		return nil, err // which of the two is the one to keep cannot be known
	}
	tok.RefreshToken = secret.New(o.optional("refresh_token", warn))
	tok.IDToken = secret.New(o.optional("id_token", warn))
	tok.ResourceURL = o.optional("resource_url", warn)
	if !isTokenText(tok.ResourceURL) {
		warn.add("resource_url holds unusual characters and is left out")
		tok.ResourceURL = ""
	}
	if raw, _ := o.raw("error"); raw != nil && string(raw) != `""` {
		warn.add("error stands beside a token and is not readable")
	}
	tok.Scopes = o.scopes(t, warn)
	tok.Lifetime = o.lifetime("expires_in", now, warn)
	tok.RefreshLifetime = o.refreshLifetime(warn)
	tok.Extra = o.extra(warn)
	return tok, nil
}

// checkType refuses a token whose type is not understood (RFC 6749 section 7.1).
func checkType(o object, warn *warnings) error {
	kind, err := o.text("token_type")
	switch {
	case err != nil:
		return err
	case kind == "":
		warn.add("token_type is missing: taking Bearer")
	case !strings.EqualFold(kind, "Bearer"):
		return errors.New("token_type is not Bearer")
	}
	return nil
}

// optional returns the string member name, or "" with a warning if it cannot be read.
func (o object) optional(name string, warn *warnings) string {
	s, err := o.text(name)
	if err != nil {
		warn.add("%v: left out", err)
	}
	return s
}

// scopes reads scope as the RFC's string or as the list that some servers give.
func (o object) scopes(t traits, warn *warnings) []string {
	list, err := o.list("scope")
	if err != nil {
		warn.add("%v: left out", err)
	}
	if list == nil {
		return nil
	}
	scopes := []string{}
	for _, s := range list {
		scopes = append(scopes, strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || t.commaScopes && r == ',' })...)
	}
	for _, s := range scopes {
		if !isTokenText(s) {
			warn.add("scope holds unusual characters: left out")
			return nil
		}
	}
	return scopes
}

func (o object) extra(warn *warnings) secret.String {
	rest := map[string]json.RawMessage{}
	for name, value := range o.members {
		if !named[name] {
			rest[name] = value
		}
	}
	if len(rest) == 0 {
		return secret.String{}
	}
	text, err := json.Marshal(rest)
	if err != nil {
		warn.add("further members cannot be kept")
		return secret.String{}
	}
	if len(text) > MaxExtra {
		warn.add("further members are longer than %d bytes: left out", MaxExtra)
		return secret.String{}
	}
	return secret.New(string(text))
}

// isTokenText reports whether s is visible ASCII without spaces, a little more than the b68token of RFC 6750 section 2.1 and
// nothing that can end a header line.
func isTokenText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
