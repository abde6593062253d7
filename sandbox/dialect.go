package sandbox

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Dialect names a provider whose paths, answer shapes and error statuses the
// sandbox speaks. Discovery, pages and admin routes are the same in all.
type Dialect string

// The dialects.
const (
	// DialectStandard is what the RFCs say.
	DialectStandard Dialect = "standard"
	// DialectQwen is Qwen's: /api/v1/oauth2/device/code and
	// /api/v1/oauth2/token, no interval in the device answer, PKCE required,
	// HTTP 429 with slow_down, status and resource_url beside the tokens.
	DialectQwen Dialect = "qwen"
	// DialectGitHub is GitHub's: /login/device/code and
	// /login/oauth/access_token, errors with HTTP 200, form-encoded answers
	// unless JSON is asked for, commas between scopes, own error codes.
	DialectGitHub Dialect = "github"
)

// dialect is a Dialect as data.
type dialect struct {
	devicePath, tokenPath, pagePath string

	accessPrefix, refreshPrefix string
	tokenType                   string
	scopeSeparator              string

	completeURI     bool // answers verification_uri_complete
	tellInterval    bool // answers interval
	requirePKCE     bool // wants a code challenge in the device grant
	formByDefault   bool // form-encoded unless Accept names JSON
	errorsAre200    bool // errors come with HTTP 200
	slowDownIs429   bool
	slowDownTells   bool // slow_down carries the new interval
	statusSuccess   bool // token answers carry "status":"success"
	resourceURL     bool // token answers carry resource_url
	idToken         bool // issues id tokens
	expiresOnDemand bool // tokens stay unless Config.TokenLifetime is set
	gitHubCodes     bool // invalid_grant has other names
}

func dialectOf(name Dialect) (dialect, error) {
	d := dialect{
		devicePath: "/device_authorization", tokenPath: "/token", pagePath: "/device",
		accessPrefix: "at_", refreshPrefix: "rt_", tokenType: "Bearer", scopeSeparator: " ",
		completeURI: true, tellInterval: true, idToken: true,
	}
	switch orDefault(name, DialectStandard) {
	case DialectStandard:
	case DialectQwen:
		d.devicePath, d.tokenPath = "/api/v1/oauth2/device/code", "/api/v1/oauth2/token"
		d.tellInterval, d.requirePKCE, d.idToken = false, true, false
		d.slowDownIs429, d.statusSuccess, d.resourceURL = true, true, true
	case DialectGitHub:
		d.devicePath, d.tokenPath, d.pagePath = "/login/device/code", "/login/oauth/access_token", "/login/device"
		d.accessPrefix, d.refreshPrefix, d.tokenType, d.scopeSeparator = "gho_", "ghr_", "bearer", ","
		d.completeURI, d.idToken, d.formByDefault = false, false, true
		d.errorsAre200, d.slowDownTells, d.expiresOnDemand, d.gitHubCodes = true, true, true, true
	default:
		return dialect{}, fmt.Errorf("dialect %q: want standard, qwen or github", name)
	}
	return d, nil
}

// errorCode is the dialect's word for an OAuth error code at an endpoint.
func (d dialect) errorCode(endpoint, code string) string {
	if !d.gitHubCodes {
		return code
	}
	switch {
	case code == errInvalidClient:
		return "incorrect_client_credentials"
	case code != errInvalidGrant:
		return code
	case endpoint == endpointTokenDevice:
		return "incorrect_device_code"
	case endpoint == endpointTokenRefresh:
		return "bad_refresh_token"
	case endpoint == endpointTokenCode:
		return "bad_verification_code"
	}
	return code
}

// errorStatus is the HTTP status of an OAuth error (RFC 6749 section 5.2).
func (d dialect) errorStatus(code string) int {
	switch {
	case d.errorsAre200:
		return http.StatusOK
	case code == errSlowDown && d.slowDownIs429:
		return http.StatusTooManyRequests
	case code == errInvalidClient:
		return http.StatusUnauthorized
	case code == "server_error":
		return http.StatusInternalServerError
	case code == "temporarily_unavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// encode turns a protocol answer into what this dialect sends to r.
func (d dialect) encode(r *http.Request, status int, v any) answer {
	if d.formByDefault && !acceptsJSON(r) {
		return noStore(answer{status: status, body: formEncode(v)}.typed("application/x-www-form-urlencoded; charset=utf-8"))
	}
	return noStore(jsonAnswer(status, v))
}

func acceptsJSON(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if t, _, err := mime.ParseMediaType(part); err == nil && t == "application/json" {
			return true
		}
	}
	return false
}

// formEncode writes the members of a flat JSON object as a form.
func formEncode(v any) []byte {
	var members map[string]any
	d := json.NewDecoder(strings.NewReader(string(mustJSON(v))))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		panic("sandbox: internal error: " + err.Error())
	}
	form := url.Values{}
	for name, value := range members {
		form.Set(name, fmt.Sprint(value))
	}
	return []byte(form.Encode())
}
