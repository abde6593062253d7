package login

import (
	"strconv"
	"time"

	"github.com/usherauth/usher/credential"
)

// EventType says what happened to a login.
type EventType string

// The events. Authorized, Denied, Expired, Failed and Cancelled are a login's
// end, and one of them comes exactly once; the others leave it as it is.
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
	// CancelDeferred: a cancel came while the token was being stored; the
	// result of that decides.
	CancelDeferred EventType = "cancel_deferred"
	// LateSuccess: the credential was stored after the login had ended as
	// [FailurePersist], because the store took too long. It is kept, and the
	// login stays failed, as was told.
	LateSuccess EventType = "late_success"
	// LateAnswer: the provider answered after its poll had been given up.
	LateAnswer EventType = "late_answer"
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
	// Recorded tells that the audit log has it already: the cancel that now
	// takes effect was told as [CancelDeferred].
	Recorded bool
	// Credential is what an authorized login, or a late success, stored; nil
	// else, in foreign events, and if it has been replaced or removed since.
	Credential *credential.Credential
}

// Snapshot is a login together with what only its owner's process knows.
type Snapshot struct {
	credential.Login
	// LastPolledAt is the newest poll; zero before the first and in processes
	// that do not own the login.
	LastPolledAt time.Time
	// NextPollAt is when the next poll is due, or was if it is on its way; zero
	// when none will come, by method code, and likewise.
	NextPollAt time.Time
	// Slowed tells that the provider has asked for slow_down, as far as this
	// process has seen.
	Slowed bool
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

// eventFor is the event of a change from before to after; without a type if it
// is nobody's business.
func eventFor(before, after credential.Login) Event {
	ev := Event{Login: after, By: after.Initiator}
	was, _ := before.State.(credential.Persisting)
	switch is := after.State.(type) {
	case credential.Pending:
		switch {
		case before.Status() == credential.LoginStarting:
			ev.Type = Started
		case after.Interval > before.Interval:
			ev.Type = Throttled
		}
	case credential.AwaitingCode:
		if before.Status() == credential.LoginStarting {
			ev.Type = Started
		}
	case credential.Persisting:
		if is.CancelAsked && !was.CancelAsked {
			ev.Type, ev.By, ev.Hint = CancelDeferred, is.CancelledBy, hintDeferred
		}
	case credential.Ended:
		if !before.Live() {
			break
		}
		ev.Type = eventOf(is.Status)
		switch {
		case is.Status == credential.LoginCancelled:
			ev.By, ev.Recorded = is.CancelledBy, was.CancelAsked
		case is.Failure.Code == FailurePersist && is.At.After(after.ExpiresAt):
			ev.Hint = hintPastExpiry
		}
	}
	return ev
}

// The hints of the compatible surface's audit log.
const (
	hintDeferred   = "deferred (persist in flight; final state decided by persist resolution)"
	hintKept       = "lost_success_kept (cancel during persist; credentials kept per IdP approval)"
	hintPastExpiry = "persist_also_failed_past_expiry (root cause is disk I/O; entry was past expiresAt by the time persist resolved)"
	hintRetold     = "told after a crash, perhaps for the second time"
	hintLatePoll   = "lost_late_poll_after_timeout: "
)

// hintLate is the hint of a [LateSuccess].
func hintLate(c credential.Credential) string {
	expires := "unknown"
	if at := c.ExpiresAt(); !at.IsZero() {
		expires = strconv.FormatInt(at.UnixMilli(), 10)
	}
	return "lost_success_after_timeout (the store answered after the login had ended; the credential is kept; expiresAt=" + expires + ")"
}
