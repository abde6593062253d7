//go:build !weakrefresh

package token

import (
	"time"

	"github.com/usherauth/usher/credential"
)

// The two rules of the refresh protocol that live here; the third, the lock, is
// the store's. The tag weakrefresh puts variants in their place, one rule
// switched off at a time, for the tests that measure what each is worth.

// read is the record whose token may be sent: the one read under the lock, not
// one from memory.
func (r *rotation) read() credential.Credential { return r.held.Record() }

// holdOffAfter is how long no second rotation may follow one during which an
// earlier request was lost.
func holdOffAfter(lifetime time.Duration) time.Duration { return holdOff(lifetime) }
