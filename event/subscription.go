package event

import (
	"context"

	"github.com/usherauth/usher/api"
)

// A Subscription is a position in a [Log]. It holds nothing in the log: whoever
// is done with it drops it. It is for one goroutine at a time.
type Subscription struct {
	log  *Log
	pos  uint64 // number of the event delivered last
	lost bool   // pos is not one of the log's
}

// Next returns the next event, waiting for it until ctx ends; then it returns
// the context's error. An event that is there already is returned even if ctx
// has ended, so that a stream being closed can still be emptied.
func (s *Subscription) Next(ctx context.Context) (api.Event, error) {
	for {
		e, wake := s.take()
		if wake == nil {
			return e, nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			// Both may be ready; what was appended before the end counts.
			if e, wake := s.take(); wake == nil {
				return e, nil
			}
			return api.Event{}, ctx.Err()
		}
	}
}

// Position is the id to subscribe with to continue where this subscription is.
// It is empty before the resync event of a subscription that was made with an
// id its log does not know.
func (s *Subscription) Position() string {
	if s.lost {
		return ""
	}
	return s.log.id(s.pos)
}

// take returns the next event, or the channel that is closed when there is one.
func (s *Subscription) take() (api.Event, <-chan struct{}) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.ring.Oldest()
	if s.lost || s.pos+1 < oldest {
		s.lost, s.pos = false, oldest-1
		return api.Event{ID: l.id(s.pos), Time: now(), Type: api.EventStreamResync}, nil
	}
	if s.pos == l.ring.Head() {
		return api.Event{}, l.ring.Wake()
	}
	s.pos++
	return l.ring.At(s.pos), nil
}
