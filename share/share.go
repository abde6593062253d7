// Package share keeps a credential in step with the file in which another tool
// keeps the same tokens: the tool refreshes them as well, and a refresh token
// must be spent by one of the two only. Start with [Open].
//
// It knows the tool's file and the tool's lock. What follows from them is for
// package token to decide, under our own lock, which comes first.
package share

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

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

// IsMissing reports whether a file that was read with err counts as missing.
func IsMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrInvalid) }

// Contents is what a tool's file says.
type Contents struct {
	AccessToken  secret.String
	RefreshToken secret.String
	TokenType    string
	// ResourceURL is where API calls go; empty if the file does not say.
	ResourceURL string
	// ExpiresAt is the end of the access token.
	ExpiresAt time.Time
}

// Digest is how a refresh token is recognised without being kept; "" for none.
func Digest(token secret.String) string {
	if token.IsZero() {
		return ""
	}
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}
