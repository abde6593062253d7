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
	// epoch counts the calls of forget: what was read before one is not
	// published after it.
	epoch  uint64
	flight *flight // nil: none
	back   backOff
	watch  shareWatch
}

// publish replaces the snapshot, unless the entry was forgotten after epoch, or
// s is a late reading from before a rotation that the store has yet to show.
func (e *entry) publish(epoch uint64, s *snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.epoch != epoch {
		return
	}
	old := e.snap.Load()
	if old != nil && old.stamp == "" && old.cred.Generation > s.cred.Generation {
		return
	}
	e.snap.Store(s)
}

// drop removes the snapshot, unless the entry was forgotten after epoch.
func (e *entry) drop(epoch uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.epoch == epoch {
		e.snap.Store(nil)
	}
}

func (e *entry) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.epoch++
	e.snap.Store(nil)
	e.back = backOff{}
}

func (e *entry) currentEpoch() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.epoch
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
	return e.flight == nil && !e.back.remembers()
}
