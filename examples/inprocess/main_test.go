package main

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out strings.Builder
	if err := run(ctx, &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^desk: open https://desk\.example/device and enter \w{4}-\w{4}
desk: logged in, the token ends at \d\d:\d\d
desk-pkce: open https://desk\.example/device and enter \w{4}-\w{4}
desk-pkce: logged in, the token ends at \d\d:\d\d
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("output:\n%s", out.String())
	}
}

// A code that was stolen is worth nothing without its verifier, and one that
// was spent is worth nothing at all.
func TestPKCE(t *testing.T) {
	for _, pkce := range []bool{false, true} {
		d := &desk{pkce: pkce}
		a, err := d.Start(t.Context(), oauth.DeviceRequest{})
		if err != nil || a.CodeVerifier.IsZero() == pkce || !d.approve(a.UserCode) {
			t.Fatalf("started %+v, %v", a, err)
		}
		stolen := credential.DeviceGrant{DeviceCode: a.DeviceCode, CodeVerifier: secret.New("guessed")}
		own := credential.DeviceGrant{DeviceCode: a.DeviceCode, CodeVerifier: a.CodeVerifier}
		if pkce {
			if _, err := d.Poll(t.Context(), stolen); oauth.CodeOf(err) != oauth.ErrorInvalidGrant {
				t.Errorf("stolen: %v", err)
			}
		}
		if token, err := d.Poll(t.Context(), own); err != nil || token.AccessToken.IsZero() {
			t.Errorf("own: %v, %v", token, err)
		}
		if _, err := d.Poll(t.Context(), own); oauth.CodeOf(err) != oauth.ErrorInvalidGrant {
			t.Errorf("spent: %v", err)
		}
	}
}
