package session

import "github.com/usherauth/usher/api"

// The bounds of a subscriber's backlog.
const (
	MinQueued     = 16
	MaxQueued     = 2048
	DefaultQueued = 256

	maxQueuedBytes = 2 << 20
	// A warning is due at three quarters of a bound, and another one only
	// after the backlog has shrunk to half of that.
	warnAt  = 0.75
	rearmAt = warnAt / 2
)

// pressure is what a subscriber is told that does not keep up. Only live
// events count.
func (s *Subscription) pressure() []byte {
	h := s.hub
	queued := int(h.ring.Head() - max(s.pos, s.start))
	bytes := h.bytes - s.end
	// A single event may be as large as it likes.
	if tooMany, tooMuch := queued > s.maxQueued, bytes > maxQueuedBytes && queued > 1; tooMany || tooMuch {
		s.over = true
		data := api.StreamEvictedData{
			Reason: "queue_overflow", DroppedAfter: int64(s.session.id(s.pos)),
			QueueSize: queued, MaxQueued: s.maxQueued, QueuedBytes: bytes, MaxQueuedBytes: maxQueuedBytes,
		}
		if !tooMany {
			data.Reason, data.EventBytes = "queue_bytes_overflow", h.ring.At(h.ring.Head()).size()
		}
		return s.notice(api.SessionClientEvicted, data)
	}
	frames, share := float64(queued)/float64(s.maxQueued), float64(bytes)/maxQueuedBytes
	switch {
	case max(frames, share) <= rearmAt:
		s.warned = false
	case max(frames, share) >= warnAt && !s.warned:
		s.warned = true
		return s.notice(api.SessionSlowClient, api.StreamSlowData{
			QueueSize: queued, MaxQueued: s.maxQueued, LastEventID: int64(s.session.id(h.ring.Head())),
			QueuedBytes: bytes, MaxQueuedBytes: maxQueuedBytes, Threshold: threshold(frames >= warnAt, share >= warnAt),
		})
	}
	return nil
}

// threshold names the bounds that a warning is about.
func threshold(frames, bytes bool) string {
	switch {
	case frames && bytes:
		return "frames_and_bytes"
	case bytes:
		return "bytes"
	default:
		return "frames"
	}
}
