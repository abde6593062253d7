package oauth

import (
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/secret"
)

// Outcome is what is known about a request that failed.
type Outcome string

const (
	// NotSent: the request failed before its first byte was written (configuration, dialling, name
	// resolution, TLS). Sending it again is safe.
	NotSent Outcome = "not_sent"
	// Ambiguous: the request was or may have been written and no usable decision came back: a broken connection,
	// an incomplete or unreadable success, a 5xx status, a time-out. The server may have acted on it.
	Ambiguous Outcome = "ambiguous"
	// Answered: the server decided.
	Answered Outcome = "answered"
)

// Kind is the cause of a failure, for choosing what to do and what to tell a person.
type Kind string

const (
	// KindNetwork: the connection could not be made, or broke, or did not speak HTTP.
	KindNetwork Kind = "network"
	// KindTimeout: a deadline passed, the caller's or the transport's.
	KindTimeout Kind = "timeout"
	// KindCanceled: the caller's context was cancelled.
	KindCanceled Kind = "canceled"
	// KindTLS: the server's certificate or handshake was refused.
	KindTLS Kind = "tls"
	// KindStatus: a 4xx status without a usable OAuth error, such as a firewall's page. It decides nothing.
	KindStatus Kind = "status"
	// KindRateLimited: status 429, or Retry-After in an error answer without an OAuth error code.
	KindRateLimited Kind = "rate_limited"
	// KindServer: a 5xx status.
	KindServer Kind = "server"
	// KindMalformed: an answer that could not be understood or used.
	KindMalformed Kind = "malformed"
	// KindRedirect: a 3xx status, which was not followed.
	KindRedirect Kind = "redirect"
	// KindOAuth: the server answered with an OAuth error code, see Error.Code.
	KindOAuth Kind = "oauth"
	// KindConfig: the call itself was wrong (a missing endpoint, a missing client id); nothing was sent.
	KindConfig Kind = "config"
)

// OAuth error codes of RFC 6749 sections 4.1.2.1 and 5.2, RFC 7009 section 2.2.1, RFC 8628 section 3.5 and RFC 8707
// section 2. A server may answer with others.
const (
	ErrorAccessDenied            = "access_denied"
	ErrorAuthorizationPending    = "authorization_pending"
	ErrorExpiredToken            = "expired_token"
	ErrorInvalidClient           = "invalid_client"
	ErrorInvalidGrant            = "invalid_grant"
	ErrorInvalidRequest          = "invalid_request"
	ErrorInvalidScope            = "invalid_scope"
	ErrorInvalidTarget           = "invalid_target"
	ErrorServerError             = "server_error"
	ErrorSlowDown                = "slow_down"
	ErrorTemporarilyUnavailable  = "temporarily_unavailable"
	ErrorUnauthorizedClient      = "unauthorized_client"
	ErrorUnsupportedGrantType    = "unsupported_grant_type"
	ErrorUnsupportedResponseType = "unsupported_response_type"
	ErrorUnsupportedTokenType    = "unsupported_token_type"
)

var (
	// ErrIssuer is wrapped by the error for metadata (RFC 8414 section 3.3) or an authorization response
	// (RFC 9207 section 2.4) that names another issuer than the expected one, or none where one is required.
	ErrIssuer = errors.New("issuer does not match")
	// ErrState is wrapped by the error for an authorization response whose state is not the one that was sent.
	ErrState = errors.New("state does not match")
)

// Error is the one error type of this package. Its text names the operation and what happened, never anything that the
// server chose beyond a checked error code and what the package comment names. It is read-only after it was returned.
type Error struct {
	// Op is the operation, for example "refresh" or "device authorization".
	Op string
	// Outcome is what is known about the request.
	Outcome Outcome
	// Kind is the cause.
	Kind Kind
	// Code is the OAuth error code, or empty. It is set with KindOAuth alone, holds only characters that
	// RFC 6749 section 5.2 allows, without spaces, and at most 64 of them.
	Code string
	// Description is the server's own explanation as one printable line, or empty. It is foreign text: show it as
	// the server's words, or not at all. It is never part of Error.
	Description string
	// Status is the HTTP status, or 0 if there was none.
	Status int
	// RetryAfter is how long the server asks to wait, 1 s to 1 h, or 0 if it does not say.
	RetryAfter time.Duration
	// Body is the raw answer (at most 1 MiB of it) of a token endpoint that reported success without a usable
	// token, so that what it may hold can be salvaged. It is empty otherwise.
	Body secret.String
	// Err is the underlying error, or nil.
	Err error
}

// Error describes the failure in one line.
func (e *Error) Error() string { return e.Op + ": " + e.detail() }

func (e *Error) detail() string {
	switch e.Kind {
	case KindOAuth:
		if e.Status == 0 {
			return "provider answered " + e.Code
		}
		return fmt.Sprintf("provider answered %s (HTTP %d)", e.Code, e.Status)
	case KindStatus:
		return fmt.Sprintf("provider answered HTTP %d without an OAuth error", e.Status)
	case KindRateLimited:
		return fmt.Sprintf("provider limits the rate of requests (HTTP %d)", e.Status)
	case KindServer:
		return fmt.Sprintf("provider has a fault (HTTP %d)", e.Status)
	case KindRedirect:
		return fmt.Sprintf("provider answered with a redirect (HTTP %d), which is not followed", e.Status)
	case KindMalformed:
		if e.Status == 0 {
			return "unusable answer" + e.cause()
		}
		return fmt.Sprintf("unusable answer (HTTP %d)%s", e.Status, e.cause())
	case KindTimeout:
		return "no answer in time" + e.cause()
	case KindCanceled:
		return "cancelled" + e.cause()
	case KindTLS:
		return "securing the connection" + e.cause()
	case KindConfig:
		return "configuration" + e.cause()
	default:
		return "connection" + e.cause()
	}
}

func (e *Error) cause() string {
	if e.Err == nil {
		return ""
	}
	return ": " + safetext.Line(e.Err.Error(), 240)
}

// Unwrap returns the underlying error.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the OAuth error code that err carries, or "".
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// OutcomeOf returns the outcome that err carries: Answered for nil, and Ambiguous for an error that is not of this
// package, because nothing is known then.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Answered
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Ambiguous
}

// configError is the error for a call that cannot be made as it stands.
func configError(op, format string, args ...any) *Error {
	return &Error{Op: op, Outcome: NotSent, Kind: KindConfig, Err: fmt.Errorf(format, args...)}
}
