package event

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/ring"
)

// DefaultCapacity is the number of events a [Log] keeps unless told otherwise.
// With the few events a login has, it covers hundreds of logins.
const DefaultCapacity = 1024

// A Log numbers, keeps and hands out events. It is safe for concurrent use.
type Log struct {
	epoch string

	mu   sync.Mutex
	ring *ring.Ring[api.Event]
}

// New returns an empty log that keeps the last capacity events;
// [DefaultCapacity] if capacity is not positive.
func New(capacity int) *Log {
	if capacity <= 0 {
		capacity = DefaultCapacity
	}
	return &Log{
		epoch: strings.ToLower(rand.Text()[:12]),
		ring:  ring.New[api.Event](capacity, 0),
	}
}

// Append adds e to the log and returns it as it stands there: with its ID, and
// with the present as its Time if it had none.
func (l *Log) Append(e api.Event) api.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ID = l.id(l.ring.Head() + 1)
	// Set within the lock, so that times grow with the numbers.
	if e.Time.IsZero() {
		e.Time = now()
	}
	l.ring.Append(e)
	return e
}

// Subscribe returns a subscription that continues after the event lastID.
// With an empty lastID it begins with the next event that is appended.
// See the package comment for an id that the log does not hold (any more).
func (l *Log) Subscribe(lastID string) *Subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lastID == "" {
		return &Subscription{log: l, pos: l.ring.Head()}
	}
	pos, known := l.parse(lastID)
	return &Subscription{log: l, pos: pos, lost: !known}
}

func (l *Log) id(seq uint64) string { return l.epoch + "-" + strconv.FormatUint(seq, 10) }

// parse returns the number in id and whether id can be one of this log.
func (l *Log) parse(id string) (uint64, bool) {
	digits, ok := strings.CutPrefix(id, l.epoch+"-")
	if !ok {
		return 0, false
	}
	seq, err := strconv.ParseUint(digits, 10, 64)
	return seq, err == nil && seq <= l.ring.Head() && l.id(seq) == id
}

// now drops the monotonic reading: events are compared with stored times.
func now() time.Time { return time.Now().UTC().Round(0) }
