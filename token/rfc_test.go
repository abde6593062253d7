package token_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

// refreshForm lets a credential end that was changed as given, and returns the
// request that renewed it and what was stored.
func refreshForm(t *testing.T, change func(*credential.Credential)) (form url.Values, stored credential.Credential) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Hour)
		c := f.stored()
		change(&c)
		if _, err := f.store.Update(t.Context(), c, c.Generation); err != nil {
			t.Fatal(err)
		}
		f.provider.script[1] = func(w http.ResponseWriter, r *http.Request, grant func(http.ResponseWriter)) {
			form = r.PostForm
			grant(w)
		}
		time.Sleep(time.Hour)
		f.want(f.m, 0, "at-2")
		stored = f.stored()
	})
	return form, stored
}

func TestRFC6749_9_NewRefreshTokenReplacesTheOld(t *testing.T) {
	form, stored := refreshForm(t, func(*credential.Credential) {})
	if got := form.Get("refresh_token"); got != "rt-1" {
		t.Errorf("sent refresh token %q, want rt-1", got)
	}
	if got := stored.RefreshToken.Reveal(); got != "rt-2" {
		t.Errorf("stored refresh token %q, want rt-2", got)
	}
}

// Leaving the scope out asks for what was granted (section 6).
func TestRFC6749_10_RefreshAsksForNoScope(t *testing.T) {
	form, _ := refreshForm(t, func(c *credential.Credential) { c.Scopes = []string{"read", "write"} })
	if form.Has("scope") {
		t.Errorf("sent scope %q, want none", form.Get("scope"))
	}
}

func TestRFC6749_11_AbsentScopeKeepsTheGranted(t *testing.T) {
	_, stored := refreshForm(t, func(c *credential.Credential) { c.Scopes = []string{"read", "write"} })
	if len(stored.Scopes) != 2 || stored.Scopes[0] != "read" || stored.Scopes[1] != "write" {
		t.Errorf("stored scopes %v, want read and write", stored.Scopes)
	}
}

// Only invalid_grant is about the refresh token; see TestProviderTrouble for
// the others.
func TestRFC6749_12_InvalidGrantAloneEndsTheCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			code string
			want credential.State
		}{
			{oauth.ErrorInvalidGrant, credential.NeedsLogin},
			{oauth.ErrorInvalidClient, credential.Active},
			{oauth.ErrorUnauthorizedClient, credential.Active},
			{oauth.ErrorInvalidScope, credential.Active},
			{oauth.ErrorInvalidRequest, credential.Active},
			{oauth.ErrorUnsupportedGrantType, credential.Active},
		} {
			f := newFixture(t, time.Hour)
			f.provider.script[1] = says(400, nil, `{"error":"`+tt.code+`"}`)
			time.Sleep(time.Hour)
			if _, err := f.m.Token(t.Context(), key, 0); err == nil {
				t.Errorf("%s: Token succeeded", tt.code)
			}
			if got := f.stored().State; got != tt.want {
				t.Errorf("%s: state = %s, want %s", tt.code, got, tt.want)
			}
		}
	})
}

func TestRFC8707_78_ResourceGoesWithTheRefresh(t *testing.T) {
	form, stored := refreshForm(t, func(c *credential.Credential) { c.Binding.Resource = "https://api.test/mcp" })
	if got := form["resource"]; len(got) != 1 || got[0] != "https://api.test/mcp" {
		t.Errorf("sent resource %q, want https://api.test/mcp once", got)
	}
	if stored.Binding.Resource != "https://api.test/mcp" {
		t.Errorf("stored resource %q", stored.Binding.Resource)
	}
}
