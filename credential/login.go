package credential

import "time"

// Method is the way a login obtains its credential.
type Method string

// The methods of login.
const (
	MethodDevice Method = "device" // RFC 8628
	MethodCode   Method = "code"   // RFC 6749 section 4.1 with PKCE
)

// Login is the stored record of one attempt to obtain a credential: the facts
// it was made with, and its [LoginState].
type Login struct {
	ID  string
	Key Key
	// Version counts the stored changes of this login; stores assign it.
	Version uint64

	// Method is empty while a login is starting that is to be of method code:
	// it is that once there is a link to show.
	Method  Method
	Binding Binding
	Scopes  []string

	// Initiator is the client id that started the login; empty if anonymous.
	// It is attribution, never authentication.
	Initiator string
	// Origin says who asked, for the person who approves: "user@host".
	Origin string

	// ShareWith names the tool that the credential will be shared with; see
	// [Share].
	ShareWith string

	// Trace is the trace id under which the audit log shows the login.
	Trace string

	// Owner is the id of the process that alone talks to the provider for
	// this login; see [Store.NewOwner].
	Owner string

	CreatedAt time.Time
	ExpiresAt time.Time
	// Interval is the time between polls that the provider asked for.
	Interval time.Duration

	// Superseded is set by a logout of the key: a login so marked must not
	// store its credential any more.
	Superseded bool

	// State is where the login stands, with what only that state has. It is
	// never nil in a login that a store returns.
	State LoginState
}

// Status names l's state; empty for the zero Login.
func (l Login) Status() LoginStatus {
	if l.State == nil {
		return ""
	}
	return l.State.status()
}

// Live reports whether l may still change.
func (l Login) Live() bool { return l.Status().Live() }

// Prompt is what may be shown to the person of a login that is pending, and
// shown as that until it has ended; false in every other state.
func (l Login) Prompt() (Prompt, bool) {
	switch s := l.State.(type) {
	case Pending:
		return s.Device.Prompt, true
	case AwaitingCode:
		return s.Code.Prompt(), true
	case Exchanging:
		return s.Prompt, true
	case Persisting:
		return s.Prompt, true
	}
	return Prompt{}, false
}

// EndedAt is when l ended; zero while it is live.
func (l Login) EndedAt() time.Time {
	ended, _ := l.State.(Ended)
	return ended.At
}

// Failure says why l ended without a credential; zero while it is live, and
// for logins that were authorized or cancelled.
func (l Login) Failure() Failure {
	ended, _ := l.State.(Ended)
	return ended.Failure
}
