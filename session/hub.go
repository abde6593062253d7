package session

import (
	"log/slog"
	"sync"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/failpoint"
	"github.com/usherauth/usher/internal/ring"
	"github.com/usherauth/usher/internal/uuid"
)

// The limits of the contract.
const (
	// MaxSessions bounds the sessions. One more takes the place of the one
	// that nobody has used for the longest.
	MaxSessions = 256
	// MaxSubscribers bounds the streams of one session that are open at a time.
	MaxSubscribers = 64
	// DefaultRing is the number of events that are kept for replay.
	DefaultRing = 8000
	// MaxCwd bounds the name of a session's folder, in bytes.
	MaxCwd = 4096
)

// Config is what a [Hub] is made of. The zero value works.
type Config struct {
	// Path is the file that keeps the sessions over restarts; its folder must
	// exist, and this process must be the only one that uses it. Empty keeps
	// them in memory only.
	Path string
	// Ring is the number of events kept for replay; 0 means [DefaultRing].
	Ring int
	// Undelivered is told of an event that had subscribers when it was
	// published and could be written to none of them: its type, and what it
	// is about. It is called from any goroutine and must not call the hub;
	// nil means nobody is told.
	Undelivered func(typ, about string)
	// Log gets warnings about the file; nil means nothing is logged.
	Log *slog.Logger
}

// A Hub holds the sessions and hands out their events. It is safe for
// concurrent use.
type Hub struct {
	cfg   Config
	epoch string

	// The locks, in the order in which they are taken. Only mu is taken by
	// who follows events, and it is never held over a write to the disk.
	publishing sync.Mutex // held by Publish, so that events keep their order
	saving     sync.Mutex // held by who changes the sessions or writes the file
	mu         sync.Mutex

	ring        *ring.Ring[*entry]
	bytes       int64  // of all events so far
	reserved    uint64 // numbers up to here may be given out to sessions
	sessions    map[string]*session
	subscribers int // of all sessions
}

// An entry is an event in the ring.
type entry struct {
	event
	end int64 // Hub.bytes with this event

	waiting   int  // subscribers that may still get it as a live event
	delivered bool // at least one subscriber, of whatever kind, got it
}

// Open returns a hub with the sessions that c.Path keeps. A file that cannot
// be used is logged and counts as empty.
func Open(c Config) *Hub {
	if c.Ring <= 0 {
		c.Ring = DefaultRing
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{cfg: c, epoch: uuid.New(), sessions: make(map[string]*session)}
	h.load()
	h.ring = ring.New[*entry](c.Ring, h.reserved)
	return h
}

// Epoch names this hub's numbering; each process has its own.
func (h *Hub) Epoch() string { return h.epoch }

// Publish adds an event to the streams of all sessions. Of e, Type, Data and
// OriginatorClientID are used; the number and the time are set here. about
// names the event to [Config.Undelivered]. Subscribers do not hold it up; once
// in [reserveBlock] events it waits for the disk.
func (h *Hub) Publish(about string, e api.SessionEvent) {
	h.publishing.Lock()
	defer h.publishing.Unlock()
	e.Meta = &api.SessionEventMeta{ServerTimestamp: time.Now().UnixMilli()}
	encoded, err := encode(e)
	if err != nil {
		h.cfg.Log.Error("encoding session event", "type", e.Type, "error", err)
		return
	}
	encoded.about = about
	h.reserveNext()
	if lost := h.add(&entry{event: encoded}); lost != nil {
		h.undelivered(lost)
	}
	failpoint.Hit("session.appended")
}

// add appends e and returns the event that had to go for it, if nobody got
// that one.
func (h *Hub) add(e *entry) (lost []*entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ring.Full() {
		if old := h.ring.At(h.ring.Oldest()); old.waiting > 0 && !old.delivered {
			lost = append(lost, old)
		}
	}
	h.bytes += e.size()
	e.end, e.waiting = h.bytes, h.subscribers
	h.ring.Append(e)
	return lost
}

func (h *Hub) undelivered(lost []*entry) {
	if h.cfg.Undelivered == nil {
		return
	}
	for _, e := range lost {
		h.cfg.Undelivered(e.typ, e.about)
	}
}
