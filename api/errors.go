package api

import (
	"errors"
	"fmt"
	"net/http"
)

// Code is a stable, machine readable error code.
type Code string

// The error codes. Each has one HTTP status and one exit code, see [Code.Status]
// and [Code.Exit].
const (
	CodeInvalidRequest     Code = "invalid_request"
	CodeInvalidKey         Code = "invalid_key"
	CodeUnknownProvider    Code = "unknown_provider"
	CodeProviderIncomplete Code = "provider_incomplete"
	CodeUnsupportedMethod  Code = "unsupported_method"
	CodeProviderMismatch   Code = "provider_changed"

	CodeLoginNeeded    Code = "login_needed"
	CodeLoginNotFound  Code = "login_not_found"
	CodeTooManyLogins  Code = "too_many_logins"
	CodeLoginPending   Code = "login_pending"
	CodeLoginEnded     Code = "login_ended"
	CodeStateMismatch  Code = "state_mismatch"
	CodeIssuerMismatch Code = "issuer_mismatch"
	CodeAccessDenied   Code = "access_denied"
	CodeExpired        Code = "expired_token"
	CodeInvalidGrant   Code = "invalid_grant"
	CodeCancelled      Code = "cancelled"
	CodeSuperseded     Code = "superseded"
	CodeLostSuccess    Code = "lost_success"
	CodeRevocationLost Code = "revocation_failed"

	CodeProviderUnreachable Code = "provider_unreachable"
	CodeProviderRefused     Code = "provider_refused"
	CodeRefreshBusy         Code = "refresh_busy"
	CodeStoreFailure        Code = "store_failure"
	CodeConflict            Code = "conflict"

	CodeUnauthorized      Code = "unauthorized"
	CodeTokenRequired     Code = "token_required"
	CodeForbiddenHost     Code = "forbidden_host"
	CodeForbiddenOrigin   Code = "forbidden_origin"
	CodeNotFound          Code = "not_found"
	CodeMethodNotAllowed  Code = "method_not_allowed"
	CodeBodyTooLarge      Code = "body_too_large"
	CodeUnsupportedMedia  Code = "unsupported_media_type"
	CodeDaemonMismatch    Code = "daemon_mismatch"
	CodeDaemonStopping    Code = "daemon_stopping"
	CodeDaemonRunning     Code = "daemon_running"
	CodeDaemonUnreachable Code = "daemon_unreachable"
	CodeTooManyStreams    Code = "too_many_streams"
	CodeNotInitiator      Code = "not_initiator"
	CodeRateLimited       Code = "rate_limit_exceeded"
	CodeTimeout           Code = "timeout"
	CodeInterrupted       Code = "interrupted"
	CodeInternal          Code = "internal"
)

// The exit codes of the command line.
const (
	ExitOK          = 0
	ExitError       = 1
	ExitUsage       = 2
	ExitLoginNeeded = 3
	ExitDenied      = 4
	ExitExpired     = 5
	ExitUnreachable = 6
	ExitStore       = 7
	ExitPending     = 8
	ExitInterrupted = 130
)

// codes is the one mapping of error codes to HTTP statuses and exit codes.
var codes = map[Code]struct{ status, exit int }{
	CodeInvalidRequest:     {http.StatusBadRequest, ExitUsage},
	CodeInvalidKey:         {http.StatusBadRequest, ExitUsage},
	CodeUnknownProvider:    {http.StatusNotFound, ExitUsage},
	CodeProviderIncomplete: {http.StatusConflict, ExitUsage},
	CodeUnsupportedMethod:  {http.StatusConflict, ExitUsage},
	CodeProviderMismatch:   {http.StatusConflict, ExitLoginNeeded},

	CodeLoginNeeded:    {http.StatusConflict, ExitLoginNeeded},
	CodeLoginNotFound:  {http.StatusNotFound, ExitError},
	CodeTooManyLogins:  {http.StatusConflict, ExitError},
	CodeLoginPending:   {http.StatusConflict, ExitPending},
	CodeLoginEnded:     {http.StatusConflict, ExitError},
	CodeStateMismatch:  {http.StatusBadRequest, ExitUsage},
	CodeIssuerMismatch: {http.StatusBadRequest, ExitError},
	CodeAccessDenied:   {http.StatusForbidden, ExitDenied},
	CodeExpired:        {http.StatusGone, ExitExpired},
	CodeInvalidGrant:   {http.StatusBadGateway, ExitError},
	CodeCancelled:      {http.StatusConflict, ExitError},
	CodeSuperseded:     {http.StatusConflict, ExitError},
	CodeLostSuccess:    {http.StatusBadGateway, ExitError},
	CodeRevocationLost: {http.StatusBadGateway, ExitError},

	CodeProviderUnreachable: {http.StatusBadGateway, ExitUnreachable},
	CodeProviderRefused:     {http.StatusBadGateway, ExitError},
	CodeRefreshBusy:         {http.StatusServiceUnavailable, ExitError},
	CodeStoreFailure:        {http.StatusInternalServerError, ExitStore},
	CodeConflict:            {http.StatusConflict, ExitError},

	CodeUnauthorized:      {http.StatusUnauthorized, ExitError},
	CodeTokenRequired:     {http.StatusUnauthorized, ExitError},
	CodeForbiddenHost:     {http.StatusForbidden, ExitError},
	CodeForbiddenOrigin:   {http.StatusForbidden, ExitError},
	CodeNotFound:          {http.StatusNotFound, ExitError},
	CodeMethodNotAllowed:  {http.StatusMethodNotAllowed, ExitError},
	CodeBodyTooLarge:      {http.StatusRequestEntityTooLarge, ExitError},
	CodeUnsupportedMedia:  {http.StatusUnsupportedMediaType, ExitError},
	CodeDaemonMismatch:    {http.StatusConflict, ExitUsage},
	CodeDaemonStopping:    {http.StatusServiceUnavailable, ExitError},
	CodeDaemonRunning:     {http.StatusConflict, ExitError},
	CodeDaemonUnreachable: {http.StatusBadGateway, ExitError},
	CodeTooManyStreams:    {http.StatusTooManyRequests, ExitError},
	CodeNotInitiator:      {http.StatusForbidden, ExitError},
	CodeRateLimited:       {http.StatusTooManyRequests, ExitError},
	CodeTimeout:           {http.StatusGatewayTimeout, ExitError},
	CodeInterrupted:       {499, ExitInterrupted},
	CodeInternal:          {http.StatusInternalServerError, ExitError},
}

