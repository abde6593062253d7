// Package share keeps a credential in step with the file in which another tool
// keeps the same tokens: the tool refreshes them as well, and a refresh token
// must be spent by one of the two only. Start with [Open].
//
// It knows the tool's file and the tool's lock. What follows from them is for
// package token to decide, under our own lock, which comes first.
package share

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// Qwen is qwen-code: oauth_creds.json in $QWEN_HOME or ~/.qwen.
const Qwen = "qwen"

// Tools are the names of the tools that can be shared with.
func Tools() []string { return []string{Qwen} }

// Check is nil if tool is one of [Tools].
func Check(tool string) error {
	if slices.Contains(Tools(), tool) {
		return nil
	}
	return fmt.Errorf("cannot share with %q; known are: %s", tool, strings.Join(Tools(), ", "))
}

var (
	// ErrInvalid: the file is not what the tool itself would accept, and counts
	// as missing there.
	ErrInvalid = errors.New("not a credential file that the tool accepts")
	// ErrChanged: the file has changed since it was read under the lock, or the
	// lock has been lost and the file changed.
	ErrChanged = errors.New("changed by the other tool")
	// ErrBusy: the tool holds its lock, and the wait for it ended.
	ErrBusy = errors.New("the other tool is refreshing the token")
)

// Digest is how a refresh token is recognised without being kept; "" for none.
func Digest(token secret.String) string { panic("not implemented") }

// File is the credential file of a tool. It keeps no state and is safe for
// concurrent use.
type File struct {
	path string
}

// Open names the file of a tool, which need not exist. getenv is os.Getenv but
// in tests.
func Open(tool string, getenv func(string) string) (*File, error) {
	return nil, errors.New("not implemented")
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Stamp changes whenever the file does; "" while it is missing. It costs one
// lstat.
func (f *File) Stamp() (string, error) { return "", errors.New("not implemented") }

// Read reads the file without a lock. A missing one is fs.ErrNotExist, one that
// the tool would not accept [ErrInvalid].
func (f *File) Read() (Contents, error) { return Contents{}, errors.New("not implemented") }

// Contents is what a tool's file says.
type Contents struct {
	AccessToken  secret.String
	RefreshToken secret.String
	TokenType    string
	ResourceURL  string
	// ExpiresAt is the end of the access token.
	ExpiresAt time.Time
}

// Lock is the tool's own lock, held. It is kept fresh until Release, so that
// the tool does not think it stale.
type Lock struct{}

// Lock takes the tool's lock, waiting as long as ctx allows; [ErrBusy] then.
// The caller holds our own rotation lock.
func (f *File) Lock(ctx context.Context) (*Lock, error) { return nil, errors.New("not implemented") }

// Read is [File.Read] under the lock; Write compares with what it saw.
func (l *Lock) Read() (Contents, error) { return Contents{}, errors.New("not implemented") }

// Write makes the file hold c's tokens, durably, with what else stands in it.
// [ErrChanged] if its refresh token is not the one that Read saw any more.
func (l *Lock) Write(c credential.Credential) error { return errors.New("not implemented") }

// Remove deletes the file, durably; ErrChanged as in Write.
func (l *Lock) Remove() error { return errors.New("not implemented") }

// Release gives the lock back, unless it has become somebody else's.
func (l *Lock) Release() error { return nil }

// Relation is how a tool's file stands to a credential.
type Relation int

// The relations.
const (
	// Missing: there is no file, or none that the tool accepts: ours is to be
	// written.
	Missing Relation = iota
	// Same: the file holds the credential's refresh token.
	Same
	// Ours: the tool has not changed the file since we saw it: the credential
	// is newer.
	Ours
	// Theirs: the tool has changed the file: its token is newer.
	Theirs
)

// Compare tells how found, read with err, stands to c.
func Compare(c credential.Credential, found Contents, err error) Relation { panic("not implemented") }

// Adopt is c with the tokens that the tool got, received now.
func Adopt(c credential.Credential, found Contents, now credential.Instant) credential.Credential {
	panic("not implemented")
}
