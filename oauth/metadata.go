package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxRedirects is how many redirects a metadata request follows, within one origin.
const maxRedirects = 3

// Metadata is what an authorization server publishes about itself (RFC 8414 section 2, OpenID Connect Discovery
// section 3). Each endpoint passed the rules of Endpoints.Validate or is empty.
type Metadata struct {
	Issuer                      string
	DeviceAuthorizationEndpoint string
	AuthorizationEndpoint       string
	TokenEndpoint               string
	RevocationEndpoint          string
	UserinfoEndpoint            string
	RegistrationEndpoint        string
	JWKSURI                     string
	// GrantTypes is grant_types_supported; authorization_code and implicit if the document does not say.
	GrantTypes []string
	// CodeChallengeMethods is code_challenge_methods_supported; nil if the document does not say.
	CodeChallengeMethods []string
	// TokenAuthMethods is token_endpoint_auth_methods_supported; client_secret_basic if the document does not say.
	TokenAuthMethods []string
	// Scopes is scopes_supported; nil if the document does not say.
	Scopes []string
	// ISSParameterSupported is authorization_response_iss_parameter_supported (RFC 9207 section 3).
	ISSParameterSupported bool
}

// Endpoints returns the endpoints for a Client.
func (m *Metadata) Endpoints() Endpoints {
	return Endpoints{
		Issuer:              m.Issuer,
		DeviceAuthorization: m.DeviceAuthorizationEndpoint,
		Authorization:       m.AuthorizationEndpoint,
		Token:               m.TokenEndpoint,
		Revocation:          m.RevocationEndpoint,
		Userinfo:            m.UserinfoEndpoint,
		RequireISS:          m.ISSParameterSupported,
	}
}

// Discover fetches the metadata of issuer. It asks at the address of RFC 8414 section 3.1 first (the well-known name between
// host and path), then at the two of OpenID Connect (the same way, and appended to the path); a server that has no usable
// document at one is asked at the next, a server that cannot be reached or has a fault is not. The document must name
// exactly this issuer (RFC 8414 section 3.3), else the error wraps ErrIssuer. Signed metadata is not looked at. At most
// three redirects within the same origin are followed. A nil hc means NewHTTPClient.
func Discover(ctx context.Context, hc *http.Client, issuer string) (*Metadata, error) {
	const op = "discovery"
	if err := checkIssuer(issuer); err != nil {
		return nil, configError(op, "%w", err)
	}
	if hc == nil {
		hc = sharedHTTPClient()
	}
	var worst *Error
	for _, link := range wellKnown(issuer) {
		m, err := fetchMetadata(ctx, hc, op, link, issuer)
		if err == nil {
			return m, nil
		}
		switch err.Kind {
		case KindStatus, KindOAuth, KindRedirect, KindMalformed:
		default:
			return nil, err
		}
		// What is wrong with a document tells more than that another one does not exist.
		if worst == nil || worst.Kind != KindMalformed && err.Kind == KindMalformed {
			worst = err
		}
	}
	return nil, worst
}

// wellKnown returns where the metadata of issuer may be, in the order to ask.
func wellKnown(issuer string) []string {
	const oauthName, openIDName = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	bare := strings.TrimSuffix(issuer, "/")
	origin, path := bare, ""
	host := strings.Index(bare, "://") + len("://")
	if i := strings.IndexByte(bare[host:], '/'); i >= 0 {
		origin, path = bare[:host+i], bare[host+i:]
	}
	links := []string{origin + oauthName + path, origin + openIDName + path, bare + openIDName}
	return slices.Compact(links)
}

func fetchMetadata(ctx context.Context, hc *http.Client, op, link, issuer string) (*Metadata, *Error) {
	a, err := get(ctx, hc, op, link)
	if err != nil {
		return nil, err
	}
	if a.readErr != nil {
		return nil, a.readErr
	}
	if a.parseErr != nil {
		return nil, a.malformed(op, a.parseErr)
	}
	m, parseErr := parseMetadata(a.object, issuer)
	if parseErr != nil {
		return nil, a.malformed(op, parseErr)
	}
	return m, nil
}

// get fetches link, following redirects within its origin. It carries nothing secret.
func get(ctx context.Context, hc *http.Client, op, link string) (*answer, *Error) {
	for hop := 0; ; hop++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
		if err != nil {
			return nil, configError(op, "metadata link cannot be parsed")
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("User-Agent", "usher")
		a, sendErr := send(ctx, hc, op, req, false)
		if sendErr != nil {
			return nil, sendErr
		}
		failed := a.failure(op, func(string) bool { return false })
		if failed == nil {
			return a, nil
		}
		next, ok := redirectTarget(req.URL, a)
		if !ok || hop == maxRedirects {
			return nil, failed
		}
		link = next
	}
}

func redirectTarget(from *url.URL, a *answer) (string, bool) {
	switch a.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return "", false
	}
	location := a.header.Get("Location")
	to, err := from.Parse(location)
	if err != nil || location == "" || to.String() == from.String() || !sameOrigin(from.String(), to.String()) {
		return "", false
	}
	return to.String(), checkEndpoint("metadata", to.String()) == nil
}

func parseMetadata(o object, issuer string) (*Metadata, error) {
	m := &Metadata{ISSParameterSupported: o.truth("authorization_response_iss_parameter_supported")}
	var err error
	if m.Issuer, err = o.text("issuer"); err != nil {
		return nil, err
	}
	if m.Issuer != issuer {
		return nil, fmt.Errorf("metadata: %w", ErrIssuer)
	}
	for _, member := range []struct {
		name string
		to   *string
	}{
		{"device_authorization_endpoint", &m.DeviceAuthorizationEndpoint},
		{"authorization_endpoint", &m.AuthorizationEndpoint},
		{"token_endpoint", &m.TokenEndpoint},
		{"revocation_endpoint", &m.RevocationEndpoint},
		{"userinfo_endpoint", &m.UserinfoEndpoint},
		{"registration_endpoint", &m.RegistrationEndpoint},
		{"jwks_uri", &m.JWKSURI},
	} {
		if *member.to, err = o.text(member.name); err != nil {
			return nil, err
		}
		if *member.to == "" {
			continue
		}
		if err := checkEndpoint(strings.TrimSuffix(member.name, "_endpoint"), *member.to); err != nil {
			return nil, err
		}
		// Loopback is somebody else's machine to a server that is not on it.
		if strings.HasPrefix(issuer, "https://") && !strings.HasPrefix(*member.to, "https://") {
			return nil, fmt.Errorf("%s: link must begin with https://, as the issuer does", member.name)
		}
	}
	if m.TokenEndpoint == "" {
		return nil, missing("token_endpoint", nil)
	}
	// Of the lists, what cannot be read counts as not said.
	m.GrantTypes, _ = o.list("grant_types_supported")
	m.CodeChallengeMethods, _ = o.list("code_challenge_methods_supported")
	m.TokenAuthMethods, _ = o.list("token_endpoint_auth_methods_supported")
	m.Scopes, _ = o.list("scopes_supported")
	if m.GrantTypes == nil {
		m.GrantTypes = []string{"authorization_code", "implicit"} // RFC 8414 section 2
	}
	if m.TokenAuthMethods == nil {
		m.TokenAuthMethods = []string{"client_secret_basic"} // RFC 8414 section 2
	}
	return m, nil
}
