package login

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

// codeLifetime is how long a login of method code waits for its answer: as long
// as a person may take to log in at the provider. It is ours alone, since the
// authorization endpoint names none.
const codeLifetime = 10 * time.Minute

// A MethodError is the error for a method that a login cannot have, because its
// provider does not offer it, or because another one is live for its key.
type MethodError struct {
	Key credential.Key
	// Asked is the method that was asked for; empty if any would have done.
	Asked credential.Method
	// Live and ID are the method and the id of the login that is in the way;
	// empty if the provider is.
	Live credential.Method
	ID   string
}

func (e *MethodError) Error() string {
	switch {
	case e.Live != "":
		return fmt.Sprintf("a login of %s by method %s is pending", e.Key, e.Live)
	case e.Asked != "":
		return fmt.Sprintf("%s offers no login by method %s", e.Key.Provider, e.Asked)
	}
	return e.Key.Provider + " offers no login"
}

// joinable reports, as an error, that l is not what req asks for.
func (req Request) joinable(l credential.Login) error {
	if req.Method == "" || req.Method == l.Method {
		return nil
	}
	return &MethodError{Key: l.Key, Asked: req.Method, Live: l.Method, ID: l.ID}
}

// startingMethod is what the record of a start says; see [credential.Login.Begun].
func (req Request) startingMethod() credential.Method {
	if req.Method == credential.MethodCode {
		return ""
	}
	return credential.MethodDevice
}

// method is the method of a login at b: what was asked for, or device where the
// provider has it, since that needs nobody to bring an answer.
func (r *Registry) method(req Request, b credential.Binding) (credential.Method, error) {
	_, inProcess := r.cfg.Providers[req.Key.Provider]
	device := inProcess || b.Endpoints.DeviceAuthorization != ""
	code := !inProcess && b.Endpoints.Authorization != ""
	switch {
	case device && (req.Method == "" || req.Method == credential.MethodDevice):
		return credential.MethodDevice, nil
	case code && (req.Method == "" || req.Method == credential.MethodCode):
		return credential.MethodCode, nil
	}
	return "", &MethodError{Key: req.Key, Asked: req.Method}
}

// authorizeCode makes the authorization request of l (RFC 6749 section 4.1.1),
// with a state and a code verifier of its own. Nothing is sent: that is up to
// the person's browser.
func authorizeCode(l credential.Login, req Request) (credential.AwaitingCode, error) {
	redirectURI := cmp.Or(req.RedirectURI, DefaultRedirectURI(l.Key.Provider))
	grant := credential.CodeGrant{State: newState(), CodeVerifier: oauth.NewVerifier(), RedirectURI: redirectURI}
	var err error
	grant.AuthorizationURI, err = l.Binding.Client(nil, noSecret).AuthCodeURL(oauth.AuthCodeRequest{
		RedirectURI: redirectURI, State: grant.State.Reveal(),
		CodeChallenge: oauth.ChallengeS256(grant.CodeVerifier), Scopes: l.Scopes, Extra: req.Extra,
	})
	return credential.AwaitingCode{Code: grant}, err
}

// newState returns 256 random bits.
func newState() secret.String {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return secret.New(base64.RawURLEncoding.EncodeToString(b[:]))
}
