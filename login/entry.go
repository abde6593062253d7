package login

import (
	"sync"
	"time"

	"github.com/usherauth/usher/credential"
)

// entry is what this process knows of one login. There may be very many.
// Locks are taken in the order op, say, mu.
type entry struct {
	provider string // of the login's key

	// op serialises this process's transitions of the login, and is held
	// across their store calls, but for Settle; the store's version
	// arbitrates between processes. A store call may hang, so nothing that
	// must happen waits for it.
	op sync.Mutex
	// say is held from a change of the state to its having been told, so that
	// events are in order.
	say sync.Mutex

	mu       sync.Mutex
	record   record
	owned    bool
	settling bool // this process is storing the credential
	unsaved  bool // it ended here, but the store could not be told yet
	unsure   bool // an answer with a token may have been lost
	calling  bool // the provider's code runs for this login
	slowed   bool // the provider asked for slow_down, as far as this process has seen

	trouble      string
	troubles     int32 // in a row
	waiters      int32
	lastPolledAt int64 // Unix time in ns, 0 for never
	nextPollAt   int64 // likewise, 0 if none will come
	deadline     time.Duration
	taker        string        // the client id whose joining was told last
	changed      chan struct{} // closed at the next change; made when somebody waits

	due   time.Duration // guarded by the schedule
	place int32         // guarded by the schedule
}

func newEntry(l credential.Login) *entry {
	r := makeRecord(l)
	return &entry{provider: r.common.Value().provider, record: r}
}

func (e *entry) snapshot() Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.snapshotLocked()
}

func (e *entry) snapshotLocked() Snapshot {
	s := Snapshot{Login: e.record.login(), LastPolledAt: local(e.lastPolledAt), Slowed: e.slowed, Trouble: e.trouble}
	if e.owned && s.Status() == credential.LoginPending {
		s.NextPollAt = local(e.nextPollAt)
	}
	return s
}

func local(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

func (e *entry) login() credential.Login { return e.snapshot().Login }

func (e *entry) id() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.record.id
}

func (e *entry) status() credential.LoginStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.record.status()
}

func (e *entry) live() bool { return e.status().Live() }

func (e *entry) version() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.record.version
}

func (e *entry) setSettling(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settling = on
}

func (e *entry) isSettling() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.settling
}

func (e *entry) isUnsaved() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unsaved
}

// saveable reports whether the end of e still has to be stored, and may be now:
// while a settle of ours is under way, nobody knows what the store holds.
func (e *entry) saveable() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unsaved && !e.settling
}

func (e *entry) ownedNow() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.owned
}

// saved takes l as the stored end of e.
func (e *entry) saved(l credential.Login) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.record, e.unsaved = makeRecord(l), false
}

// takenBy notes that the client id by joined, and reports whether that is
// worth telling: it is someone, someone else, and was not told just now.
func (e *entry) takenBy(by string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if by == "" || by == e.record.initiator || by == e.taker {
		return false
	}
	e.taker = by
	return true
}

// wait returns the login and a channel that is closed at its next change.
func (e *entry) wait() (Snapshot, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return e.snapshotLocked(), e.changed
}

// wake wakes those who wait for a change. It is called after the change was
// told, so that an event is out before anyone acts on what it tells.
func (e *entry) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

func (e *entry) unwatch() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiters--
}
