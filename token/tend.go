package token

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/usherauth/usher/credential"
)

const (
	// leastInUse is how long after a read a credential counts as in use, for
	// tokens shorter than a third of it.
	leastInUse = time.Hour
	// maxInUse bounds what follows from a lifetime.
	maxInUse = 10 * 365 * 24 * time.Hour
	// maxBackground is how many rotations Tend lets run at once, and how many it
	// begins within one throttlePeriod: after a sleep everything is due in the
	// same second.
	maxBackground  = 4
	throttlePeriod = time.Second
)

// Tend keeps c, a stored credential, ready for those who will ask: it renews it
// in the background when that is due, and sees that the tool it is shared with
// has it. A daemon calls it for every stored credential once a second; it
// returns at once.
//
// In use is what was read through this manager within the last hour, or thrice
// its lifetime if that is longer, or could have been, since the manager is
// younger. It is renewed [RefreshEarly] before its end, each credential a little
// later by chance, but never so late that its token stops being usable. What is
// not in use is left to end, but for its refresh token: that is renewed when a
// third of its life is left, where its end is known, and after half of
// [Config].KeepAlive unused. A credential that needs a login is left alone.
func (m *Manager) Tend(c credential.Credential) {
	e := (*m.entries.Load())[c.Key]
	if e != nil {
		if s := e.snap.Load(); s != nil && s.cred.Generation > c.Generation {
			return // listed before it was renewed
		}
	}
	now := m.clock.Now()
	goal, due := m.dueInBackground(c, now)
	if !due && c.Share.Tool == "" {
		return
	}
	e, err := m.entryOf(c.Key)
	if err != nil {
		return
	}
	m.watchShare(e, c)
	if !due || e.rests(c) || !m.background.begin() {
		return
	}
	p := plan{goal: goal, seen: c.Generation, background: true}
	if _, planned, _ := m.start(context.Background(), e, p); !planned {
		m.background.end()
	}
}

// dueInBackground reports whether c is due at now without anybody asking, and
// for what.
func (m *Manager) dueInBackground(c credential.Credential, now credential.Instant) (goal, bool) {
	if c.State != credential.Active || !m.mayRenew(c, now) {
		return 0, false
	}
	if c.Lifetime > 0 && m.inUse(c) && left(c, now) <= RefreshEarly(c.Lifetime)-m.jitter(c) {
		return goalLife, true
	}
	return goalKeepAlive, m.dueToKeepAlive(c, now)
}

// dueToKeepAlive reports whether c's refresh token is to be renewed lest it end
// unused.
func (m *Manager) dueToKeepAlive(c credential.Credential, now credential.Instant) bool {
	if c.State != credential.Active || !m.mayRenew(c, now) {
		return false
	}
	elapsed, known := age(c, now)
	if !known {
		return false
	}
	if life := c.RefreshExpiresAt.Sub(c.Received.Wall); !c.RefreshExpiresAt.IsZero() && life > 0 && elapsed > life-life/3 {
		return true
	}
	if m.cfg.KeepAlive == nil {
		return false
	}
	idle := m.cfg.KeepAlive(c)
	return idle > 0 && elapsed >= idle/2
}

// jitter is how much later than others c is renewed in the background: up to a
// tenth of its lifetime and half of the time there is, the same for all calls
// about one generation.
func (m *Manager) jitter(c credential.Credential) time.Duration {
	most := min(c.Lifetime/10, (RefreshEarly(c.Lifetime)-Margin(c.Lifetime))/2)
	if most <= 0 {
		return 0
	}
	type id struct {
		key        credential.Key
		generation uint64
	}
	return time.Duration(maphash.Comparable(m.seed, id{c.Key, c.Generation}) % uint64(most))
}

// inUse reports whether c is likely to be read again.
func (m *Manager) inUse(c credential.Credential) bool {
	m.mu.Lock()
	last, ok := m.reads[c.Key]
	m.mu.Unlock()
	if !ok {
		last = m.started
	}
	return time.Since(last) < max(leastInUse, 3*min(c.Lifetime, maxInUse))
}

// noteRead remembers that key was read about now.
func (m *Manager) noteRead(key credential.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads[key] = time.Now()
}

// throttle bounds what Tend starts. The zero throttle is ready for use.
type throttle struct {
	mu      sync.Mutex
	running int
	period  time.Time // began then
	begun   int       // in that period
}

// begin reports whether another one may start; if so, end is to be called.
func (t *throttle) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.period) >= throttlePeriod {
		t.period, t.begun = now, 0
	}
	if t.running == maxBackground || t.begun == maxBackground {
		return false
	}
	t.running++
	t.begun++
	return true
}

func (t *throttle) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running--
}
