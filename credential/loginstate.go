package credential

import (
	"errors"
	"time"

	"github.com/usherauth/usher/secret"
)

// LoginState is where a login stands. It is exactly one of [Starting],
// [Pending], [Persisting] and [Ended], or of [AwaitingCode] and [Exchanging],
// which stand in the place of Pending where the method is code. Each holds only
// what makes sense there: an ended login has no code, no link and no token to
// hand out, a persisting one no device code, since that is spent.
//
//	Starting -> Pending -> Persisting -> Ended (authorized or failed)
//	    |          |
//	  Ended      Ended
type LoginState interface {
	status() LoginStatus
	// check says what is wrong with the state's contents.
	check() error
}

// LoginStatus names a state of a login. It leaves [LoginPending] once and ends
// exactly once.
type LoginStatus string

// The states of a login by name.
const (
	LoginStarting   LoginStatus = "starting"
	LoginPending    LoginStatus = "pending"
	LoginPersisting LoginStatus = "persisting" // shown to everybody as pending

	LoginAuthorized LoginStatus = "authorized"
	LoginDenied     LoginStatus = "denied"
	LoginExpired    LoginStatus = "expired"
	LoginFailed     LoginStatus = "failed"
	LoginCancelled  LoginStatus = "cancelled"
)

// Live reports whether a login in state s may still change.
func (s LoginStatus) Live() bool {
	return s == LoginStarting || s == LoginPending || s == LoginExchanging || s == LoginPersisting
}

// Starting: the login is claimed, the provider has not answered yet.
type Starting struct{}

// Pending: a person is asked to approve.
type Pending struct {
	Device DeviceGrant
}

// Persisting: the provider said yes. It is entered once, by the winner of a
// claim.
type Persisting struct {
	// Prompt is still shown: to everybody else the login is pending.
	Prompt Prompt
	// Won is the credential that is about to be stored.
	Won Credential
	// CancelAsked and CancelledBy, a client id, record a cancel that came
	// while the credential was being stored. It decides only if that fails.
	CancelAsked bool
	CancelledBy string
}

// Ended is the last state.
type Ended struct {
	// Status is the outcome, one that is not live.
	Status LoginStatus
	At     time.Time
	// Failure explains every end but authorized and cancelled; zero there.
	Failure Failure
	// CancelledBy is the client id that cancelled a cancelled login; empty if
	// that was nobody in particular.
	CancelledBy string
}

// DeviceGrant is the state of a pending device authorization (RFC 8628 section 3.2).
type DeviceGrant struct {
	DeviceCode   secret.String
	CodeVerifier secret.String
	Prompt
}

// Prompt is what a person needs to approve a login: a user code and where to
// enter it (RFC 8628 section 3.3), or for method code a link (RFC 6749 section
// 4.1.1).
type Prompt struct {
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string
	AuthorizationURI        string
}

// Failure says why a login ended without a credential, in our own words.
type Failure struct {
	// Code is stable and machine readable, such as "access_denied".
	Code string
	// Hint is one sentence for a person; it never holds provider text.
	Hint string
	// FromProvider tells that the provider decided, not our own clock or disk.
	FromProvider bool
}

func (Starting) status() LoginStatus   { return LoginStarting }
func (Pending) status() LoginStatus    { return LoginPending }
func (Persisting) status() LoginStatus { return LoginPersisting }
func (e Ended) status() LoginStatus    { return e.Status }

func (Starting) check() error { return nil }
func (Pending) check() error  { return nil }

func (p Persisting) check() error {
	if p.CancelledBy != "" && !p.CancelAsked {
		return errors.New("cancelled by someone, but no cancel was asked for")
	}
	return nil
}

func (e Ended) check() error {
	failed := false
	switch e.Status {
	case LoginDenied, LoginExpired, LoginFailed:
		failed = true
	case LoginAuthorized, LoginCancelled:
	default:
		return errors.New("ended without an outcome")
	}
	switch {
	case e.At.IsZero():
		return errors.New("ended at no time")
	case failed != (e.Failure.Code != ""), !failed && e.Failure != Failure{}:
		return errors.New("outcome and failure do not agree")
	case e.CancelledBy != "" && e.Status != LoginCancelled:
		return errors.New("cancelled by someone, but it is not cancelled")
	}
	return nil
}
