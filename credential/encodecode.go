package credential

import (
	"errors"

	"github.com/usherauth/usher/secret"
)

// This file stores what is peculiar to logins of method code, and the prompts
// of both methods.

type storedAuthorization struct {
	State            string `json:"state,omitempty"` // until an answer has come
	CodeVerifier     string `json:"code_verifier,omitempty"`
	RedirectURI      string `json:"redirect_uri,omitempty"`
	AuthorizationURI string `json:"authorization_uri"`
}

// storePrompt keeps what is shown of a login whose codes are used up.
func (s *storedLogin) storePrompt(p Prompt) {
	if s.Method == MethodCode {
		s.Authorization = &storedAuthorization{AuthorizationURI: p.AuthorizationURI}
		return
	}
	s.Device = storeDevice(DeviceGrant{Prompt: p})
}

var errSpent = errors.New("beyond pending with a code that is used up")

func (s *storedLogin) loadPrompt() (Prompt, error) {
	switch {
	case s.Method == MethodCode && s.Authorization != nil:
		a := s.Authorization
		if a.State != "" || a.CodeVerifier != "" || a.RedirectURI != "" {
			return Prompt{}, errSpent
		}
		return Prompt{AuthorizationURI: a.AuthorizationURI}, nil
	case s.Device != nil:
		grant := s.Device.load()
		if !grant.DeviceCode.IsZero() || !grant.CodeVerifier.IsZero() {
			return Prompt{}, errSpent
		}
		return grant.Prompt, nil
	}
	return Prompt{}, errors.New("its prompt is missing")
}

func storeAuthorization(g CodeGrant) *storedAuthorization {
	return &storedAuthorization{
		State: g.State.Reveal(), CodeVerifier: g.CodeVerifier.Reveal(),
		RedirectURI: g.RedirectURI, AuthorizationURI: g.AuthorizationURI,
	}
}

func (s *storedAuthorization) load() CodeGrant {
	return CodeGrant{
		State: secret.New(s.State), CodeVerifier: secret.New(s.CodeVerifier),
		RedirectURI: s.RedirectURI, AuthorizationURI: s.AuthorizationURI,
	}
}
