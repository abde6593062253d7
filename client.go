package usher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/localsock"
	"github.com/usherauth/usher/secret"
)

// DefaultBaseURL is where a [Client] without a BaseURL looks for the daemon.
const DefaultBaseURL = "http://127.0.0.1:4170"

// socketPrefix begins a BaseURL that is a unix socket's path.
const socketPrefix = "unix:"

// maxAnswer bounds what is read of one answer.
const maxAnswer = 4 << 20

// A Client talks to one daemon. The zero value asks the daemon at
// [DefaultBaseURL] without a bearer. It is safe for concurrent use once it is
// used; set its fields before, and do not copy it after.
//
// It makes no request of its own accord and follows no redirect: the bearer
// goes to BaseURL and nowhere else. Its calls last as long as the daemon needs,
// which for a refresh can be a minute; the context bounds them.
type Client struct {
	// BaseURL is "http://host:port", "https://host:port", or "unix:/path" for
	// the owner's socket, where no bearer is needed and the daemon's uid is
	// verified. Empty means [DefaultBaseURL].
	BaseURL string
	// Bearer is the daemon's token.
	Bearer secret.String
	// ClientID names this program to the daemon, for its events and audit log
	// and as the initiator of logins: letters, digits and ._:- , at most 128.
	// It authenticates nobody. Empty is anonymous.
	ClientID string
	// InsecureHTTP allows the bearer to travel over http to a host that is
	// not this machine, for anyone on the way to read. It is meant for
	// networks that are themselves encrypted.
	InsecureHTTP bool
	// HTTPClient sends the requests over http and https; its redirect policy
	// is not used. It must not have a Timeout shorter than a long poll (30 s).
	// Nil means a client of our own that uses no proxy. Sockets have a
	// transport of their own.
	HTTPClient *http.Client

	once   sync.Once
	base   *url.URL
	http   *http.Client
	failed *Error // what is wrong with the fields
}

// A request is one call of the daemon. Route is its pattern, as errors name it:
// method and path.
type request struct {
	route  string
	path   string // the route's path if empty
	query  url.Values
	body   any // nil for none
	header http.Header
}

// call sends r and decodes the answer into out.
func (c *Client) call(ctx context.Context, r request, out any) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return unreachable(ctx, r.route, err)
	case len(body) > maxAnswer:
		return foreign(r.route, resp.StatusCode, "an answer that is too large")
	}
	if err := json.Unmarshal(body, out); err != nil {
		return foreign(r.route, resp.StatusCode, "something that is not the expected JSON")
	}
	return nil
}

// send sends r and returns a response of success; anything else is an [Error].
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	c.once.Do(c.configure)
	if c.failed != nil {
		return nil, c.failed
	}
	method, path, _ := strings.Cut(r.route, " ")
	if r.path != "" {
		path = r.path
	}
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, &Error{Code: api.CodeInvalidRequest, Route: r.route, Message: "encoding request", Err: err}
		}
		body = bytes.NewReader(encoded)
	}
	target := strings.TrimSuffix(c.base.String(), "/") + path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, &Error{Code: api.CodeInvalidRequest, Route: r.route, Message: "making request", Err: err}
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.ClientID != "" {
		req.Header.Set("X-Qwen-Client-Id", c.ClientID)
	}
	if !c.Bearer.IsZero() && !c.isSocket() {
		req.Header.Set("Authorization", "Bearer "+c.Bearer.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(ctx, r.route, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, decodeError(r.route, resp)
	}
	return resp, nil
}

func (c *Client) isSocket() bool { return strings.HasPrefix(c.BaseURL, socketPrefix) }

// configure checks the fields and makes of them what send uses.
func (c *Client) configure() {
	if path, ok := strings.CutPrefix(c.BaseURL, socketPrefix); ok {
		if path == "" {
			c.failed = api.Errorf(api.CodeInvalidRequest, "base URL unix: names no path")
			return
		}
		c.base = &url.URL{Scheme: "http", Host: "usher"}
		c.http = &http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return localsock.Dial(ctx, path)
			},
			DisableCompression: true,
		}}
		return
	}
	base := c.BaseURL
	if base == "" {
		base = DefaultBaseURL
	}
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		c.failed = api.Errorf(api.CodeInvalidRequest, "base URL must be http://host:port, https://host:port or unix:/path")
		return
	case u.User != nil:
		c.failed = api.Errorf(api.CodeInvalidRequest, "base URL must not hold a user or password")
		return
	case u.Scheme == "http" && !c.Bearer.IsZero() && !c.InsecureHTTP && !isLoopback(u.Hostname()):
		c.failed = api.Errorf(api.CodeInvalidRequest, "sending the bearer to %s over http would show it to the network", u.Host).
			WithHint("use https, or forward the daemon's port to this machine")
		return
	}
	c.base = u
	c.http = &http.Client{Transport: directTransport()}
	if c.HTTPClient != nil {
		copied := *c.HTTPClient
		c.http = &copied
	}
	c.http.CheckRedirect = noRedirect
}

// directTransport is a transport for one daemon, which is not to be reached
// through the proxy that the environment names for the web.
func directTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// isLoopback reports whether host is this machine by its spelling.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// unreachable is a request that got no whole answer. What net/url says with its
// errors, the URL, is left out.
func unreachable(ctx context.Context, route string, err error) *Error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if ctx.Err() != nil {
		code := api.CodeInterrupted
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			code = api.CodeTimeout
		}
		return &Error{Code: code, Route: route, Message: "waiting for the daemon: " + ctx.Err().Error(), Err: ctx.Err()}
	}
	return &Error{Code: api.CodeDaemonUnreachable, Route: route, Message: "reaching the daemon: " + err.Error(), Err: err}
}

// foreign is an answer that no daemon of ours gives.
func foreign(route string, status int, what string) *Error {
	return &Error{Status: status, Code: api.CodeDaemonUnreachable, Route: route, Message: "daemon answered with " + what}
}
