package usher_test

import (
	"errors"
	"testing"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
)

// redirected is the answer that the fake broker takes.
const redirected = "http://127.0.0.1:4171/callback?code=c&state=s"

func TestCompleteEndsALoginByCode(t *testing.T) {
	for name, tt := range map[string]struct {
		bring string
		want  error
	}{
		"code":   {redirected, nil},
		"denied": {redirected + "&no", usher.ErrAccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroker()
			b.login.Method, b.login.AuthorizationURI = api.MethodCode, "https://idp.example/authorize?state=s"
			b.login.UserCode, b.login.VerificationURI, b.login.VerificationURIComplete = "", "", ""
			_, c := newDaemon(t, b)
			login, err := c.Login(t.Context(), "github", usher.LoginOptions{Method: usher.MethodCode, RedirectURI: "http://127.0.0.1:4171/callback"})
			if err != nil {
				t.Fatal(err)
			}
			if login.AuthorizationURI != "https://idp.example/authorize?state=s" || login.UserCode != "" {
				t.Errorf("handle = %+v", login)
			}
			if asked := b.started(); asked.Method != "code" || asked.RedirectURI != "http://127.0.0.1:4171/callback" {
				t.Errorf("the daemon was asked for %+v", asked)
			}
			if _, err := login.Complete(t.Context(), "http://127.0.0.1:4171/callback?code=x&state=stray"); !errors.Is(err, usher.ErrStateMismatch) {
				t.Errorf("a stray answer: %v", err)
			}
			got, err := login.Complete(t.Context(), tt.bring)
			if !errors.Is(err, tt.want) || (err == nil) != (got.Generation == 1) {
				t.Errorf("Complete = %+v, %v, want %v", got, err, tt.want)
			}
			if _, err := login.Wait(t.Context()); !errors.Is(err, tt.want) {
				t.Errorf("Wait: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestCompleteWithoutAnID(t *testing.T) {
	_, c := newDaemon(t, newBroker())
	_, err := c.CompleteLogin(t.Context(), "", usher.CompleteLogin{Code: "c", State: "s"})
	var e *usher.Error
	if !errors.As(err, &e) || e.Code != api.CodeInvalidRequest || e.Route != "POST /v1/logins/{id}/complete" {
		t.Errorf("got %+v", err)
	}
}
