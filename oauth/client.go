package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/usherauth/usher/secret"
)

// Client is one registered client of one authorization server. The zero value of each optional field is useful; a Client
// is read-only once in use, and then safe for concurrent use.
type Client struct {
	// HTTP carries the requests; nil means a shared NewHTTPClient. Its Transport and Timeout are used; its redirect
	// policy and cookie jar are not.
	HTTP *http.Client
	// Endpoints of the server. The call that needs one checks it.
	Endpoints Endpoints
	// ID is the client identifier. Required.
	ID string
	// Secret is the client secret; it goes with AuthPost and AuthBasic, which require it.
	Secret secret.String
	// AuthStyle is how the client authenticates; empty means AuthNone.
	AuthStyle AuthStyle
	// Dialect names the server's deviations; empty means DialectStandard.
	Dialect Dialect
	// Resource is the resource indicator (RFC 8707) that goes with every grant, unless a request names another one.
	// Empty means none.
	Resource string
	// UserAgent identifies the program; empty means "usher".
	UserAgent string
}

func (c *Client) httpClient() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return sharedHTTPClient()
}

func (c *Client) userAgent() string {
	if c.UserAgent != "" {
		return c.UserAgent
	}
	return "usher"
}

// call is one request to an endpoint of the server, always a form POST (RFC 6749 section 3.2).
type call struct {
	op       string
	name     string // of the endpoint
	endpoint string
	form     form
	header   http.Header

	public     bool // client_id alone, whatever the auth style
	statusOnly bool // a 2xx status is all there is to a success
}

// identify adds the client's identity where it belongs in the body's order. Exactly one way of authentication is used
// (RFC 6749 section 2.3).
func (c *Client) identify(x *call) {
	if c.AuthStyle != AuthBasic || x.public {
		x.form.add("client_id", c.ID)
	}
	if c.AuthStyle == AuthPost && !x.public {
		x.form.addSecret("client_secret", c.Secret)
	}
}

// do sends x once and returns the answer if its status is 2xx and it is no OAuth error.
func (c *Client) do(ctx context.Context, x *call) (*answer, error) {
	req, err := c.request(ctx, x)
	if err != nil {
		return nil, configError(x.op, "%w", err)
	}
	a, sendErr := send(ctx, c.httpClient(), x.op, req, x.statusOnly)
	if sendErr != nil {
		return nil, sendErr
	}
	if failed := a.failure(x.op, x.form.echoes); failed != nil {
		return nil, failed
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, x *call) (*http.Request, error) {
	for _, check := range []func() error{
		c.check,
		func() error { return checkEndpoint(x.name, x.endpoint) },
		x.form.check,
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	body := x.form.encode()
	// The reader is wrapped so that net/http learns no GetBody, without which it cannot send the request again.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.endpoint, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return nil, errors.New(x.name + " endpoint: no request can be made of it")
	}
	req.ContentLength = int64(len(body))
	if x.header != nil {
		req.Header = x.header
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent())
	if c.AuthStyle == AuthBasic && !x.public {
		// Form-encoded before base64, RFC 6749 section 2.3.1.
		x.form.secrets = append(x.form.secrets, c.Secret)
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret.Reveal()))
	}
	return req, nil
}

// check reports what is wrong with the client's own fields.
func (c *Client) check() error {
	if c.ID == "" {
		return errors.New("client id is not configured")
	}
	if !isHeaderText(c.userAgent()) {
		return errors.New("user agent holds a character that a header cannot hold")
	}
	if _, err := c.Dialect.traits(); err != nil {
		return err
	}
	switch style, err := ParseAuthStyle(string(c.AuthStyle)); {
	case err != nil:
		return err
	case style == AuthNone && !c.Secret.IsZero():
		return errors.New("client secret given, but the auth style is none: set post or basic")
	case style != AuthNone && c.Secret.IsZero():
		return fmt.Errorf("auth style %s needs a client secret", style)
	}
	return nil
}

func isHeaderText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
