package sandbox

import "net/http"

const (
	wellKnownOAuth  = "/.well-known/oauth-authorization-server" // RFC 8414 section 3
	wellKnownOpenID = "/.well-known/openid-configuration"
)

// metadata is the authorization server metadata (RFC 8414 section 2, with
// RFC 8628 section 4, RFC 9207 section 3 and what OpenID Connect adds).
type metadata struct {
	Issuer                string   `json:"issuer"`
	Authorization         string   `json:"authorization_endpoint"`
	Token                 string   `json:"token_endpoint"`
	DeviceAuthorization   string   `json:"device_authorization_endpoint,omitempty"`
	Revocation            string   `json:"revocation_endpoint"`
	Userinfo              string   `json:"userinfo_endpoint"`
	JWKS                  string   `json:"jwks_uri"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	Scopes                []string `json:"scopes_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	IDTokenAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	TellsIssuer           bool     `json:"authorization_response_iss_parameter_supported"`
}

// discovery answers both well-known paths with the same document.
func (s *Server) discovery(*call) answer {
	authMethods := []string{"none", "client_secret_post", "client_secret_basic"}
	m := metadata{
		Issuer:                s.Issuer(),
		Authorization:         s.URL("/authorize"),
		Token:                 s.TokenURL(),
		DeviceAuthorization:   s.DeviceURL(),
		Revocation:            s.URL("/revoke"),
		Userinfo:              s.URL("/userinfo"),
		JWKS:                  s.URL("/jwks"),
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query"},
		GrantTypes:            []string{grantDeviceCode, grantAuthorizationCode, grantRefreshToken},
		TokenAuthMethods:      authMethods,
		RevocationAuthMethods: authMethods,
		ChallengeMethods:      []string{"S256"},
		Scopes:                []string{"openid", "profile", "email", "offline_access"},
		SubjectTypes:          []string{"public"},
		IDTokenAlgorithms:     []string{"ES256"},
		TellsIssuer:           true,
	}
	if s.cfg.WithoutDevice {
		m.DeviceAuthorization, m.GrantTypes = "", []string{grantAuthorizationCode, grantRefreshToken}
	}
	return jsonAnswer(http.StatusOK, m)
}
