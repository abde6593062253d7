package oauth

import "fmt"

// AuthStyle is how a client authenticates at the token, device authorization and revocation endpoints (RFC 6749
// section 2.3). It is stated, never probed: a probe sends one-time codes and refresh tokens twice.
type AuthStyle string

const (
	// AuthNone: a public client; client_id goes in the body. The empty style means the same.
	AuthNone AuthStyle = "none"
	// AuthPost: client_id and client_secret go in the body (client_secret_post).
	AuthPost AuthStyle = "post"
	// AuthBasic: both go in the Authorization header, form-encoded first (client_secret_basic, section 2.3.1).
	AuthBasic AuthStyle = "basic"
)

// ParseAuthStyle returns the style named s: none, post or basic; the empty string is none.
func ParseAuthStyle(s string) (AuthStyle, error) {
	switch style := AuthStyle(s); style {
	case "":
		return AuthNone, nil
	case AuthNone, AuthPost, AuthBasic:
		return style, nil
	}
	return "", fmt.Errorf("unknown auth style %q: want none, post or basic", s)
}

// Dialect names a set of known deviations from the RFCs. Quirks that are harmless to accept from anybody (errors with
// status 200, form-encoded answers, numbers in strings, verification_url, slow_down with status 429) need no dialect.
type Dialect string

const (
	// DialectStandard follows the RFCs, with PKCE in the device grant, which servers that do not know it ignore.
	// The empty dialect means the same.
	DialectStandard Dialect = "standard"
	// DialectQwen is chat.qwen.ai: an x-request-id on the device authorization request, and a pending poll that is
	// answered with status 200 and {"status":"pending"}.
	DialectQwen Dialect = "qwen"
	// DialectGitHub is github.com: no PKCE in the device grant, no client authentication at the device
	// authorization endpoint, scopes in an answer separated by commas.
	DialectGitHub Dialect = "github"
)

// Dialects returns the known dialects, the standard one first.
func Dialects() []Dialect { return []Dialect{DialectStandard, DialectQwen, DialectGitHub} }

// ParseDialect returns the dialect named s; the empty string is DialectStandard.
func ParseDialect(s string) (Dialect, error) {
	if s == "" {
		return DialectStandard, nil
	}
	for _, d := range Dialects() {
		if s == string(d) {
			return d, nil
		}
	}
	return "", fmt.Errorf("unknown dialect %q: want one of %v", s, Dialects())
}

// traits are the decisions that a dialect makes.
type traits struct {
	devicePKCE      bool // the device grant carries a code challenge and verifier
	deviceAuth      bool // the device authorization request is authenticated (RFC 8628 section 3.1)
	requestID       bool // the device authorization request carries an x-request-id
	pendingByStatus bool // a poll may be answered 200 {"status":"pending"}
	commaScopes     bool // an answer may separate scopes by commas
}

func (d Dialect) traits() (traits, error) {
	switch d {
	case "", DialectStandard:
		return traits{devicePKCE: true, deviceAuth: true}, nil
	case DialectQwen:
		return traits{devicePKCE: true, deviceAuth: true, requestID: true, pendingByStatus: true}, nil
	case DialectGitHub:
		return traits{commaScopes: true}, nil
	}
	return traits{}, fmt.Errorf("unknown dialect %q", string(d))
}
