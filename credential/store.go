package credential

import (
	"context"
	"errors"
	"iter"

	"github.com/usherauth/usher/secret"
)

// The errors of a [Store]. Callers react to these; every other error means
// that the store itself failed and nothing was changed unless said otherwise.
var (
	// ErrNotFound: no such credential, login or registration. A credential
	// that was deleted is not found, though its generation is remembered.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the stored generation or version is not the expected one.
	ErrConflict = errors.New("changed by someone else")
	// ErrLoginExists: the key already has a live login.
	ErrLoginExists = errors.New("a login of this key is already pending")
	// ErrTooManyLogins: the cap of live logins is reached.
	ErrTooManyLogins = errors.New("too many pending logins")
	// ErrOwned: the login's owner is alive.
	ErrOwned = errors.New("login is owned by a living process")
	// ErrSuperseded: what was to be stored has been overtaken by a logout or
	// another login. What it carried is kept aside until [Rotation.Discard].
	ErrSuperseded = errors.New("superseded by a logout or a newer login")
	// ErrFull is the cause of a failure of the store that has no room for what
	// was to be written. A Delete may succeed all the same: it makes room.
	ErrFull = errors.New("no room left")
	// ErrDamaged is the cause of a failure to read a credential that is beyond
	// repair. A new login replaces it.
	ErrDamaged = errors.New("the file is damaged and there is no earlier one")
)

// Store keeps credentials, logins and client registrations of one tenant.
//
// Guarantees, proven by package credentialtest:
//
//   - A method that changes something is durable before it returns nil.
//   - Readers see some complete earlier or later state, never a torn one.
//   - A generation never goes back, not even over Delete, which leaves a
//     tombstone with generation+1.
//   - A lock (a rotation, an owner) dies with the process that holds it and is
//     never stolen from one that lives.
//   - Logout is final: after Delete no write that began before it brings the
//     credential back.
//
// All methods are safe for concurrent use, also by several processes where the
// store says it is shared. A cancelled context ends waiting for locks; it does
// not undo a change that was made durable.
type Store interface {
	// Get returns the credential of key, or ErrNotFound.
	Get(ctx context.Context, key Key) (Credential, error)
	// List yields every credential in key order. It is cheap enough to be
	// called once a second. For its errors see [UnreadableError].
	List(ctx context.Context) iter.Seq2[Credential, error]
	// Stamp returns an opaque value that changes whenever what Get would
	// return for key changes, at the cost of about one stat. It is "" for a
	// key that was never stored.
	Stamp(ctx context.Context, key Key) (string, error)

	// Settle ends a login with its credential in one operation: it stores cred
	// (its Grant set to login.ID, its Generation to the next one), then login,
	// whose state says when it was authorized. The stored login must be
	// persisting with login's Version, else ErrConflict; if it was superseded,
	// ErrSuperseded and nothing is stored. When a crash fell between the two
	// writes, calling it again completes the second. It takes only the short
	// write lock and never waits for a rotation. It returns both as stored.
	Settle(ctx context.Context, login Login, cred Credential) (Login, Credential, error)

	// BeginRotation takes the key's rotation lock, waiting for it as long as
	// ctx allows, and re-reads the credential under it. seen is the generation
	// the caller decided on, for stores that can answer without a lock; the
	// caller compares it with the returned record. Its refresh token alone may
	// be sent, and after a refusal those of [Rotation.Candidates]. ErrNotFound if
	// the credential is gone. What an earlier Commit kept aside is installed
	// first, if it is a later record of the stored grant or the answer to the
	// stored refresh token.
	BeginRotation(ctx context.Context, key Key, seen uint64) (Rotation, error)

	// Update replaces the credential if its stored generation is
	// ifGeneration, else ErrConflict; it returns it as stored. Without a
	// credential the error of Update and Delete is ErrNotFound as well.
	Update(ctx context.Context, cred Credential, ifGeneration uint64) (Credential, error)
	// Delete removes the credential if its stored generation is ifGeneration,
	// else ErrConflict, and leaves a tombstone that keeps grant and
	// generation+1. It marks the key's live logins as superseded, which raises
	// their versions, and leaves no secret of the credential behind.
	Delete(ctx context.Context, key Key, ifGeneration uint64) error

	// Orphans returns the answers that earlier commits kept aside and that
	// belong to no credential any more, because of a logout or a newer login:
	// their tokens are to be revoked, and the orphans discarded. What a living
	// rotation still deals with is not among them. With an error come those
	// that were found nevertheless. What a Delete whose process died left of
	// its credential is removed.
	Orphans(ctx context.Context) ([]Orphan, error)

	// NewOwner makes an owner: an identity for logins that is alive exactly as
	// long as it is not closed and its process lives.
	NewOwner(ctx context.Context) (Owner, error)

	// CreateLogin stores a new login unless the key has a live one: then it
	// returns that one and ErrLoginExists. Logins in state starting whose
	// owner is dead, of whatever key, do not count and are removed.
	// ErrTooManyLogins if maxActive live logins exist already (0: no cap). It
	// returns the login as stored.
	CreateLogin(ctx context.Context, login Login, maxActive int) (Login, error)
	// GetLogin returns a login by id, or ErrNotFound.
	GetLogin(ctx context.Context, id string) (Login, error)
	// LiveLogin returns the live login of key, or ErrNotFound.
	LiveLogin(ctx context.Context, key Key) (Login, error)
	// ListLogins yields every stored login, oldest first. It reads all of
	// them: to follow what happens, use LoginChanges. For its errors see
	// [UnreadableError].
	ListLogins(ctx context.Context) iter.Seq2[Login, error]
	// LoginChanges returns what may have happened to logins since the cursor
	// that an earlier call returned; empty asks for a first one. It is cheap
	// enough to be called once a second when nothing has happened, however
	// many logins there are. Every change that was durable before the call is
	// in it, or in an earlier answer.
	LoginChanges(ctx context.Context, since string) (LoginChanges, error)
	// UpdateLogin replaces a login if its stored version is ifVersion, else
	// ErrConflict; it returns it as stored.
	UpdateLogin(ctx context.Context, login Login, ifVersion uint64) (Login, error)
	// ClaimLogin makes owner the owner of a live login whose owner is dead (or
	// is owner already) and raises the version; ErrOwned if another owner
	// lives, ErrConflict if the login has ended.
	ClaimLogin(ctx context.Context, id, owner string) (Login, error)
	// DeleteLogin forgets an ended login; a live one is ErrConflict, an
	// unknown one nil.
	DeleteLogin(ctx context.Context, id string) error

	// GetRegistration returns the client registration for an issuer and a
	// redirect set, or ErrNotFound.
	GetRegistration(ctx context.Context, issuer, redirects string) (Registration, error)
	// PutRegistration stores r unless one exists, and returns the one stored.
	PutRegistration(ctx context.Context, r Registration) (Registration, error)

	// Close releases what the store holds in this process.
	Close() error
}

