package token

import (
	"time"

	"github.com/usherauth/usher/credential"
)

// EventType is what happened to a credential.
type EventType string

// The types of event.
const (
	// Refreshed: a rotation succeeded and is stored.
	Refreshed EventType = "refreshed"
	// NeedsLogin: the provider refused the refresh token, or has changed, and
	// that is stored.
	NeedsLogin EventType = "needs_login"
	// Adopted: another process, or the tool that shares the credential, changed
	// it first.
	Adopted EventType = "adopted"
	// Removed: the credential is gone, by somebody's logout.
	Removed EventType = "removed"
	// Ambiguous: a request was sent and its answer lost. Err says how.
	Ambiguous EventType = "ambiguous"
	// Superseded: a logout or new login overtook a rotation, whose token was
	// revoked; Err, unless nil, is why that did not work.
	Superseded EventType = "superseded"
	// Unstored: a refreshed token could not be stored yet; Err says why. It is
	// told at once, not at the end of the rotation.
	Unstored EventType = "unstored"
	// ShareRestored: the tool that shares the credential had removed its file,
	// and has it back.
	ShareRestored EventType = "share_restored"
	// ShareFailed: the file of the tool that shares the credential could not be
	// read or written; Err says why.
	ShareFailed EventType = "share_failed"
	// Finished: a rotation that was to renew has ended; Report says how. It is
	// the last event of each.
	Finished EventType = "finished"
)

// Result is how a rotation ended.
type Result string

// The results of a rotation.
const (
	ResultRefreshed  Result = "refreshed"  // a new token is stored
	ResultAdopted    Result = "adopted"    // somebody else was faster
	ResultRefused    Result = "refused"    // the provider refused: a login is needed
	ResultSuperseded Result = "superseded" // overtaken by a logout or a login
	ResultProvider   Result = "provider"   // the provider could not be asked, or gave no answer to go by
	ResultStore      Result = "store"      // the store failed
	ResultBusy       Result = "busy"       // the lock was not to be had
)

// Report is what a rotation that has ended was like.
type Report struct {
	Result Result
	// Requests is how often the refresh token was sent; Ambiguous, how many of
	// those have an unknown outcome.
	Requests, Ambiguous int
	// LockWait is the wait for the rotation lock, Took the whole time.
	LockWait, Took time.Duration
	// Recovered: an earlier rotation had been interrupted.
	Recovered bool
}

// Event is one thing that happened in a rotation.
type Event struct {
	Type EventType
	// Credential is as stored after it; for Removed its Key alone. Of Unstored
	// it is what could not be stored, of Superseded only the Key says something,
	// and of Finished it is the newest that the rotation knew of.
	Credential credential.Credential
	Err        error
	Report     Report // of Finished
}

// observe tells event, outside all locks.
func (m *Manager) observe(event Event) {
	if m.cfg.Observe != nil {
		m.cfg.Observe(event)
	}
}
