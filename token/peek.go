package token

import (
	"time"

	"github.com/usherauth/usher/credential"
)

// Peek returns c's access token if a [Manager] would hand it out at now just as
// it is, with no renewal due and nobody else's file to look at, to a reader who
// asks for minTTL. It is for programs that want one token and end, and need no
// manager for that in most cases.
func Peek(c credential.Credential, now credential.Instant, minTTL time.Duration) (Token, bool) {
	d := decide(c, now, minTTL, false)
	if d.verdict != serve || c.Kind != credential.Refreshable || c.Share.Tool != "" {
		return Token{}, false
	}
	t := tokenOf(c)
	t.Short = left(c, now) < minTTL
	return t, true
}
