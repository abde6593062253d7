package oauth

import (
	"context"

	"github.com/usherauth/usher/secret"
)

// Revoke asks the server to revoke token (RFC 7009 section 2.1). The hint is "refresh_token", "access_token" or empty. A
// token that the server does not know counts as revoked (section 2.2), and the body of a success is not read. It makes
// one request; after status 503 the token must be taken to be alive still (section 2.2.1).
func (c *Client) Revoke(ctx context.Context, token secret.String, hint string) error {
	x := &call{op: "revocation", name: "revocation", endpoint: c.Endpoints.Revocation, statusOnly: true}
	x.form.addSecret("token", token)
	x.form.add("token_type_hint", hint)
	c.identify(x)
	if token.IsZero() {
		return configError(x.op, "token is empty")
	}
	_, err := c.do(ctx, x)
	return err
}
