package credential

import (
	"time"

	"github.com/usherauth/usher/secret"
)

// Method is the way a login obtains its credential.
type Method string

// The methods of login.
const (
	MethodDevice Method = "device" // RFC 8628
	MethodCode   Method = "code"   // RFC 6749 section 4.1 with PKCE
)

// LoginStatus is the state of a login. It leaves [LoginPending] once and ends
// exactly once.
type LoginStatus string

// The states of a login: starting -> pending -> persisting -> authorized or
// failed; starting -> failed; or pending -> another end.
const (
	// LoginStarting: claimed, the provider has not answered yet.
	LoginStarting LoginStatus = "starting"
	// LoginPending: a person is asked to approve.
	LoginPending LoginStatus = "pending"
	// LoginPersisting: the provider said yes and the credential is in Won.
	// It is entered once, by the winner of a claim, and shown as pending.
	LoginPersisting LoginStatus = "persisting"

	LoginAuthorized LoginStatus = "authorized"
	LoginDenied     LoginStatus = "denied"
	LoginExpired    LoginStatus = "expired"
	LoginFailed     LoginStatus = "failed"
	LoginCancelled  LoginStatus = "cancelled"
)

// Live reports whether a login in state s may still change.
func (s LoginStatus) Live() bool {
	return s == LoginStarting || s == LoginPending || s == LoginPersisting
}

// Login is the stored record of one attempt to obtain a credential.
type Login struct {
	ID  string
	Key Key
	// Version counts the stored changes of this login; stores assign it.
	Version uint64

	Method  Method
	Status  LoginStatus
	Binding Binding
	Scopes  []string

	// Initiator is the client id that started the login; empty if anonymous.
	// It is attribution, never authentication.
	Initiator string
	// Origin says who asked, for the person who approves: "user@host".
	Origin string

	// Trace is the trace id under which the audit log shows the login.
	Trace string

	// Owner is the id of the process that alone talks to the provider for
	// this login; see [Store.NewOwner].
	Owner string

	CreatedAt time.Time
	ExpiresAt time.Time
	// Interval is the time between polls that the provider asked for.
	Interval time.Duration

	// Device is what a pending device login needs to go on; nil before the
	// provider answered and after the login ended, so that an ended login has
	// no code and no link to hand out.
	Device *DeviceGrant
	// Won is the credential a persisting login is about to store; nil else.
	Won *Credential

	// CancelledBy records a cancel that arrived while persisting; it decides
	// only if storing fails. See [Login.CancelAsked].
	CancelledBy string
	CancelAsked bool
	// Superseded is set by a logout of the key: a login so marked must not
	// store its credential any more.
	Superseded bool

	EndedAt time.Time
	// Failure explains every end but authorized and cancelled; nil else.
	Failure *Failure
}

// DeviceGrant is the state of a pending device authorization (RFC 8628 section 3.2).
type DeviceGrant struct {
	DeviceCode              secret.String
	CodeVerifier            secret.String
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string
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
