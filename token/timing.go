package token

import (
	"math"
	"time"

	"github.com/usherauth/usher/credential"
)

// This file holds the rules of time as pure functions. In all of them L is the
// lifetime the provider gave; 0 or less means it gave none, and then the token
// does not end by our clock.

const (
	maxMargin  = 30 * time.Second // a token is in flight for seconds, not minutes
	minEarly   = 30 * time.Second
	maxEarly   = 5 * time.Minute // time for a few failed attempts before the token ends
	maxSpacing = 30 * time.Second
	maxHoldOff = 30 * time.Second // outlasts what the network may still hold of a dead request

	// forever is what is left of a token without a known end.
	forever time.Duration = math.MaxInt64
)

// Margin is the least life a usable token has left: 30 s, or a fifth of L for
// tokens shorter than 150 s. It is 0 if L is.
func Margin(lifetime time.Duration) time.Duration {
	return min(maxMargin, max(lifetime, 0)/5)
}

// RefreshEarly is how long before its end a token is due for renewal: a fifth
// of L, within 30 s and 5 min, and at most a third of L. It is 0 if L is.
func RefreshEarly(lifetime time.Duration) time.Duration {
	lifetime = max(lifetime, 0)
	return min(max(minEarly, min(lifetime/5, maxEarly)), lifetime/3)
}

// Spacing is the least time between two rotations of a credential, unless its
// token is no longer usable: 30 s, or a third of L for tokens shorter than
// 90 s.
func Spacing(lifetime time.Duration) time.Duration {
	return min(maxSpacing, max(lifetime, 0)/3)
}

// need is the life that a token must have left for a caller who asks for
// minTTL. What no fresh token can have is not asked for: above L minus the
// spacing, a renewal would be due before the spacing allows it.
func need(lifetime, minTTL time.Duration) time.Duration {
	if lifetime <= 0 {
		return 0
	}
	return max(Margin(lifetime), min(minTTL, lifetime-Spacing(lifetime)))
}

// holdOff is how long no second rotation may follow one during which an
// earlier request was lost: 30 s, or half of L for tokens shorter than 60 s,
// where the protection is weaker because the token does not last longer.
func holdOff(lifetime time.Duration) time.Duration {
	if lifetime <= 0 {
		return maxHoldOff
	}
	return min(maxHoldOff, lifetime/2)
}

// age is how long ago c's token was received, by the clock that cannot be set
// where that is possible. It is false if nobody can tell: after a reboot, when
// the wall clock stands before the moment of receipt.
func age(c credential.Credential, now credential.Instant) (time.Duration, bool) {
	if sameBoot(c.Received, now) {
		return now.Boot - c.Received.Boot, true
	}
	d := now.Wall.Sub(c.Received.Wall)
	return d, d >= 0
}

// left is how much life c's access token has, the lesser of what the wall
// clock and the clock since boot say; at most L, and nothing if nobody can
// tell.
func left(c credential.Credential, now credential.Instant) time.Duration {
	if c.Lifetime <= 0 {
		return forever
	}
	byWall := c.Lifetime - now.Wall.Sub(c.Received.Wall)
	if sameBoot(c.Received, now) {
		return min(byWall, c.Lifetime-(now.Boot-c.Received.Boot))
	}
	if byWall > c.Lifetime {
		return 0
	}
	return byWall
}

func sameBoot(a, b credential.Instant) bool { return a.BootID != "" && a.BootID == b.BootID }

// heldOff reports whether c bars a rotation now, for how much longer, whatever
// the state of its token. A reboot ends every hold-off: what the network held
// of the dead request went with it.
func heldOff(c credential.Credential, now credential.Instant) (time.Duration, bool) {
	if c.HoldOffUntil.IsZero() {
		return 0, false
	}
	elapsed, known := age(c, now)
	wait := c.HoldOffUntil.Sub(c.Received.Wall) - elapsed
	return wait, known && wait > 0
}
