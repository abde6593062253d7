package oidcprovider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// TestServerByItself drives a device login, a refresh, a replay and a
// revocation with bare requests, so that a failure of the tests beside it says
// something about usher and not about this harness.
func TestServerByItself(t *testing.T) {
	t.Parallel()
	s := oidcprovider.Start(t, oidcprovider.Options{AccessTokenTTL: 7 * time.Second})

	var device struct {
		DeviceCode              string `json:"device_code"`
		VerificationURIComplete string `json:"verification_uri_complete"`
	}
	status := post(t, s.Issuer+"/device/auth", url.Values{"client_id": {"cli"}, "scope": {"openid offline_access"}}, &device)
	if status != http.StatusOK || device.VerificationURIComplete == "" {
		t.Fatalf("device authorization: %d, %+v", status, device)
	}
	poll := url.Values{"client_id": {"cli"}, "grant_type": {oidcprovider.DeviceGrant}, "device_code": {device.DeviceCode}}
	var first, second, third tokenAnswer
	if status := post(t, s.Issuer+"/token", poll, &first); status != http.StatusBadRequest || first.Error != "authorization_pending" {
		t.Fatalf("poll before the approval: %d, %q", status, first.Error)
	}
	if err := s.Approve(t.Context(), device.VerificationURIComplete, "ada"); err != nil {
		t.Fatal(err)
	}
	first = tokenAnswer{}
	if status := post(t, s.Issuer+"/token", poll, &first); status != http.StatusOK || first.RefreshToken == "" || first.ExpiresIn != 7 {
		t.Fatalf("poll after the approval: %d, %+v", status, first)
	}
	if got := subject(t, s, first.AccessToken); got != "ada" {
		t.Errorf("subject = %q, want ada", got)
	}

	refresh := url.Values{"client_id": {"cli"}, "grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}}
	if status := post(t, s.Issuer+"/token", refresh, &second); status != http.StatusOK || second.RefreshToken == first.RefreshToken {
		t.Fatalf("refresh: %d, rotated %v", status, second.RefreshToken != first.RefreshToken)
	}
	if status := post(t, s.Issuer+"/token", refresh, &third); status != http.StatusBadRequest || third.Error != "invalid_grant" {
		t.Fatalf("replay: %d, %q", status, third.Error)
	}
	refresh.Set("refresh_token", second.RefreshToken)
	third = tokenAnswer{}
	if status := post(t, s.Issuer+"/token", refresh, &third); status != http.StatusBadRequest || third.Error != "invalid_grant" {
		t.Fatalf("a replay leaves its family alive: %d, %q", status, third.Error)
	}
	if status := post(t, s.Issuer+"/token/revocation", url.Values{"client_id": {"cli"}, "token": {second.AccessToken}}, nil); status != http.StatusOK {
		t.Errorf("revocation: %d", status)
	}

	for what, match := range map[string]func(oidcprovider.Entry) bool{
		"the pending poll":  oidcprovider.Refused(oidcprovider.DeviceGrant, "authorization_pending"),
		"the login":         oidcprovider.Granted(oidcprovider.DeviceGrant),
		"the refresh":       oidcprovider.Granted(oidcprovider.RefreshGrant),
		"the replay":        oidcprovider.Refused(oidcprovider.RefreshGrant, "invalid_grant"),
		"the family's end":  func(e oidcprovider.Entry) bool { return e.Event == "grant.revoked" },
		"a revocation":      oidcprovider.Requested("POST", "/token/revocation", 200),
		"the token request": oidcprovider.Requested("POST", "/token", 200),
	} {
		s.WaitFor(t, what, match)
	}
}

type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in"`
	Error        string `json:"error"`
}

func post(t *testing.T, to string, values url.Values, into any) int {
	t.Helper()
	resp, err := http.PostForm(to, values)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
	}
	return resp.StatusCode
}

func subject(t *testing.T, s *oidcprovider.Server, token string) string {
	t.Helper()
	got, err := s.Subject(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
