package token

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// R8, I14: an answer replaces a token, not the login.
func TestMerge(t *testing.T) {
	old := credential.Credential{
		Key: credential.Key{Provider: "p", Account: "default"}, Kind: credential.Refreshable,
		Grant: "g", Generation: 7, State: credential.NeedsLogin, Cause: credential.CauseProviderChanged,
		AccessToken: secret.New("at-1"), RefreshToken: secret.New("rt-1"), IDToken: secret.New("id-1"),
		TokenType: "Bearer", Scopes: []string{"a"}, ResourceURL: "https://api.test",
		Extra: secret.New(`{"keep":1,"team":"x"}`), Alias: "acct-abcdef",
		Received: received, Lifetime: time.Hour,
		RefreshExpiresAt: received.Wall.Add(time.Hour), HoldOffUntil: received.Wall.Add(time.Minute),
		Share: credential.Share{Tool: "qwen", Seen: "digest"}, Unknown: secret.New(`{"later":1}`),
	}
	now := later(time.Hour, time.Hour, "a")
	renewed := old
	renewed.State, renewed.Cause = credential.Active, ""
	renewed.AccessToken = secret.New("at-2")
	renewed.Received, renewed.RefreshedAt, renewed.HoldOffUntil = now, now.Wall, time.Time{}
	with := func(change func(*credential.Credential)) credential.Credential {
		c := renewed
		change(&c)
		return c
	}

	for _, tt := range []struct {
		name   string
		answer oauth.Token
		want   credential.Credential
	}{
		{"access token alone", oauth.Token{}, renewed},
		{"the same refresh token", oauth.Token{RefreshToken: secret.New("rt-1")}, renewed}, // R18
		{"a rotated refresh token of unknown end", oauth.Token{RefreshToken: secret.New("rt-2")}, with(func(c *credential.Credential) {
			c.RefreshToken, c.RefreshExpiresAt = secret.New("rt-2"), time.Time{}
		})},
		{"a refresh token that ends", oauth.Token{RefreshToken: secret.New("rt-2"), RefreshLifetime: 9 * time.Hour}, with(func(c *credential.Credential) {
			c.RefreshToken, c.RefreshExpiresAt = secret.New("rt-2"), now.Wall.Add(9*time.Hour)
		})},
		{"everything", oauth.Token{
			IDToken: secret.New("id-2"), Type: "DPoP", Scopes: []string{"b"}, Lifetime: time.Minute,
			ResourceURL: "https://eu.api.test", Extra: secret.New(`{"team":"y","new":[1]}`),
		}, with(func(c *credential.Credential) {
			c.IDToken, c.TokenType, c.Scopes, c.Lifetime = secret.New("id-2"), "DPoP", []string{"b"}, time.Minute
			c.ResourceURL, c.Extra = "https://eu.api.test", secret.New(`{"keep":1,"new":[1],"team":"y"}`)
		})},
	} {
		tt.answer.AccessToken = secret.New("at-2")
		if diff := cmp.Diff(tt.want, merge(old, &tt.answer, now)); diff != "" {
			t.Errorf("%s: merge (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestMergeExtra(t *testing.T) {
	for _, tt := range []struct{ old, newer, want string }{
		{"", "", ""},
		{`{"a":1}`, "", `{"a":1}`},
		{"", `{"a":1}`, `{"a":1}`},
		{`{"a":1,"b":2}`, `{"b":{"c":3}}`, `{"a":1,"b":{"c":3}}`},
		{`{"n":12345678901234567890.5}`, `{"b":1}`, `{"b":1,"n":12345678901234567890.5}`},
		{`null`, `{"b":1}`, `{"b":1}`},
		{`{"a":1}`, `[]`, `{"a":1}`},
		{`broken`, `{"b":1}`, `{"b":1}`},
	} {
		if got := mergeExtra(secret.New(tt.old), secret.New(tt.newer)).Reveal(); got != tt.want {
			t.Errorf("mergeExtra(%s, %s) = %s, want %s", tt.old, tt.newer, got, tt.want)
		}
	}
}

// Members that are new with each answer must not add up for ever.
func TestMergedExtraIsBounded(t *testing.T) {
	half := strings.Repeat("x", oauth.MaxExtra/2)
	old := credential.Credential{Extra: secret.New(`{"a":"` + half + `"}`)}
	newer := secret.New(`{"b":"` + half + `"}`)
	if got := merge(old, &oauth.Token{Extra: newer}, received).Extra; !got.Equal(newer) {
		t.Errorf("merged Extra has %d bytes, want the newer one alone", got.Len())
	}
}
