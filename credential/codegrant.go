package credential

import (
	"errors"

	"github.com/usherauth/usher/secret"
)

// This file has the states that only a login of [MethodCode] passes through
// (RFC 6749 section 4.1 with RFC 7636):
//
//	Starting -> AwaitingCode -> Exchanging -> Persisting -> Ended
//	               |               |
//	             Ended           Ended, or AwaitingCode if the code was never sent

// LoginExchanging names the state [Exchanging]; it is shown to everybody as
// pending.
const LoginExchanging LoginStatus = "exchanging"

// AwaitingCode: a person is asked to approve in a browser, and somebody is to
// bring the answer that the browser is sent away with.
type AwaitingCode struct {
	Code CodeGrant
}

// Exchanging: a valid answer came and its code is on its way to the token
// endpoint. It is entered, durably, before the code is sent: who finds a login
// in this state whose owner is dead knows that the code may be spent, and never
// sends it again. State and code verifier are used up and not kept.
type Exchanging struct {
	// Prompt is still shown: to everybody else the login is pending.
	Prompt Prompt
}

// CodeGrant is the state of a pending authorization request (RFC 6749 section
// 4.1.1). What it was asked where, the login's binding tells.
type CodeGrant struct {
	// State ties the answer to the request (RFC 6749 section 10.12). Whoever
	// knows it may complete the login.
	State secret.String
	// CodeVerifier goes with the code to the token endpoint (RFC 7636 section 4.5).
	CodeVerifier secret.String
	// RedirectURI is where the browser is sent with the answer.
	RedirectURI string
	// AuthorizationURI is the link for the person, with state in it.
	AuthorizationURI string
}

// Prompt is what may be shown of g.
func (g CodeGrant) Prompt() Prompt { return Prompt{AuthorizationURI: g.AuthorizationURI} }

func (AwaitingCode) status() LoginStatus { return LoginPending }
func (Exchanging) status() LoginStatus   { return LoginExchanging }

func (a AwaitingCode) check() error {
	g := a.Code
	if g.State.IsZero() || g.CodeVerifier.IsZero() || g.RedirectURI == "" || g.AuthorizationURI == "" {
		return errors.New("waiting for a code without all that makes it worth something")
	}
	return nil
}

func (e Exchanging) check() error {
	if e.Prompt.AuthorizationURI == "" {
		return errors.New("exchanging a code of no authorization request")
	}
	return nil
}

// Begun reports whether l ever was pending. Of a login that ended before that
// nobody was told, and nobody need be told of its end.
func (l Login) Begun() bool { return l.Interval > 0 || l.Method == MethodCode }

// ofMethod reports whether a login of method m can be in state s.
func ofMethod(m Method, s LoginState) bool {
	switch s.(type) {
	case AwaitingCode, Exchanging:
		return m == MethodCode
	case Starting, Pending:
		return m != MethodCode
	}
	return true
}
