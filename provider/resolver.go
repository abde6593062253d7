package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/usherauth/usher/oauth"
)

// Resolver finds the endpoints of providers and remembers what it discovered.
// The zero Resolver is ready; it must not be copied, and is safe for concurrent
// use. One belongs to one process: what it remembers is in memory only.
type Resolver struct {
	// HTTP makes the requests; nil for [oauth.NewHTTPClient]. No request
	// carries a secret.
	HTTP *http.Client

	cache discoveries
}

// Resolved is what a login needs of a provider beyond its own fields.
type Resolved struct {
	// Endpoints has at least the token endpoint, and where a login can begin:
	// the device authorization or the authorization endpoint, or both.
	Endpoints oauth.Endpoints
	// AuthStyle is how the client authenticates, never empty.
	AuthStyle oauth.AuthStyle
	// Warning says why discovery did not give what it should have, in a case
	// where a login is possible all the same; nil when all is well.
	Warning error
}

// Resolve returns the endpoints of p. Those that are configured win, one by one;
// the others are discovered at p's issuer, if it has one. What was discovered is
// good for an hour; callers at the same time share one request; a failure
// is not remembered. If the issuer cannot be reached or is out of order, what it
// said up to a day ago is used, with a Warning: it is the likeliest answer by
// far, and a login through an address that has moved fails visibly and costs
// nothing. If it answers, be it with an error or as another issuer, it is
// believed.
//
// If the endpoints that a login needs are configured, failing discovery is a
// Warning as well. A provider where no login can begin gives an error that
// matches [ErrNoLoginEndpoint]; errors of discovery are those of
// [oauth.Discover].
func (r *Resolver) Resolve(ctx context.Context, p Provider) (Resolved, error) {
	resolved := Resolved{Endpoints: p.Endpoints}
	var methods []string
	if p.Issuer != "" {
		m, warning, err := r.cache.get(ctx, r.HTTP, p.Issuer)
		if err != nil {
			sufficient := canBegin(p.Endpoints) && p.Endpoints.Token != ""
			if !sufficient || ctx.Err() != nil || errors.Is(err, oauth.ErrIssuer) {
				return Resolved{}, fmt.Errorf("provider %s: %w", p.Name, err)
			}
			warning = fmt.Errorf("using the configured endpoints alone: %w", err)
		} else {
			resolved.Endpoints = complete(p.Endpoints, m.Endpoints())
			methods = m.TokenAuthMethods
		}
		if warning != nil {
			resolved.Warning = fmt.Errorf("provider %s: %w", p.Name, warning)
		}
	}
	if !canBegin(resolved.Endpoints) {
		return Resolved{}, fmt.Errorf("provider %s has %w, configured or published by its issuer", p.Name, ErrNoLoginEndpoint)
	}
	if err := resolved.Endpoints.Validate(); err != nil {
		return Resolved{}, fmt.Errorf("provider %s: %w", p.Name, err)
	}
	resolved.AuthStyle = p.authStyle(methods)
	return resolved, nil
}

func canBegin(e oauth.Endpoints) bool { return e.DeviceAuthorization != "" || e.Authorization != "" }

// complete is configured with what it leaves open taken from discovered.
func complete(configured, discovered oauth.Endpoints) oauth.Endpoints {
	for _, e := range []struct {
		to   *string
		from string
	}{
		{&discovered.DeviceAuthorization, configured.DeviceAuthorization},
		{&discovered.Authorization, configured.Authorization},
		{&discovered.Token, configured.Token},
		{&discovered.Revocation, configured.Revocation},
		{&discovered.Userinfo, configured.Userinfo},
	} {
		if e.from != "" {
			*e.to = e.from
		}
	}
	return discovered
}

// authStyle decides as the field AuthStyle says; methods is what the server's
// metadata lists (token_endpoint_auth_methods_supported), nil if there is none.
func (p Provider) authStyle(methods []string) oauth.AuthStyle {
	switch {
	case p.AuthStyle != "":
		return p.AuthStyle
	case p.ClientSecretFile == "":
		return oauth.AuthNone
	case slices.Contains(methods, "client_secret_post") && !slices.Contains(methods, "client_secret_basic"):
		return oauth.AuthPost
	}
	return oauth.AuthBasic
}
