package session

import (
	"time"

	"github.com/usherauth/usher/api"
)

// A Subscription is a position in the stream of a session. It is for one
// goroutine at a time, and ends with Close.
type Subscription struct {
	hub     *Hub
	session *session

	pos   uint64 // shared number of the event taken last
	end   int64  // Hub.bytes at pos, or where the live events begin if that is later
	start uint64 // newest event when it subscribed: what comes after it is live
	owed  uint64 // newest live event whose fate is settled; [start, pos]

	resync    *api.StreamResyncData // due before anything else
	replaying bool                  // replay_complete is due when pos reaches start
	replayed  int

	maxQueued int
	warned    bool
	taken     *entry // handed out, and not known yet to be written
	over      bool
	released  bool
	buf       []byte
}

// Take returns the next frame, ready to be written and valid until the next
// call. Calling Take says that the frame before has been written; who could
// not write it calls Close instead. Without a frame there is a channel, which
// is closed when there may be one. Neither means that the stream is over: the
// client was too slow or the session ended.
func (s *Subscription) Take() (frame []byte, wait <-chan struct{}) {
	h := s.hub
	h.mu.Lock()
	lost := s.written()
	frame = s.next()
	switch {
	case frame == nil && !s.over:
		wait = h.ring.Wake()
	case s.over:
		lost = append(lost, s.release()...)
	}
	h.mu.Unlock()
	h.undelivered(lost)
	return frame, wait
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	s.over = true
	lost := s.release()
	s.hub.mu.Unlock()
	s.hub.undelivered(lost)
}

// next is the next frame, nil if there is none. All that follows is called
// with the hub's mu held.
func (s *Subscription) next() []byte {
	if s.over = s.over || s.session.ended; s.over {
		return nil
	}
	if s.resync == nil && s.pos+1 < s.oldest() {
		s.resync = s.lost("ring_evicted", s.session.id(s.pos))
	}
	if s.resync != nil {
		data := *s.resync
		s.resync = nil
		return s.notice(api.SessionResyncRequired, data)
	}
	if s.replaying && s.pos >= s.start {
		s.replaying = false
		return s.notice(api.SessionReplayComplete, s.replayedData())
	}
	if frame := s.pressure(); frame != nil {
		return frame
	}
	if s.pos == s.hub.ring.Head() {
		return nil
	}
	return s.event()
}

// event takes the next event.
func (s *Subscription) event() []byte {
	s.pos++
	e := s.hub.ring.At(s.pos)
	s.taken = e
	if s.pos > s.start {
		s.end = e.end
	} else {
		s.replayed++
	}
	s.buf = e.appendFrame(s.buf[:0], s.session.id(s.pos))
	return s.buf
}

func (s *Subscription) notice(typ string, data any) []byte {
	s.buf = appendNotice(s.buf[:0], typ, data)
	return s.buf
}

// oldest is the number of the session's oldest event that can be replayed.
func (s *Subscription) oldest() uint64 {
	return max(s.hub.ring.Oldest(), s.session.base+1)
}

// lost puts the subscription before the oldest event there is, for a client
// whose last event was the one with the id last.
func (s *Subscription) lost(reason string, last uint64) *api.StreamResyncData {
	oldest := s.oldest()
	s.pos = oldest - 1
	if s.pos > s.start {
		s.end = s.hub.ring.At(oldest).end - s.hub.ring.At(oldest).size()
	}
	return &api.StreamResyncData{
		Reason: reason, LastDeliveredID: int64(last), EarliestAvailableID: int64(s.session.id(oldest)),
	}
}

func (s *Subscription) replayedData() (data api.StreamReplayedData) {
	if data.ReplayedCount = s.replayed; s.replayed > 0 {
		data.LastReplayedEventID = int64(s.session.id(s.start))
		data.LastEventID = data.LastReplayedEventID
	}
	return data
}

// written notes that the frame handed out last has been written.
func (s *Subscription) written() []*entry {
	if s.taken == nil {
		return nil
	}
	s.taken.delivered = true
	s.taken = nil
	return s.settle(s.pos)
}

// settle takes the subscriber off the live events up to seq, and returns those
// that now can reach nobody any more and have reached nobody. Events that the
// ring dropped were settled then.
func (s *Subscription) settle(seq uint64) (lost []*entry) {
	for n := max(s.owed+1, s.hub.ring.Oldest()); n <= seq; n++ {
		e := s.hub.ring.At(n)
		e.waiting--
		if e.waiting == 0 && !e.delivered {
			lost = append(lost, e)
		}
	}
	s.owed = max(s.owed, seq)
	return lost
}

// release gives back what the hub counts of the subscription.
func (s *Subscription) release() []*entry {
	if s.released {
		return nil
	}
	s.released = true
	s.session.subscribers--
	s.hub.subscribers--
	s.session.used = time.Now()
	s.taken = nil
	return s.settle(s.hub.ring.Head())
}
