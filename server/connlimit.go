package server

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// roomGrace is what a connection has to send a whole request, and to take the
// end of an answer, while newcomers wait.
const roomGrace = 100 * time.Millisecond

// connLimit bounds the connections of a listener that are open at a time. A
// newcomer takes the place of the one that nothing has been worked on for the
// longest: that is silent, sends its request slowly, or does not take its
// answer. While all are being worked on, it waits for the first answer.
type connLimit struct {
	net.Listener
	most int

	mu     sync.Mutex
	change sync.Cond // open, closed, or answered while arriving
	open   map[*conn]bool
	closed bool

	crowded  atomic.Bool // a newcomer waits
	arriving atomic.Bool // see arrive
}

func newConnLimit(l net.Listener, most int) *connLimit {
	limit := &connLimit{Listener: l, most: most, open: make(map[*conn]bool)}
	limit.change.L = &limit.mu
	return limit
}

// Accept waits for a connection, then for a place.
func (l *connLimit) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.open) >= l.most && !l.closed {
		oldest, soon := l.oldest()
		if oldest == nil {
			l.crowded.Store(true)
			wake := time.AfterFunc(soon, l.rouse)
			l.change.Wait()
			wake.Stop()
			continue
		}
		l.mu.Unlock()
		_ = oldest.Close()
		l.mu.Lock()
	}
	l.crowded.Store(false)
	if len(l.open) >= l.most {
		_ = accepted.Close()
		return nil, net.ErrClosed
	}
	// Also when the listener has been closed since: nobody else will answer.
	c := &conn{Conn: accepted}
	now := time.Now().UnixNano()
	c.since.Store(now)
	c.unused.Store(now)
	c.gone = func() { l.remove(c) }
	l.open[c] = true
	return c, nil
}

// oldest is the connection to give up for a newcomer; if there is none, there
// may be one soon.
func (l *connLimit) oldest() (c *conn, soon time.Duration) {
	since := time.Now().UnixNano()
	for candidate := range l.open {
		if unused := candidate.unused.Load(); unused != 0 && unused < since {
			c, since = candidate, unused
		}
	}
	if soon = roomGrace - time.Since(time.Unix(0, since)); soon > 0 {
		return nil, soon
	}
	return c, 0
}

// rouse has everybody look again who waits for a change.
func (l *connLimit) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change.Broadcast()
}

// track is the ConnState of the listener's server. A connection is worked on
// from the moment a request's header has been read: sending that slowly keeps no
// place. Nor does asking all the time.
func (l *connLimit) track(nc net.Conn, state http.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		c.unused.Store(0)
	case http.StateHijacked:
		c.taken = true
	case http.StateIdle: // the answer is out, whole
		if l.crowded.Load() {
			_ = c.Close()
		}
	}
}

func (l *connLimit) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	l.change.Broadcast()
}

// Close also ends an Accept that waits for a place. It is idempotent.
func (l *connLimit) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.change.Broadcast()
	return l.Listener.Close()
}
