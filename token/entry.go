package token

import (
	"sync"
	"sync/atomic"

	"github.com/usherauth/usher/credential"
)

// entry is what memory holds of one key.
type entry struct {
	key  credential.Key
	snap atomic.Pointer[snapshot]
	// used is set by every read and cleared by the tick.
	used atomic.Bool
	// idle counts the ticks without a read; the tick alone uses it.
	idle int

	mu sync.Mutex
	// readings counts what was begun to be read from the store, rotations
	// included, and what was found gone; latest is the one that memory is from.
	readings, latest uint64
	flight           *flight // nil: none
	back             backOff
	watch            shareWatch
}

// begin returns the number of a reading that begins now.
func (e *entry) begin() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.readings++
	return e.readings
}

// publish replaces the snapshot by s, the result of reading, if s is of a later
// generation, or else was not begun before what memory is from. The order of
// generations alone is not enough: nothing in memory may mean a logout, and a
// store may have been put back.
func (e *entry) publish(reading uint64, s *snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.snap.Load()
	if old == nil || s.cred.Generation <= old.cred.Generation {
		unseen := old != nil && old.unstored && s.cred.Generation < old.cred.Generation
		if reading < e.latest || unseen {
			return
		}
	}
	e.latest = max(e.latest, reading)
	e.snap.Store(s)
}

// drop removes the snapshot of a credential that is gone. What was begun to be
// read before is not published after it.
func (e *entry) drop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dropLocked()
}

func (e *entry) dropLocked() {
	e.readings++
	e.latest = e.readings
	e.snap.Store(nil)
}

// forget is drop for a change that this process has made.
func (e *entry) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dropLocked()
	e.back = backOff{}
}

// settled reports whether a renewal of c is on its way already or not to be
// tried yet.
func (e *entry) settled(c credential.Credential) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flight != nil || e.back.errFor(c.Generation) != nil
}

// inFlight is the rotation that runs, or nil.
func (e *entry) inFlight() *flight {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flight
}

// rests reports whether a renewal of c in the background is not to be tried yet.
func (e *entry) rests(c credential.Credential) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flight != nil || e.back.rests(c.Generation)
}

// idleNow reports whether nothing but the snapshot would be lost with e.
func (e *entry) idleNow() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flight == nil && !e.back.remembers() && !e.watch.remembers()
}
