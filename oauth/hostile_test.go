package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/oauth/oauthtest"
	"github.com/usherauth/usher/secret"
)

// result is what a call led to, in the terms of oauthtest.Expect.
type result struct {
	err        error
	warnings   []string
	lifetime   time.Duration
	interval   time.Duration
	credential string
	body       secret.String
}

func TestHostileAnswers(t *testing.T) {
	cases := oauthtest.Cases(t)
	if len(cases) < 120 {
		t.Fatalf("got %d cases, want at least 120", len(cases))
	}
	for _, c := range cases {
		for name, end := range endpoints(c) {
			t.Run(c.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				checkHostile(t, c, name, end)
			})
		}
	}
}

type endpoint struct {
	want *oauthtest.Expect
	call func(*testing.T, context.Context, *oauth.Client) result
}

// endpoints returns the endpoints that c has an expectation for.
func endpoints(c oauthtest.Case) map[string]endpoint {
	all := map[string]endpoint{
		"device":    {c.Device, device},
		"poll":      {c.Poll, poll},
		"refresh":   {c.Refresh, refresh},
		"discovery": {c.Discovery, discovery},
	}
	for name, e := range all {
		if e.want == nil {
			delete(all, name)
		}
	}
	return all
}

func checkHostile(t *testing.T, c oauthtest.Case, name string, end endpoint) {
	var requests atomic.Int32
	hostile := oauthtest.Handler(c)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		hostile.ServeHTTP(w, r)
	}))
	defer srv.Close()
	// An endless answer must cost no more than the caller's deadline; any other is over long before this one.
	limit := 30 * time.Second
	if c.Endless() {
		limit = 250 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	client := &oauth.Client{
		Endpoints: oauth.Endpoints{Issuer: srv.URL, Token: srv.URL + "/token", DeviceAuthorization: srv.URL + "/device"},
		ID:        "cli",
	}
	start := time.Now()
	got := end.call(t, ctx, client)
	if took := time.Since(start); c.Endless() && took > 5*time.Second {
		t.Errorf("took %v after a deadline of %v", took, limit)
	}
	wantRequests := int32(1)
	if name == "discovery" {
		wantRequests = int32(end.want.Attempts)
	}
	if n := requests.Load(); n != wantRequests {
		t.Errorf("server saw %d requests, want %d", n, wantRequests)
	}
	checkResult(t, got, end.want)
}

func checkResult(t *testing.T, got result, want *oauthtest.Expect) {
	t.Helper()
	if want.OK {
		if got.err != nil {
			t.Fatalf("got error %v, want success", got.err)
		}
		if want.Warned != (len(got.warnings) > 0) && (want.Warned || want.Lifetime != nil) {
			t.Errorf("got warnings %q, want any: %t", got.warnings, want.Warned)
		}
		checkSeconds(t, "lifetime", got.lifetime, want.Lifetime)
		checkSeconds(t, "interval", got.interval, want.Interval)
	} else {
		checkFailure(t, got.err, want)
	}
	switch want.Credential {
	case oauthtest.Salvaged, oauthtest.Identical:
		// A body that broke off may have left something worth keeping; how much is a matter of timing.
		if got.credential != want.Credential {
			t.Errorf("credential %s, want %s", got.credential, want.Credential)
		}
	case oauthtest.Rejected:
		if got.credential != oauthtest.Identical || got.body.IsZero() {
			t.Errorf("credential %s with %d bytes kept, want the answer rejected and kept", got.credential, got.body.Len())
		}
	}
}

func checkFailure(t *testing.T, err error, want *oauthtest.Expect) {
	t.Helper()
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		t.Fatalf("got error %v (%T), want *oauth.Error", err, err)
	}
	if e.Kind != want.Kind || e.Outcome != want.Outcome || e.Code != want.Code {
		t.Errorf("got kind %q outcome %q code %q (%v), want %q %q %q", e.Kind, e.Outcome, e.Code, e, want.Kind, want.Outcome, want.Code)
	}
	checkSeconds(t, "retry after", e.RetryAfter, want.RetryAfter)
	for _, text := range []string{e.Error(), e.Description} {
		if len([]rune(text)) > 512 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("text is not one printable line: %q", text)
		}
	}
	if text := e.Error(); strings.Contains(text, "EVIL") || strings.Contains(text, "evil.example") || strings.Contains(text, "rt-1") {
		t.Errorf("error repeats the answer: %s", text)
	}
}

func checkSeconds(t *testing.T, what string, got time.Duration, want *int) {
	t.Helper()
	if want != nil && got != time.Duration(*want)*time.Second {
		t.Errorf("%s %v, want %ds", what, got, *want)
	}
}

func device(t *testing.T, ctx context.Context, c *oauth.Client) result {
	d, err := c.AuthorizeDevice(ctx, oauth.DeviceRequest{Scopes: []string{"openid"}})
	if err != nil {
		return result{err: err}
	}
	if got := d.DeviceCode.Reveal(); got != "dc-1" {
		t.Errorf("device code %q, want dc-1", got)
	}
	for _, text := range []string{d.UserCode, d.VerificationURI, d.VerificationURIComplete} {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("unfit to be shown: %q", text)
		}
	}
	if links := d.VerificationURI + d.VerificationURIComplete; strings.Contains(links, "evil") {
		t.Errorf("link leads elsewhere: %q", links)
	}
	return result{warnings: d.Warnings, lifetime: d.ExpiresIn, interval: d.Interval}
}

func poll(t *testing.T, ctx context.Context, c *oauth.Client) result {
	return tokenResult(t)(c.PollDevice(ctx, secret.New("dc-1"), oauth.NewVerifier()))
}

func refresh(t *testing.T, ctx context.Context, c *oauth.Client) result {
	return tokenResult(t)(c.Refresh(ctx, oauth.RefreshRequest{RefreshToken: secret.New("rt-1")}))
}

// tokenResult judges a token endpoint's answer as the owner of a credential would.
func tokenResult(t *testing.T) func(*oauth.Token, error) result {
	return func(tok *oauth.Token, err error) result {
		if e, ok := errors.AsType[*oauth.Error](err); ok {
			return result{err: err, credential: oauthtest.Identical, body: e.Body}
		}
		if err != nil {
			return result{err: err}
		}
		if got := tok.AccessToken.Reveal(); got != "at-1" {
			t.Errorf("access token %q, want at-1", got)
		}
		return result{warnings: tok.Warnings, lifetime: tok.Lifetime, credential: oauthtest.Salvaged}
	}
}

func discovery(t *testing.T, ctx context.Context, c *oauth.Client) result {
	m, err := oauth.Discover(ctx, c.HTTP, c.Endpoints.Issuer)
	if err == nil && m.Issuer != c.Endpoints.Issuer {
		t.Errorf("issuer %q, want %q", m.Issuer, c.Endpoints.Issuer)
	}
	return result{err: err}
}
