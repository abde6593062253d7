package sandbox

import (
	"encoding/json"
	"net/http"
)

// OAuth error codes the server itself answers with.
const (
	errInvalidRequest       = "invalid_request"
	errInvalidClient        = "invalid_client"
	errInvalidGrant         = "invalid_grant"
	errInvalidScope         = "invalid_scope"
	errUnsupportedGrant     = "unsupported_grant_type"
	errUnsupportedResponse  = "unsupported_response_type"
	errAuthorizationPending = "authorization_pending"
	errSlowDown             = "slow_down"
	errAccessDenied         = "access_denied"
	errExpiredToken         = "expired_token"
	errInvalidToken         = "invalid_token"
	errInsufficientScope    = "insufficient_scope"
)

// answer is what a handler decided. It is a value, written by one function at
// the end, so that a fault can still change, cut or swallow it.
type answer struct {
	status int
	header http.Header
	body   []byte
	repeat *Repeat // follows the body; faults only

	outcome string // for the record: a word such as "issued" or an OAuth error code
	early   bool   // a poll before its interval had passed
	reuse   bool   // a spent code or refresh token was presented
	hangUp  bool   // close the connection, answer nothing
}

// with returns a with a header set.
func (a answer) with(name, value string) answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(name, value)
	return a
}

func (a answer) typed(contentType string) answer { return a.with("Content-Type", contentType) }

func (a answer) as(outcome string) answer {
	a.outcome = outcome
	return a
}

// noStore keeps an answer with codes or tokens out of caches (RFC 6749 section 5.1).
func noStore(a answer) answer { return a.with("Cache-Control", "no-store").with("Pragma", "no-cache") }

func jsonAnswer(status int, v any) answer {
	return answer{status: status, body: mustJSON(v), outcome: "ok"}.typed("application/json")
}

// mustJSON encodes one of our own wire types, which cannot fail.
func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("sandbox: internal error: " + err.Error())
	}
	return data
}

// oauthError is the error answer of RFC 6749 section 5.2.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	Interval    int    `json:"interval,omitempty"` // GitHub's slow_down
}

// refuse answers a protocol request with an OAuth error.
func (s *Server) refuse(c *call, code, description string) answer {
	e := oauthError{Error: s.dialect.errorCode(c.endpoint, code), Description: description}
	return s.dialect.encode(c.r, s.dialect.errorStatus(code), e).as(code)
}

// plainError answers what is wrong before OAuth begins: a path, a method, a size.
func plainError(status int, text string) answer {
	return jsonAnswer(status, map[string]string{"error": text}).as("refused")
}