// Codes returns every error code, in no particular order.
func Codes() []Code {
	out := make([]Code, 0, len(codes))
	for c := range codes {
		out = append(out, c)
	}
	return out
}

// Status is the HTTP status of c; 500 for an unknown code.
func (c Code) Status() int {
	if m, ok := codes[c]; ok {
		return m.status
	}
	return http.StatusInternalServerError
}

// Exit is the exit code of c; 1 for an unknown code.
func (c Code) Exit() int {
	if m, ok := codes[c]; ok {
		return m.exit
	}
	return ExitError
}

// Error is the one error type of usher's surfaces. The server writes it, the
// client returns it, the command line turns it into text and an exit code.
// Message and Hint are our own words: provider text never gets here
// unsanitised and secrets never at all.
type Error struct {
	// Status is the HTTP status, 0 if no HTTP was involved.
	Status int
	Code   Code
	// Kind is the errorKind of the compatible surface, or the cause of a
	// needed login; often empty.
	Kind string
	// Route is the route pattern that answered; empty in process.
	Route string
	// Message says what happened, lower case, without a final period.
	Message string
	// Hint says what to do next, as one line; may be empty.
	Hint string
	// Err is the cause within this process; it is not sent anywhere.
	Err error
}

// Errorf makes an [Error] with code c. A %w verb becomes its cause.
func Errorf(c Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: c, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// WithHint returns e with the hint set.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) Error() string {
	switch {
	case e.Message != "":
		return e.Message
	case e.Status != 0:
		return fmt.Sprintf("HTTP %d %s", e.Status, e.Code)
	default:
		return string(e.Code)
	}
}

// Unwrap returns the cause within this process.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an [Error] with the same code, which is what
// makes the sentinels of this package work with errors.Is.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Sentinels for errors.Is. They match every [Error] of their code.
var (
	ErrLoginNeeded         = &Error{Code: CodeLoginNeeded}
	ErrLoginNotFound       = &Error{Code: CodeLoginNotFound}
	ErrLoginPending        = &Error{Code: CodeLoginPending}
	ErrAccessDenied        = &Error{Code: CodeAccessDenied}
	ErrExpired             = &Error{Code: CodeExpired}
	ErrCancelled           = &Error{Code: CodeCancelled}
	ErrTooManyLogins       = &Error{Code: CodeTooManyLogins}
	ErrUnknownProvider     = &Error{Code: CodeUnknownProvider}
	ErrProviderIncomplete  = &Error{Code: CodeProviderIncomplete}
	ErrProviderUnreachable = &Error{Code: CodeProviderUnreachable}
	ErrStoreFailure        = &Error{Code: CodeStoreFailure}
	ErrUnauthorized        = &Error{Code: CodeUnauthorized}
	ErrInvalidKey          = &Error{Code: CodeInvalidKey}
	ErrInvalidRequest      = &Error{Code: CodeInvalidRequest}
	ErrLoginEnded          = &Error{Code: CodeLoginEnded}
	ErrStateMismatch       = &Error{Code: CodeStateMismatch}
	ErrIssuerMismatch      = &Error{Code: CodeIssuerMismatch}
)

// AsError returns err as an [Error]: itself if it is one, else one with
// [CodeInternal] around it. A nil err gives nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: err.Error(), Err: err}
}

// Problem is the RFC 9457 body of a native error.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   Code   `json:"code"`
	Kind   string `json:"kind,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// ProblemType is the media type of a [Problem].
const ProblemType = "application/problem+json"

// Problem returns e as the body of an answer.
func (e *Error) Problem() Problem {
	status := e.Code.Status()
	return Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: e.Message, Code: e.Code, Kind: e.Kind, Hint: e.Hint,
	}
}
