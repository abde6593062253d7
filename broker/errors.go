package broker

import (
	"context"
	"errors"
	"strings"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/conffile"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/token"
)

// loginError is the error for the login called id.
func loginError(err error, id string) *api.Error {
	if errors.Is(err, credential.ErrNotFound) {
		return api.Errorf(api.CodeLoginNotFound, "no login %q", id).
			WithHint("logins are forgotten %d minutes after they ended", int(login.Grace.Minutes()))
	}
	return apiError(err, "")
}

// apiError maps every error of the domain to the one error of the surfaces.
// key is the key that was asked for, as given, for the words.
func apiError(err error, key string) *api.Error {
	var (
		already    *api.Error
		needed     *token.LoginNeededError
		refresh    *token.RefreshError
		incomplete *provider.IncompleteError
		file       *conffile.Error
		protocol   *oauth.Error
		method     *login.MethodError
	)
	switch {
	case errors.As(err, &already):
		return already
	case errors.Is(err, login.ErrClosed), errors.Is(err, token.ErrClosed):
		return api.Errorf(api.CodeDaemonStopping, "%w", err)
	case errors.Is(err, context.Canceled): // whatever it interrupted
		return api.Errorf(api.CodeInterrupted, "interrupted")
	case errors.Is(err, credential.ErrInvalidKey):
		return api.Errorf(api.CodeInvalidKey, "%w", err).
			WithHint("a key is provider or provider/account, such as github or github/work")
	case errors.As(err, &needed):
		return loginNeeded(needed)
	case errors.Is(err, credential.ErrNotFound):
		return loginNeeded(&token.LoginNeededError{Key: keyOf(key), NeverLoggedIn: true})
	case errors.Is(err, provider.ErrUnknown):
		return api.Errorf(api.CodeUnknownProvider, "%w", err).
			WithHint("usher provider list shows them all; usher provider add makes one")
	case errors.As(err, &incomplete):
		return incompleteError(incomplete)
	case errors.As(err, &file):
		return api.Errorf(api.CodeProviderIncomplete, "%w", err).WithHint("correct the file, or remove it")
	case errors.Is(err, token.ErrProviderChanged):
		return api.Errorf(api.CodeProviderMismatch, "the configuration of %s names another client or issuer now", key).
			WithHint("run: usher login %s", key)
	case errors.As(err, &method):
		return methodError(method)
	case errors.Is(err, provider.ErrNoLoginEndpoint):
		return api.Errorf(api.CodeUnsupportedMethod, "%w", err).
			WithHint("if it has one, set its device_authorization_endpoint or authorization_endpoint with usher provider add")
	case errors.Is(err, token.ErrBusy):
		return api.Errorf(api.CodeRefreshBusy, "another process is refreshing %s and has not finished", key).
			WithHint("try again in a moment")
	case errors.As(err, &refresh), errors.As(err, &protocol):
		return providerError(err, key)
	case errors.Is(err, credential.ErrTooManyLogins):
		return api.Errorf(api.CodeTooManyLogins, "too many logins are pending").
			WithHint("finish or cancel one of them, or wait until they expire")
	case errors.Is(err, credential.ErrConflict), errors.Is(err, credential.ErrLoginExists):
		return api.Errorf(api.CodeConflict, "%w", err).WithHint("try again")
	case errors.Is(err, login.ErrProvider):
		return api.Errorf(api.CodeProviderRefused, "%w", err).WithHint("try again later")
	case errors.Is(err, context.DeadlineExceeded):
		return api.Errorf(api.CodeTimeout, "timed out")
	case errors.Is(err, credential.ErrDamaged):
		name := key
		if name == "" { // a list's: the file alone knew which
			name = "KEY"
		}
		return api.Errorf(api.CodeStoreFailure, "%w", err).WithHint("it cannot be repaired; run: usher login %s", name)
	}
	// What is left comes from the store: it names the file, the trouble and
	// what helps.
	return api.Errorf(api.CodeStoreFailure, "%w", err).
		WithHint("nothing was lost; when that is mended, the same command works")
}

func keyOf(text string) credential.Key {
	k, _ := credential.ParseKey(text)
	return k
}

func loginNeeded(e *token.LoginNeededError) *api.Error {
	out := api.Errorf(api.CodeLoginNeeded, "login needed for %s", e.Key).
		WithHint("run: usher login %s", e.Key)
	out.Kind = string(e.Cause)
	switch {
	case e.NeverLoggedIn:
		out.Message = "not logged in to " + e.Key.String()
	case e.Cause == credential.CauseRefused:
		out.Message += ": the provider refused the refresh token"
	case e.Cause == credential.CauseNoRefreshToken:
		out.Message += ": the access token ended and the provider gave no refresh token"
	case e.Cause == credential.CauseAnswerLost:
		out.Message += ": an answer of the provider was lost, and with it the token to refresh with"
	case e.Cause == credential.CauseProviderChanged:
		out.Message += ": its provider's configuration names another client or issuer now"
	}
	return out
}

func incompleteError(e *provider.IncompleteError) *api.Error {
	out := api.Errorf(api.CodeProviderIncomplete, "%w", e)
	flag := "--" + strings.ReplaceAll(e.Missing, "_", "-")
	out.WithHint("run: usher provider add %s %s ...", e.Provider, flag)
	if e.Help != "" {
		out.WithHint("%s\nthen run: usher provider add %s %s ...", e.Help, e.Provider, flag)
	}
	return out
}

// providerError tells what went wrong at the provider, in our own words; of
// the provider's only the error code is told, whose charset is checked.
func providerError(err error, key string) *api.Error {
	provider := key
	if k := keyOf(key); !k.IsZero() {
		provider = k.Provider
	}
	var e *oauth.Error
	if !errors.As(err, &e) {
		return api.Errorf(api.CodeProviderUnreachable, "%w", err).WithHint("try again")
	}
	switch e.Kind {
	case oauth.KindOAuth:
		out := api.Errorf(api.CodeProviderRefused, "%s refused the request with %s", provider, e.Code)
		out.Kind = e.Code
		switch e.Code {
		case oauth.ErrorInvalidClient, oauth.ErrorUnauthorizedClient:
			return out.WithHint("check the client id and how the client authenticates: usher provider show %s", provider)
		case oauth.ErrorInvalidScope:
			return out.WithHint("ask for other scopes with --scope; for those of the provider see: usher provider show %s", provider)
		}
		return out.WithHint("check its settings: usher provider show %s", provider)
	case oauth.KindConfig:
		return api.Errorf(api.CodeProviderIncomplete, "%w", err).WithHint("check: usher provider show %s", provider)
	case oauth.KindServer, oauth.KindRateLimited:
		return api.Errorf(api.CodeProviderUnreachable, "%s cannot answer now: %w", provider, err).
			WithHint("nothing was lost; try again when it can")
	default:
		if unreachable(err) {
			out := api.Errorf(api.CodeProviderUnreachable, "%s could not be reached: %w", provider, err).
				WithHint("nothing was lost; try again when the provider answers")
			if e.Kind == oauth.KindTimeout {
				out.Kind = api.KindTimeout
			}
			return out
		}
		return api.Errorf(api.CodeProviderRefused, "%s gave an answer that is not OAuth: %w", provider, err).
			WithHint("check the addresses: usher provider show %s", provider)
	}
}

// unreachable reports whether err says that no answer came at all.
func unreachable(err error) bool {
	var e *oauth.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case oauth.KindNetwork, oauth.KindTimeout, oauth.KindCanceled, oauth.KindTLS:
		return true
	}
	return false
}
