package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/usherauth/usher/internal/safetext"
)

// Endpoints are the addresses of one authorization server. Each may be empty; a call that needs a missing one fails
// with KindConfig.
type Endpoints struct {
	// Issuer is the server's identifier (RFC 8414 section 2), compared as an exact string.
	Issuer string
	// DeviceAuthorization is the device authorization endpoint (RFC 8628 section 3.1).
	DeviceAuthorization string
	// Authorization is the authorization endpoint (RFC 6749 section 3.1), opened by a person's browser.
	Authorization string
	// Token is the token endpoint (RFC 6749 section 3.2).
	Token string
	// Revocation is the revocation endpoint (RFC 7009 section 2).
	Revocation string
	// Userinfo is the userinfo endpoint (OpenID Connect Core section 5.3).
	Userinfo string
	// RequireISS: the metadata advertised authorization_response_iss_parameter_supported, so an authorization
	// response without iss is refused (RFC 9207 section 2.4).
	RequireISS bool
}

// Validate reports the first endpoint that may not be used: each is an absolute https URL (http to a loopback host) with
// neither fragment nor user information; the issuer has no query either. Empty ones are fine.
func (e Endpoints) Validate() error {
	if e.Issuer != "" {
		if err := checkIssuer(e.Issuer); err != nil {
			return err
		}
	}
	for _, p := range []struct{ name, raw string }{
		{"device authorization", e.DeviceAuthorization},
		{"authorization", e.Authorization},
		{"token", e.Token},
		{"revocation", e.Revocation},
		{"userinfo", e.Userinfo},
	} {
		if p.raw == "" {
			continue
		}
		if err := checkEndpoint(p.name, p.raw); err != nil {
			return err
		}
	}
	return nil
}

// checkEndpoint holds raw to the rules of RFC 6749 sections 3.1 and 3.2: TLS and no fragment.
func checkEndpoint(name, raw string) error { return checkURL(name+" endpoint", raw) }

func checkURL(name, raw string) error {
	if raw == "" {
		return fmt.Errorf("%s is not configured", name)
	}
	if _, err := safetext.URL(raw); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if strings.Contains(raw, "#") {
		return fmt.Errorf("%s: link has a fragment", name)
	}
	return nil
}

// checkIssuer holds raw to RFC 8414 section 2: https, no query, no fragment.
func checkIssuer(raw string) error {
	if err := checkURL("issuer", raw); err != nil {
		return err
	}
	if strings.Contains(raw, "?") {
		return errors.New("issuer: link has a query")
	}
	return nil
}

// checkResource holds a resource indicator to RFC 8707 section 2: an absolute URI without a fragment.
func checkResource(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() || strings.Contains(raw, "#") {
		return errors.New("resource must be an absolute URI without a fragment")
	}
	return nil
}
