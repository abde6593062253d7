package session

import (
	"strconv"
	"time"

	"github.com/usherauth/usher/internal/safetext"
)

// Options say how a subscription begins.
type Options struct {
	// LastEventID is the Last-Event-ID header: the event to continue after.
	// Anything but a number of decimal digits begins with the present.
	LastEventID string
	// Epoch is the X-Qwen-Event-Epoch header: the epoch in which LastEventID
	// was given. Empty, or not in the form of one, does not say.
	Epoch string
	// MaxQueued bounds the events that the subscriber may lag behind, from
	// [MinQueued] to [MaxQueued]; 0 means [DefaultQueued].
	MaxQueued int
}

// Subscribe returns a subscription to the session. Errors are [ErrNotFound]
// and [ErrTooManySubscribers].
//
// Without an id to continue after, it shows what is published from now on.
// With one, it begins with what was published since and a replay_complete
// frame. If something of that is not there any more, or the id is from another
// epoch, a state_resync_required frame comes first and then all there is.
func (h *Hub) Subscribe(id string, o Options) (*Subscription, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	in, ok := h.sessions[id]
	switch {
	case !ok:
		return nil, ErrNotFound
	case in.subscribers >= MaxSubscribers:
		return nil, ErrTooManySubscribers
	}
	in.subscribers++
	h.subscribers++
	in.used = time.Now()
	head := h.ring.Head()
	s := &Subscription{hub: h, session: in, pos: head, end: h.bytes, start: head, owed: head, maxQueued: o.MaxQueued}
	if s.maxQueued == 0 {
		s.maxQueued = DefaultQueued
	}
	if last, ok := parseEventID(o.LastEventID); ok {
		s.resume(last, o.Epoch)
	}
	return s, nil
}

// resume continues after the event with the id last.
func (s *Subscription) resume(last uint64, epoch string) {
	s.replaying = true
	switch {
	case epoch != s.hub.epoch && safetext.Word(epoch, "_-", 1, 64):
		s.resync = s.lost("epoch_reset", last)
		s.resync.Detail = "epoch_mismatch"
	case last > s.session.id(s.start):
		s.resync = s.lost("epoch_reset", last)
	case s.session.base+last+1 < s.oldest():
		s.resync = s.lost("ring_evicted", last)
	default:
		s.pos = s.session.base + last
	}
}

// parseEventID reads a number that a session can have given out.
func parseEventID(text string) (uint64, bool) {
	// Only digits: the parser would take an underscore or a sign too.
	if !safetext.Word(text, "", 1, 64) {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && n <= maxNumber
}
