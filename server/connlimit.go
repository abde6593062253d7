package server

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lingerGrace is how long the end of an answer may take while newcomers wait.
const lingerGrace = 100 * time.Millisecond

// connLimit bounds the connections of a listener that are open at a time. A
// newcomer takes the place of the one that has been without a whole request for
// the longest, or of one that does not take its answer or goes on sending after
// it; while all are being answered, it waits.
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
		oldest, soon := l.oldest()
		if oldest == nil {
			wake := time.AfterFunc(soon, l.rouse)
			l.change.Wait()
			wake.Stop()
			continue
		}
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

// oldest is the connection to give up for a newcomer. If there is none, there
// may soon be one, without a change.
func (l *connLimit) oldest() (c *conn, soon time.Duration) {
	if len(l.idle) > 0 {
		return l.idle[0], 0
	}
	soon = lingerGrace
	for c := range l.open {
		lingers := c.lingers()
		if lingers >= lingerGrace {
			return c, 0
		}
		soon = min(soon, lingerGrace-lingers)
	}
	return nil, soon
}

// rouse has everybody look again who waits for a change.
func (l *connLimit) rouse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change.Broadcast()
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
	case http.StateHijacked:
		c.taken = true
	case http.StateActive:
		c.ended.Store(0)
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
