package login

import (
	"time"

	"github.com/usherauth/usher/credential"
)

// EventType says what happened to a login.
type EventType string

// The events. Started, Throttled, Joined and LostSuccess leave the login as it
// is; every other one is its end and comes exactly once per login.
const (
	Started    EventType = "started"
	Throttled  EventType = "throttled"  // the provider asked for slow_down
	Joined     EventType = "joined"     // a client other than the initiator joined
	Authorized EventType = "authorized" // the credential is stored
	Denied     EventType = "denied"
	Expired    EventType = "expired"
	Failed     EventType = "failed"
	Cancelled  EventType = "cancelled"
	// LostSuccess: a token was won but must not or could not be kept; it was
	// revoked at the provider where that is possible.
	LostSuccess EventType = "lost_success"
)

// Event reports one transition, made by this process or seen in the store.
type Event struct {
	Type  EventType
	Login credential.Login
	// By is the client id of a canceller or joiner; empty if anonymous.
	By string
	// Foreign tells that another process made the transition and this one
	// only saw it.
	Foreign bool
	// Hint is a short explanation for the audit log; it holds no secret and no
	// provider text.
	Hint string
	// Credential is what an authorized login stored; nil else, in foreign
	// events, and if it has been replaced or removed since.
	Credential *credential.Credential
}

// Snapshot is a login together with what only its owner's process knows.
type Snapshot struct {
	credential.Login
	// LastPolledAt is the newest poll; zero before the first and in processes
	// that do not own the login.
	LastPolledAt time.Time
	// Trouble is what keeps a pending login from progress, such as
	// [TroubleUnreachable]; empty while all is well.
	Trouble string
}

// eventOf is the event of an ended login's status.
func eventOf(s credential.LoginStatus) EventType {
	switch s {
	case credential.LoginAuthorized:
		return Authorized
	case credential.LoginDenied:
		return Denied
	case credential.LoginExpired:
		return Expired
	case credential.LoginCancelled:
		return Cancelled
	case credential.LoginFailed:
		return Failed
	}
	panic("login: internal error: no event for status " + string(s))
}
