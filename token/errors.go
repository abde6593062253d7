package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
)

var (
	// ErrBusy: another process is renewing, its lock was not obtained in time,
	// and no usable token is left meanwhile. It comes with the reason why the
	// waiting ended.
	ErrBusy = errors.New("another process is renewing the token")
	// ErrClosed: the manager is closed.
	ErrClosed = errors.New("token manager is closed")
	// ErrProviderChanged is for [Config].ClientSecret to return when issuer or
	// client id of the configuration are no longer those of the credential's
	// binding. The credential then needs a login, until they match again.
	ErrProviderChanged = errors.New("provider has changed since the login")
)

// LoginNeededError: only a person can help.
type LoginNeededError struct {
	Key credential.Key
	// Cause is why; empty if NeverLoggedIn.
	Cause credential.Cause
	// NeverLoggedIn: there is no credential, because nobody logged in or
	// somebody logged out.
	NeverLoggedIn bool
}

func (e *LoginNeededError) Error() string {
	if e.NeverLoggedIn {
		return fmt.Sprintf("%s: not logged in", e.Key)
	}
	return fmt.Sprintf("%s: login needed (%s)", e.Key, e.Cause)
}

// RefreshError: the provider could not be reached, or answered something that
// is no decision about the credential, and nothing usable is left. The
// credential is as it was.
type RefreshError struct {
	Key credential.Key
	// RetryAt is before when trying again is pointless, because reads until
	// then answer with this error; zero for at once.
	RetryAt time.Time
	// Err holds an *oauth.Error if the provider was asked.
	Err error
}

func (e *RefreshError) Error() string {
	text := fmt.Sprintf("refreshing %s: %v", e.Key, e.Err)
	if code := oauth.CodeOf(e.Err); code != "" {
		text = fmt.Sprintf("refreshing %s: provider refused: %s", e.Key, code)
	}
	if !e.RetryAt.IsZero() {
		text += "; next try at " + e.RetryAt.UTC().Format(time.RFC3339)
	}
	return text
}

func (e *RefreshError) Unwrap() error { return e.Err }
