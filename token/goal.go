package token

import (
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// plan is what a rotation is started with.
type plan struct {
	goal       goal
	seen       uint64        // generation that was decided on
	minTTL     time.Duration // what the reader asked for, for goalLife
	rejected   secret.String // for goalReplace
	first      bool          // for goalShare: the tool did not have the credential yet
	background bool          // started by Tend
}

// goal is what a rotation is for. Readers of any kind share one rotation: who
// joins one with another goal decides again when it has ended.
type goal int

const (
	// goalLife: an access token with life enough for minTTL.
	goalLife goal = iota
	// goalKeepAlive: a refresh token that does not end unused.
	goalKeepAlive
	// goalReplace: another access token than one that a resource rejected.
	goalReplace
	// goalShare: the file of the tool that shares the credential in step.
	// Nothing is renewed for it.
	goalShare
)

// due reports whether c, as read under the lock, is still to be renewed.
func (r *rotation) due(c credential.Credential) bool {
	switch r.goal {
	case goalLife:
		verdict := r.m.decide(c, r.minTTL).verdict
		return verdict == renew || verdict == serveAndRenew
	case goalKeepAlive:
		return r.m.dueToKeepAlive(c, r.m.clock.Now())
	case goalReplace:
		return r.m.replaceable(c, r.rejected)
	}
	return false
}

// replaceable reports whether c still has the rejected access token and may be
// renewed now. One that was renewed a moment ago may not: what rejects every
// token must not have them renewed in a loop.
func (m *Manager) replaceable(c credential.Credential, rejected secret.String) bool {
	return c.AccessToken.Equal(rejected) && m.mayRenew(c, m.clock.Now())
}

// mayRenew reports whether nothing bars a renewal of c that is not urgent.
func (m *Manager) mayRenew(c credential.Credential, now credential.Instant) bool {
	if loginCause(c, m.cfg.Renewers[c.Kind] != nil) != "" {
		return false
	}
	if _, held := heldOff(c, now); held {
		return false
	}
	return spaced(c, now)
}
