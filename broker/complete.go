package broker

import (
	"context"
	"errors"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/login"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/provider"
)

// CompleteLogin brings the answer for a pending login of method code and
// returns what the login became. Whoever knows the state that the answer
// carries may bring it: it was told to the initiator and the provider alone.
func (b *Broker) CompleteLogin(ctx context.Context, id string, r api.CompleteLogin) (api.Login, error) {
	answer := login.Answer{RedirectedURL: r.RedirectedURL, Code: r.Code, State: r.State, ISS: r.ISS}
	parameters := r.Code != "" || r.State != "" || r.ISS != ""
	switch {
	case r.RedirectedURL != "" && parameters:
		return api.Login{}, api.Errorf(api.CodeInvalidRequest, "give redirected_url, or code and state, and not both")
	case r.RedirectedURL == "" && (r.Code == "" || r.State == ""):
		return api.Login{}, api.Errorf(api.CodeInvalidRequest, "redirected_url is missing, or code and state are")
	}
	s, err := b.logins.Complete(ctx, id, answer)
	if err != nil {
		return api.Login{}, completeError(err, s, id)
	}
	return b.finished(ctx, b.loginView(s, public)), nil
}

// completeError is the error for an answer for the login s, called id, that was
// not taken.
func completeError(err error, s login.Snapshot, id string) *api.Error {
	var ended *login.EndedError
	var answer *oauth.Error
	switch {
	case errors.Is(err, oauth.ErrState):
		return api.Errorf(api.CodeStateMismatch, "the answer does not belong to this login").
			WithHint("the login is still pending; bring the address that its own link has led to")
	case errors.Is(err, oauth.ErrIssuer):
		return api.Errorf(api.CodeIssuerMismatch, "the answer comes from another provider than the one that was asked").
			WithHint("the login is still pending; open its link again, and no other one")
	case errors.Is(err, login.ErrRedirectedURL):
		return api.Errorf(api.CodeInvalidRequest, "%w", err).
			WithHint("copy all of the address that the browser shows once you have approved")
	case errors.As(err, &ended):
		out := api.Errorf(api.CodeLoginEnded, "the login has ended already: %s", ended.Status).
			WithHint("start another one: usher login %s", s.Key)
		out.Kind = string(ended.Status)
		return out
	case errors.Is(err, login.ErrCompleting):
		return api.Errorf(api.CodeConflict, "%w", err).WithHint("wait for the login to end")
	case errors.As(err, &answer) && answer.Kind == oauth.KindMalformed:
		return api.Errorf(api.CodeInvalidRequest, "the answer has neither a code nor an error that can be read").
			WithHint("the login is still pending; copy all of the address that the browser shows")
	case errors.As(err, &answer):
		return providerError(err, s.Key.String())
	}
	return loginError(err, id)
}

// methodError is the error for a method that is not to be had.
func methodError(e *login.MethodError) *api.Error {
	switch {
	case e.Live == "":
		return api.Errorf(api.CodeUnsupportedMethod, "%w", e).
			WithHint("the provider's file says what it offers: usher provider show %s", e.Key.Provider)
	case e.Live == credential.MethodDevice && e.Asked == credential.MethodCode:
		return api.Errorf(api.CodeConflict, "%w", e).
			WithHint("it ends by itself once it is approved; for another one, cancel it\nrun: usher login cancel %s", e.ID)
	}
	return api.Errorf(api.CodeConflict, "%w", e).
		WithHint("bring its answer: usher login complete %[1]s\nor cancel it: usher login cancel %[1]s", e.ID)
}

// methodOf is the method that a request names, with the redirect URI for it.
func methodOf(r api.StartLogin, p provider.Provider) (credential.Method, string, error) {
	method := credential.Method(r.Method)
	switch method {
	case "", credential.MethodDevice, credential.MethodCode:
	default:
		return "", "", api.Errorf(api.CodeInvalidRequest, "method must be %s or %s", credential.MethodDevice, credential.MethodCode)
	}
	if r.RedirectURI == "" {
		if len(p.RedirectURIs) > 0 {
			return method, p.RedirectURIs[0], nil
		}
		return method, "", nil
	}
	if method == credential.MethodDevice {
		return "", "", api.Errorf(api.CodeInvalidRequest, "redirect_uri does not go with method %s", credential.MethodDevice)
	}
	if err := login.CheckRedirectURI(r.RedirectURI, p.RedirectURIs); err != nil {
		return "", "", api.Errorf(api.CodeInvalidRequest, "%w", err)
	}
	return method, r.RedirectURI, nil
}
