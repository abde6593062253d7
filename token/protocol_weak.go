//go:build weakrefresh

package token

import (
	"os"
	"time"

	"github.com/usherauth/usher/credential"
)

// variant names the rule that is switched off. Never build with the tag
// weakrefresh but for the tests that measure what a rule is worth.
var variant = os.Getenv("USHER_REFRESH_VARIANT")

func (r *rotation) read() credential.Credential {
	if s := r.entry.snap.Load(); variant == "early-read" && s != nil {
		return s.cred // as decided on before the lock
	}
	return r.held.Record()
}

func holdOffAfter(lifetime time.Duration) time.Duration {
	if variant == "no-hold-off" {
		return 0
	}
	return holdOff(lifetime)
}
