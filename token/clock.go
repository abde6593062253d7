package token

import (
	"time"

	"github.com/usherauth/usher/credential"
)

// Clock tells the time by which tokens are judged. Timers do not come from it:
// they are always real. Implementations are safe for concurrent use.
type Clock interface {
	// Now returns the wall time without a monotonic reading, the time since
	// boot including suspend, and the boot's id. An empty BootID means that
	// the time since boot is not known, and then wall time alone decides.
	Now() credential.Instant
}

// SystemClock returns the clock of this machine:
//
//   - Linux: CLOCK_BOOTTIME and the kernel's random boot id.
//   - macOS: CLOCK_MONOTONIC, which counts through sleep there, and
//     kern.bootsessionuuid.
//   - Windows: GetTickCount64, which counts through sleep, and the boot
//     counter of the registry.
//   - Elsewhere, or where one of these cannot be read: wall time alone.
func SystemClock() Clock {
	return systemClock{bootID: bootID()}
}

type systemClock struct{ bootID string }

func (c systemClock) Now() credential.Instant {
	// In UTC, which needs no file of time zones to be written down.
	now := credential.Instant{Wall: time.Now().Round(0).UTC()}
	if c.bootID == "" {
		return now
	}
	boot, ok := sinceBoot()
	if !ok {
		return now
	}
	now.Boot, now.BootID = boot, c.bootID
	return now
}

// Wall is the wall time alone, which is much cheaper to read.
func (systemClock) Wall() time.Time { return time.Now() }

// wallOf returns a function for the wall time of clock in nanoseconds since
// 1970. A clock that can tell it alone has a method Wall.
func wallOf(clock Clock) func() int64 {
	if w, ok := clock.(interface{ Wall() time.Time }); ok {
		return func() int64 { return w.Wall().UnixNano() }
	}
	return func() int64 { return clock.Now().Wall.UnixNano() }
}
