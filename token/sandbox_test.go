package token_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/memstore"
	"github.com/usherauth/usher/internal/memhttp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/sandbox"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/token"
)

// The whole life of a credential at a real authorization server: device login,
// three expiries, revocation.
func TestWithSandbox(t *testing.T) {
	for _, rotation := range []sandbox.Rotation{sandbox.RotationStrict, sandbox.RotationGrace, sandbox.RotationNone} {
		t.Run(string(rotation), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { withSandbox(t, rotation) })
		})
	}
}

func withSandbox(t *testing.T, rotation sandbox.Rotation) {
	const issuer = "http://127.0.0.1:9400"
	server, err := sandbox.New(sandbox.Config{Issuer: issuer, Approve: sandbox.ApproveAuto, Rotation: rotation})
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: &memhttp.Transport{Handler: server}}
	clock, store := newClock(), memstore.New()
	binding, won := deviceLogin(t, hc, issuer)
	seed(t, store, credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active, Binding: binding,
		AccessToken: won.AccessToken, RefreshToken: won.RefreshToken, IDToken: won.IDToken,
		TokenType: won.Type, Scopes: won.Scopes, Received: clock.Now(), Lifetime: won.Lifetime,
	})
	m := token.NewManager(token.Config{Store: store, HTTP: hc, Clock: clock})
	defer m.Close(context.Background())

	for expiry := range 3 {
		time.Sleep(won.Lifetime)
		if status := present(t, hc, issuer, won.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("resource answers %d to the ended token, want 401", status)
		}
		got, err := m.Token(t.Context(), key, 0)
		if err != nil {
			t.Fatal(err)
		}
		if status := present(t, hc, issuer, got.AccessToken); status != http.StatusOK {
			t.Errorf("resource answers %d after expiry %d, want 200", status, expiry+1)
		}
	}
	record := server.Record()
	if record.RefreshRequests != 3 || record.RefreshesGranted != 3 || record.ReuseSeen != 0 || record.Overlap != 1 {
		t.Errorf("record = %d refreshes, %d granted, %d reused, overlap %d, want 3, 3, 0, 1",
			record.RefreshRequests, record.RefreshesGranted, record.ReuseSeen, record.Overlap)
	}

	c, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Binding.Client(hc, secret.String{}).Revoke(t.Context(), c.RefreshToken, "refresh_token"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(won.Lifetime)
	if _, err := m.Token(t.Context(), key, 0); err == nil {
		t.Error("Token after revocation succeeded")
	}
	if c, err = store.Get(t.Context(), key); err != nil || c.State != credential.NeedsLogin {
		t.Errorf("stored state = %s, %v, want needs_login", c.State, err)
	}
}

// deviceLogin obtains tokens as a login does.
func deviceLogin(t *testing.T, hc *http.Client, issuer string) (credential.Binding, *oauth.Token) {
	t.Helper()
	metadata, err := oauth.Discover(t.Context(), hc, issuer)
	if err != nil {
		t.Fatal(err)
	}
	binding := credential.Binding{
		Endpoints: metadata.Endpoints(), ClientID: "client",
		AuthStyle: oauth.AuthNone, Dialect: oauth.DialectStandard,
	}
	client := binding.Client(hc, secret.String{})
	device, err := client.AuthorizeDevice(t.Context(), oauth.DeviceRequest{Scopes: []string{"openid", "offline_access"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		time.Sleep(device.Interval)
		won, err := client.PollDevice(t.Context(), device.DeviceCode, device.CodeVerifier)
		if err == nil {
			return binding, won
		}
		if oauth.CodeOf(err) != oauth.ErrorAuthorizationPending {
			t.Fatal(err)
		}
	}
	t.Fatal("sandbox did not approve")
	return binding, nil
}

// present shows an access token to the sandbox's resource.
func present(t *testing.T, hc *http.Client, issuer string, accessToken secret.String) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, issuer+"/resource", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken.Reveal())
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
