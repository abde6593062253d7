package oauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestRFC7009_47_RevocationPostsTokenHintAndClient(t *testing.T) {
	srv := says(t, 200, "")
	c := srv.client()
	c.Secret, c.AuthStyle = secret.New("s3cret"), oauth.AuthPost
	if err := c.Revoke(t.Context(), secret.New("rt-1"), "refresh_token"); err != nil {
		t.Fatal(err)
	}
	got := srv.only(t)
	want := url.Values{"token": {"rt-1"}, "token_type_hint": {"refresh_token"}, "client_id": {"cli"}, "client_secret": {"s3cret"}}
	if diff := cmp.Diff(want, got.form(t)); diff != "" || got.Method != "POST" || got.Path != "/revoke" {
		t.Errorf("%s %s (-want +got):\n%s", got.Method, got.Path, diff)
	}
}

func TestRFC7009_48_SuccessIsTheStatusAlone(t *testing.T) {
	for _, body := range []string{"", "{}", "<html>", `{"error":"invalid_token"}`, "null"} {
		if err := says(t, 200, body).client().Revoke(t.Context(), secret.New("unknown"), ""); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestRFC7009_49_UnavailableSaysWhenToComeBack(t *testing.T) {
	srv := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(503)
	})
	err := srv.client().Revoke(t.Context(), secret.New("rt-1"), "")
	wantError(t, err, oauth.KindRateLimited, oauth.Ambiguous, "")
	if got := asError(t, err).RetryAfter; got != 30*time.Second {
		t.Errorf("retry after %v, want 30s", got)
	}
}

func TestRFC7009_51_UnsupportedTokenTypeIsACode(t *testing.T) {
	err := says(t, 400, `{"error":"unsupported_token_type"}`).client().Revoke(t.Context(), secret.New("at-1"), "access_token")
	wantError(t, err, oauth.KindOAuth, oauth.Answered, oauth.ErrorUnsupportedTokenType)
}

func TestRFC7009_52_RevocationNeedsTLS(t *testing.T) {
	c := &oauth.Client{ID: "cli", Endpoints: oauth.Endpoints{Revocation: "http://op.example/revoke"}}
	wantError(t, c.Revoke(t.Context(), secret.New("rt-1"), ""), oauth.KindConfig, oauth.NotSent, "")
	c.Endpoints.Revocation = ""
	wantError(t, c.Revoke(t.Context(), secret.New("rt-1"), ""), oauth.KindConfig, oauth.NotSent, "")
	c.Endpoints.Revocation = "https://op.example/revoke"
	wantError(t, c.Revoke(t.Context(), secret.String{}, ""), oauth.KindConfig, oauth.NotSent, "")
}
