// Package oauth2adapter lets programs that are built on golang.org/x/oauth2
// take their tokens from the usher daemon. Start with [TokenSource]:
//
//	client := oauth2.NewClient(ctx, oauth2adapter.TokenSource(ctx, c, "github"))
//
// The program then holds no refresh token and stores nothing; x/oauth2 is used
// for its interfaces alone and makes no token request.
package oauth2adapter

import (
	"context"
	"strings"

	"golang.org/x/oauth2"

	"github.com/usherauth/usher"
)

// TokenSource returns a source of the access tokens of key. Each call of its
// Token asks the daemon, which answers from memory unless a refresh is due; ctx
// bounds all of these calls. oauth2.NewClient and oauth2.ReuseTokenSource keep a
// token until ten seconds before its Expiry, and a token without one for good.
//
// Errors are [usher.Error]s; errors.Is(err, usher.ErrLoginNeeded) also works
// through the http.Client. The token's extra fields "scope" and "base_url" say
// what it is for, and where to use it, if the daemon knows.
//
// It is safe for concurrent use.
func TokenSource(ctx context.Context, c *usher.Client, key string) oauth2.TokenSource {
	return &source{ctx, c, key}
}

// source holds a context because the interface it implements has no room for one.
type source struct {
	ctx    context.Context
	client *usher.Client
	key    string
}

// Token implements [oauth2.TokenSource].
func (s *source) Token() (*oauth2.Token, error) {
	t, err := s.client.Token(s.ctx, usher.TokenRequest{Key: s.key})
	if err != nil {
		return nil, err
	}
	out := &oauth2.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, Expiry: t.ExpiresAt}
	extra := map[string]any{}
	if len(t.Scopes) > 0 {
		extra["scope"] = strings.Join(t.Scopes, " ")
	}
	if t.BaseURL != "" {
		extra["base_url"] = t.BaseURL
	}
	return out.WithExtra(extra), nil
}