// UnreadableError is what a listing yields for a single record that cannot be
// read; it goes on with the others. Any other error that it yields means that
// there is no list.
type UnreadableError struct{ Err error }

// Error is the text of Err, which names the record.
func (e *UnreadableError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *UnreadableError) Unwrap() error { return e.Err }

// LoginChanges is what [Store.LoginChanges] returns.
type LoginChanges struct {
	// All tells that the cursor was none, too old or foreign, so that every
	// login may have changed; Logins is then empty.
	All bool
	// Logins are those that may have changed, the latest change last. One may
	// stand in it more than once, or without having changed.
	Logins []LoginChange
	// Next is the cursor for the next call.
	Next string
}

// LoginChange names a login that may have changed.
type LoginChange struct {
	ID string
	// Version is the version the login has reached at least; 0 if it is gone.
	Version uint64
}

// Owner is a living owner of logins; see [Store.NewOwner].
type Owner interface {
	ID() string
	// Close ends the owner; its live logins may then be claimed by others.
	Close() error
}

// Orphan is an answer of a provider that no credential can use; see
// [Store.Orphans].
type Orphan struct {
	Credential Credential
	// Discard removes it durably. It may be called more than once.
	Discard func(ctx context.Context) error
}

// Rotation is a held rotation lock: the right to spend a refresh token. The
// steps are called in order: Reserve, MaySend, then Commit or Salvage, and
// always Release. A Rotation is used by one goroutine.
type Rotation interface {
	// Record is the credential as read under the lock.
	Record() Credential
	// Interrupted reports whether a predecessor wrote an intent and never
	// finished: it may have spent the token, and its request may still travel.
	Interrupted() bool
	// Reserve sets aside the space that Commit will need and makes the intent
	// to spend durable. When it fails the token is unspent; ErrConflict if the
	// record has been overtaken since it was read.
	Reserve(ctx context.Context) error
	// MaySend reports, right before the request is written, whether the right
	// to spend still holds.
	MaySend(ctx context.Context) error
	// Commit durably replaces the record by next, generation+1, if generation
	// and grant are still those of Record; it clears the intent. If they are
	// not, next is kept aside durably and the error is ErrSuperseded. Commit
	// ignores the cancellation of ctx: a received token is never dropped. It
	// returns next as stored, and may be called again after it failed or to
	// store a further change under the same lock.
	Commit(ctx context.Context, next Credential) (Credential, error)
	// Salvage durably keeps raw, an answer that could not be understood but
	// may hold a token.
	Salvage(ctx context.Context, raw secret.String) error
	// Candidates returns what else the store holds of Record's grant with a
	// refresh token that is not Record's and may be newer, the newest first:
	// the previous generation where it counts more, and what was kept aside.
	// It is asked after a refusal, before a login is said to be needed.
	Candidates(ctx context.Context) ([]Credential, error)
	// Discard removes what a superseded Commit kept aside, after its token was
	// revoked.
	Discard(ctx context.Context) error
	// Release clears the intent of this rotation, whose token was certainly
	// not spent, when unspent is true, and gives the lock back. An interrupted
	// predecessor's intent outlives it. It is idempotent.
	Release(unspent bool) error
}

// Registration is an OAuth client registered at an issuer for a set of
// redirect URIs (RFC 7591).
type Registration struct {
	Issuer                  string
	Redirects               string // canonical: sorted, joined by a space
	ClientID                string
	ClientSecret            secret.String
	RegistrationAccessToken secret.String
	RegistrationClientURI   string
}
