package broker

import (
	"sync"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/promtext"
	"github.com/usherauth/usher/token"
)

// results are those of a rotation, in the order in which metrics show them.
var results = []token.Result{
	token.ResultRefreshed, token.ResultAdopted, token.ResultRefused, token.ResultSuperseded,
	token.ResultProvider, token.ResultStore, token.ResultBusy,
}

// tallies counts what the token manager tells, since this process began.
type tallies struct {
	lockWait, took *promtext.Histogram

	mu       sync.Mutex
	keys     map[credential.Key]*tally
	unstored map[credential.Key]bool // rotations whose token is not stored yet
}

// tally is what is counted of one key.
type tally struct {
	ended               map[token.Result]uint64
	last                token.Result // "" before the first
	requests, ambiguous uint64
	shareFailed         uint64
}

func newTallies() *tallies {
	return &tallies{
		// From a lock that is free to the budget of a whole rotation.
		lockWait: promtext.NewHistogram(0.001, 0.01, 0.1, 0.5, 1, 5, 15, 30, 60),
		took:     promtext.NewHistogram(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
		keys:     map[credential.Key]*tally{},
		unstored: map[credential.Key]bool{},
	}
}

// count takes an event of the token manager into account.
func (t *tallies) count(e token.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := e.Credential.Key
	switch e.Type {
	case token.Unstored:
		t.unstored[key] = true
	case token.ShareFailed:
		t.of(key).shareFailed++
	case token.Finished:
		delete(t.unstored, key)
		of := t.of(key)
		of.ended[e.Report.Result]++
		of.last = e.Report.Result
		of.requests += uint64(e.Report.Requests)
		of.ambiguous += uint64(e.Report.Ambiguous)
		t.lockWait.Observe(e.Report.LockWait.Seconds())
		t.took.Observe(e.Report.Took.Seconds())
	}
}

// of is the tally of key. The caller holds t.mu.
func (t *tallies) of(key credential.Key) *tally {
	of := t.keys[key]
	if of == nil {
		of = &tally{ended: map[token.Result]uint64{}}
		t.keys[key] = of
	}
	return of
}

// forget drops what was counted of keys that are none of these.
func (t *tallies) forget(but []credential.Credential) {
	left := make(map[credential.Key]*tally, len(but))
	for _, c := range but {
		if of := t.keys[c.Key]; of != nil {
			left[c.Key] = of
		}
	}
	t.keys = left
}
