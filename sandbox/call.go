package sandbox

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The endpoints as the record and fault plans name them. The token endpoint
// has one name per grant; endpointToken itself is left for requests whose
// grant type is missing or unknown.
const (
	endpointDiscovery    = "discovery"
	endpointJWKS         = "jwks"
	endpointDevice       = "device"
	endpointAuthorize    = "authorize"
	endpointToken        = "token"
	endpointTokenDevice  = "token.device"
	endpointTokenCode    = "token.code"
	endpointTokenRefresh = "token.refresh"
	endpointRevoke       = "revoke"
	endpointUserinfo     = "userinfo"
	endpointResource     = "resource"
	endpointPage         = "page"
)

const (
	grantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628 section 3.4
	grantAuthorizationCode = "authorization_code"
	grantRefreshToken      = "refresh_token"
)

// maxForm bounds a request body; the largest honest one is well below 8 KiB.
const maxForm = 64 << 10

// call is one request on its way through the server.
type call struct {
	r        *http.Request
	endpoint string
	handle   func(*call) answer
	form     url.Values // the body's parameters, or the query's of a GET; no empty ones
	body     []byte
	problem  *answer // what was wrong with the request itself
	entry    *entry
	device   *device // the device authorization this call made

	newSession *http.Cookie // for a browser that has none
}

func (c *call) get(name string) string { return c.form.Get(name) }

// read takes a request in: its body, its parameters, and with them the name of
// the endpoint.
func (s *Server) read(w http.ResponseWriter, r *http.Request, route route) *call {
	c := &call{r: r, endpoint: route.endpoint, handle: route.handle, form: url.Values{}}
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			a := plainError(http.StatusRequestEntityTooLarge, "request body too large")
			c.problem = &a
		case err != nil:
			c.refuse(s, "reading the request body")
		case route.form && !isForm(r):
			c.refuse(s, "want content type application/x-www-form-urlencoded")
		}
		c.body, raw = body, string(body)
	}
	if c.problem == nil && (route.form || r.Method != http.MethodPost) {
		c.parse(s, raw)
	}
	if c.endpoint == endpointToken {
		c.endpoint = tokenEndpointOf(c.get("grant_type"))
	}
	return c
}

func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "application/x-www-form-urlencoded"
}

// parse keeps the parameters. One without a value counts as left out, and none
// may come twice (RFC 6749 section 3.2), but for resource (RFC 8707 section 2).
func (c *call) parse(s *Server, raw string) {
	form, err := url.ParseQuery(raw)
	if err != nil {
		c.refuse(s, "malformed parameters")
	}
	for name, values := range form {
		if len(values) > 1 && name != "resource" {
			c.refuse(s, "a parameter is repeated")
		}
		if values[0] != "" {
			c.form[name] = values
		}
	}
}

func (c *call) refuse(s *Server, description string) {
	a := s.refuse(c, errInvalidRequest, description)
	c.problem = &a
}

func tokenEndpointOf(grantType string) string {
	switch grantType {
	case grantDeviceCode:
		return endpointTokenDevice
	case grantAuthorizationCode:
		return endpointTokenCode
	case grantRefreshToken:
		return endpointTokenRefresh
	}
	return endpointToken
}

// serve records a call, answers it with whatever fault the plan holds for it,
// and writes the answer. The record is complete before the first byte leaves,
// so whoever has the answer finds it there.
func (s *Server) serve(w http.ResponseWriter, c *call) {
	c.entry = s.record.begin(c)
	fault := s.faults.next(c.endpoint)
	a := s.answer(c, fault)
	c.entry.finish(a, fault)
	s.log.LogAttrs(context.WithoutCancel(c.r.Context()), slog.LevelInfo, "sandbox request",
		slog.String("endpoint", c.endpoint), slog.Int("number", c.entry.number()),
		slog.String("client_id", clientIDOf(c)), slog.String("outcome", a.outcome), slog.Int("status", a.status))
	if fault == nil {
		write(w, a)
		return
	}
	fault.deliver(w, c.r, a)
}

// answer decides what to send. A refresh counts as in flight until then: from
// the first byte of an answer on, its client may rightly send the next.
func (s *Server) answer(c *call, fault *Action) answer {
	defer s.enterFamily(c)()
	if fault == nil {
		return s.process(c)
	}
	return s.misbehave(c, fault)
}

func (s *Server) process(c *call) answer {
	if c.problem != nil {
		return *c.problem
	}
	return c.handle(c)
}

// clientIDOf names the client for record and log, whichever way it was sent.
func clientIDOf(c *call) string {
	id := c.get("client_id")
	if basicID, _, ok := basicAuth(c.r); ok {
		id = basicID
	}
	return strings.ToValidUTF8(id[:min(len(id), maxClientID)], "")
}

// write sends an answer as it is.
func write(w http.ResponseWriter, a answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// pause waits for d and reports whether ctx was still alive at its end.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
