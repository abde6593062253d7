package server

import (
	"context"
	"net"
	"net/http"
	"time"
)

// When a server stops, clients are on their way that had connected before. If
// its sockets live on, in the hands of a service manager, they would have been
// served by the next daemon; so this one serves them. net/http does not: what
// it reads after the beginning of Shutdown it drops without a word. And what is
// being answered is left alone for a moment before the broker is closed, or it
// would be answered with that.

// arrivalGrace is for the first request of somebody who connected just before
// the server stopped accepting, and for an answer that was just begun. What
// takes longer is a stream or waits for something, and has its own way to end.
const arrivalGrace = time.Second

type connKey struct{}

// withConn puts the connection where noteArrival finds it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// noteArrival has l know since when each connection is being answered.
func (l *connLimit) noteArrival(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.asked.Store(true)
			c.since.Store(time.Now().UnixNano())
			defer l.answered(c)
		}
		next.ServeHTTP(w, r)
	})
}

func (l *connLimit) answered(c *conn) {
	c.since.Store(0)
	if !c.taken {
		c.unused.Store(time.Now().UnixNano())
	}
	if l.arriving.Load() {
		l.rouse()
	}
}

// arrive waits, once nothing is accepted any more, for the answers to those who
// connected or asked within the last grace, at most until that is over. It
// hangs up on those who have said nothing by then.
func (l *connLimit) arrive(grace time.Duration) {
	l.arriving.Store(true)
	wake := time.AfterFunc(grace, l.rouse)
	defer wake.Stop()
	for _, c := range l.silent(grace) {
		_ = c.Close() // nothing was promised
	}
}

// silent waits for arrive, and returns the connections without any request.
func (l *connLimit) silent(grace time.Duration) (silent []*conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for over := time.Now().Add(grace); l.expects(grace) && time.Now().Before(over); {
		l.change.Wait()
	}
	for c := range l.open {
		if !c.asked.Load() {
			silent = append(silent, c)
		}
	}
	return silent
}

// expects reports whether somebody connected or asked within grace and has no
// answer yet.
func (l *connLimit) expects(grace time.Duration) bool {
	for c := range l.open {
		if since := c.since.Load(); since != 0 && time.Since(time.Unix(0, since)) < grace {
			return true
		}
	}
	return false
}
