package session

import (
	"errors"
	"time"

	"github.com/usherauth/usher/internal/uuid"
)

// The reasons to refuse.
var (
	ErrNotFound           = errors.New("session not found")
	ErrTooManySessions    = errors.New("too many sessions with open streams")
	ErrTooManySubscribers = errors.New("too many subscribers")
)

// Session is what is known of a session.
type Session struct {
	// ID is a UUID.
	ID string
	// Cwd is the folder its client named; it selects nothing.
	Cwd       string
	CreatedAt time.Time
}

// A session is a Session in a hub.
type session struct {
	Session
	base        uint64 // shared number of the last event before it
	used        time.Time
	subscribers int
	ended       bool // it was removed
}

func newSession(s Session, base uint64) *session {
	return &session{Session: s, base: base, used: s.CreatedAt}
}

// id is the number of the event seq in the session's stream.
func (s *session) id(seq uint64) uint64 { return seq - s.base }

// Create makes a session for a client in the folder cwd, whose name is at most
// [MaxCwd] long. It is durable when
// Create returns, unless the disk fails, which is logged and does not keep the
// session from working. With [MaxSessions] there are, the one without
// subscribers that was not used for the longest ends; if all have subscribers,
// the error is [ErrTooManySessions].
func (h *Hub) Create(cwd string) (Session, error) {
	h.saving.Lock()
	defer h.saving.Unlock()
	s, err := h.insert(Session{ID: uuid.New(), Cwd: cwd, CreatedAt: time.Now().UTC().Truncate(time.Millisecond)})
	if err != nil {
		return Session{}, err
	}
	h.save()
	return s, nil
}

func (h *Hub) insert(s Session) (Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.sessions) >= MaxSessions {
		oldest := h.leastUsed()
		if oldest == nil {
			return Session{}, ErrTooManySessions
		}
		h.remove(oldest)
	}
	h.sessions[s.ID] = newSession(s, h.ring.Head())
	return s, nil
}

// leastUsed is the session to give up for a new one; nil if all are in use.
func (h *Hub) leastUsed() (least *session) {
	for _, s := range h.sessions {
		if s.subscribers == 0 && (least == nil || s.used.Before(least.used)) {
			least = s
		}
	}
	return least
}

func (h *Hub) remove(s *session) {
	delete(h.sessions, s.ID)
	s.ended = true
	h.ring.Rouse() // its streams end
}

// Touch notes that a client uses the session. It reports whether there is one.
func (h *Hub) Touch(id string) (Session, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sessions[id]
	if !ok {
		return Session{}, false
	}
	s.used = time.Now()
	return s.Session, true
}

// Delete ends the session and its streams. It reports whether there was one.
func (h *Hub) Delete(id string) bool {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.mu.Lock()
	s, ok := h.sessions[id]
	if ok {
		h.remove(s)
	}
	h.mu.Unlock()
	if ok {
		h.save()
	}
	return ok
}
