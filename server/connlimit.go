package server

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// connLimit bounds the connections of a listener that are open at a time. A
// newcomer takes the place of the one that has been without a whole request for
// the longest; while all are being answered, it waits.
type connLimit struct {
	net.Listener
	most int

	mu     sync.Mutex
	change sync.Cond // open, idle, closed, or answered while arriving
	open   map[*conn]bool
	idle   []*conn // of the open ones, the longest first
	closed bool

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
		if len(l.idle) == 0 {
			l.change.Wait()
			continue
		}
		oldest := l.idle[0]
		l.mu.Unlock()
		_ = oldest.Close()
		l.mu.Lock()
	}
	if len(l.open) >= l.most {
		_ = accepted.Close()
		return nil, net.ErrClosed
	}
	// Also when the listener has been closed since: nobody else will answer.
	c := &conn{Conn: accepted}
	c.since.Store(time.Now().UnixNano())
	c.gone = func() { l.remove(c) }
	l.open[c] = true
	l.idle = append(l.idle, c)
	return c, nil
}

// track is the ConnState of the listener's server. A connection is idle from
// its beginning, and from the end of an answer, until a request's header has
// been read: sending that slowly keeps no place.
func (l *connLimit) track(nc net.Conn, state http.ConnState) {
	c, ok := nc.(*conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok || !l.open[c] {
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		l.unlist(c)
	case http.StateIdle:
		l.idle = append(l.idle, c)
		l.change.Broadcast()
	}
}

func (l *connLimit) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlist(c)
	delete(l.open, c)
	l.change.Broadcast()
}

func (l *connLimit) unlist(c *conn) {
	if i := slices.Index(l.idle, c); i >= 0 {
		l.idle = slices.Delete(l.idle, i, i+1)
	}
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
