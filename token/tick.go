package token

import (
	"context"
	"maps"
	"time"

	"github.com/usherauth/usher/credential"
)

const (
	// tickPeriod is how soon another process's change shows.
	tickPeriod = time.Second
	// idleTicks is after how many ticks without a read a key leaves memory.
	idleTicks = 60
	// clockJump is how far the end of a token, worked out again, may move
	// before the first reckoning counts as wrong.
	clockJump = 5 * time.Second
)

// tick keeps memory true: once a second it looks at every key in it, until
// there are none.
func (m *Manager) tick() {
	defer m.running.Done()
	ticker := time.NewTicker(tickPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-m.closing.Done():
			return
		case <-ticker.C:
		}
		var unused []*entry
		for _, e := range *m.entries.Load() {
			if !m.look(e) {
				unused = append(unused, e)
			}
		}
		if !m.forgetAll(unused) {
			return
		}
	}
}

// look checks one key against the clocks and the store. It is false if nobody
// needs the key any more.
func (m *Manager) look(e *entry) bool {
	used := e.used.Swap(false)
	if used {
		e.idle = 0
	} else {
		e.idle++
	}
	s := e.snap.Load()
	if used && s != nil {
		m.noteRead(e.key)
	}
	if e.idle >= idleTicks {
		e.snap.Store(nil)
		return !e.idleNow()
	}
	if s == nil {
		return true
	}
	// A clock that was set changes how long the token lives by the other.
	again := m.snapshot(s.cred, s.stamp)
	if moved := time.Duration(again.until - s.until); moved.Abs() > clockJump {
		m.log.Info("clock jump", "key", e.key, "moves_expiry_by", moved)
		again.unstored = s.unstored
		e.snap.CompareAndSwap(s, again)
	}

	ctx, cancel := context.WithTimeout(m.closing, budget)
	defer cancel()
	stamp, err := m.cfg.Store.Stamp(ctx, e.key)
	if err == nil && (stamp != s.stamp || stamp == "") {
		// An error leaves what is in memory, unless the credential is gone.
		_, _ = m.load(ctx, e)
	}
	// Memory is all there is while the store cannot be asked.
	if s := e.snap.Load(); s != nil {
		m.watchShare(e, s.cred)
	}
	return true
}

// forgetAll removes entries that nobody read since they were found unused. It
// is false if none are left, and then the tick has ended.
func (m *Manager) forgetAll(unused []*entry) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := *m.entries.Load()
	if len(unused) > 0 {
		next := maps.Clone(entries)
		maps.DeleteFunc(next, func(_ credential.Key, e *entry) bool {
			for _, u := range unused {
				if u == e && !e.used.Load() {
					return true
				}
			}
			return false
		})
		m.entries.Store(&next)
		entries = next
	}
	m.ticking = len(entries) > 0
	return m.ticking
}
