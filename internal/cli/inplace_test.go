package cli

import (
	"errors"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential"
)

func TestBecause(t *testing.T) {
	needed := func(code api.Code, kind string) *api.Error {
		e := api.Errorf(code, "not to be had")
		e.Kind = kind
		return e
	}
	for want, e := range map[string]*api.Error{
		"nobody is logged in yet":                                                    needed(api.CodeLoginNeeded, ""),
		"the provider refused to renew it":                                           needed(api.CodeLoginNeeded, string(credential.CauseRefused)),
		"the configuration of its provider has changed":                              needed(api.CodeProviderMismatch, ""),
		"an answer of the provider was lost, and with it the token to renew it with": needed(api.CodeLoginNeeded, string(credential.CauseAnswerLost)),
	} {
		if got := because(neededLogin(e)); got != want {
			t.Errorf("%v %q: got %q, want %q", e.Code, e.Kind, got, want)
		}
	}
	for _, err := range []error{nil, errors.New("disk full"), needed(api.CodeProviderUnreachable, "")} {
		if neededLogin(err) != nil {
			t.Errorf("%v counts as a needed login", err)
		}
	}
}
