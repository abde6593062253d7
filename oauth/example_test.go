package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// A device login in its simplest form. Package login has the whole of it: back-off, expiry, cancelling and joining.
func ExampleClient_AuthorizeDevice() {
	login := func(ctx context.Context, issuer string) (*oauth.Token, error) {
		m, err := oauth.Discover(ctx, nil, issuer)
		if err != nil {
			return nil, err
		}
		c := &oauth.Client{Endpoints: m.Endpoints(), ID: "my-client"}
		d, err := c.AuthorizeDevice(ctx, oauth.DeviceRequest{Scopes: []string{"openid", "offline_access"}})
		if err != nil {
			return nil, err
		}
		fmt.Printf("Open %s and enter %s\n", d.VerificationURI, d.UserCode)
		for {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(d.Interval):
			}
			tok, err := c.PollDevice(ctx, d.DeviceCode, d.CodeVerifier)
			switch oauth.CodeOf(err) {
			case oauth.ErrorAuthorizationPending:
			case oauth.ErrorSlowDown:
				d.Interval += 5 * time.Second
			default:
				return tok, err
			}
		}
	}
	_, err := login(context.Background(), "not an issuer")
	fmt.Println(err)
	// Output: discovery: configuration: issuer: link holds a character that a URL cannot hold
}

// What to do about a refresh that failed depends on what is known about the request.
func ExampleClient_Refresh() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
	}))
	defer srv.Close()
	c := &oauth.Client{ID: "my-client", Endpoints: oauth.Endpoints{Token: srv.URL}}

	_, err := c.Refresh(context.Background(), oauth.RefreshRequest{RefreshToken: secret.New("rt-1")})
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		fmt.Println(e.Outcome, e.Kind, e.Code)
	}
	// Output: answered oauth invalid_grant
}
