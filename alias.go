package usher

import "github.com/usherauth/usher/api"

// What the daemon answers with and is asked with. See package api for the
// fields; the JSON of the command line is the same.
type (
	// Error is every failure of this package: HTTP status, code, kind and route.
	Error = api.Error
	// Code is the stable code of an [Error].
	Code = api.Code

	Token         = api.Token
	TokenRequest  = api.TokenRequest
	Credential    = api.Credential
	Logout        = api.Logout
	LogoutRequest = api.LogoutRequest
	Provider      = api.Provider
	Event         = api.Event
	// LoginState is what the daemon tells about a login; [Login] is the handle.
	LoginState    = api.Login
	StartLogin    = api.StartLogin
	CompleteLogin = api.CompleteLogin
	Failure       = api.Failure
	AuthStatus    = api.AuthStatus
	Capabilities  = api.Capabilities

	// Session and SessionEvent are of the compatible surface.
	Session      = api.Session
	SessionEvent = api.SessionEvent
)

// Sentinels for errors.Is. They match every [Error] of their code.
var (
	ErrLoginNeeded         = api.ErrLoginNeeded
	ErrLoginNotFound       = api.ErrLoginNotFound
	ErrLoginPending        = api.ErrLoginPending
	ErrAccessDenied        = api.ErrAccessDenied
	ErrExpired             = api.ErrExpired
	ErrCancelled           = api.ErrCancelled
	ErrTooManyLogins       = api.ErrTooManyLogins
	ErrUnknownProvider     = api.ErrUnknownProvider
	ErrProviderIncomplete  = api.ErrProviderIncomplete
	ErrProviderUnreachable = api.ErrProviderUnreachable
	ErrStoreFailure        = api.ErrStoreFailure
	ErrUnauthorized        = api.ErrUnauthorized
	ErrInvalidKey          = api.ErrInvalidKey
	ErrInvalidRequest      = api.ErrInvalidRequest
	ErrLoginEnded          = api.ErrLoginEnded
	ErrStateMismatch       = api.ErrStateMismatch
	ErrIssuerMismatch      = api.ErrIssuerMismatch

	// ErrDaemonUnreachable is a daemon that does not answer, or something
	// else that answers in its place.
	ErrDaemonUnreachable = &Error{Code: api.CodeDaemonUnreachable}
)
