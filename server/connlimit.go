package server

import (
	"net"
	"sync"
)

// connLimit bounds the connections of a listener that are open at a time.
// Further ones wait in the kernel's queue.
type connLimit struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	close func() error
}

func newConnLimit(l net.Listener, n int) *connLimit {
	done := make(chan struct{})
	return &connLimit{l, make(chan struct{}, n), done, sync.OnceValue(func() error {
		close(done)
		return l.Close()
	})}
}

// Accept waits for a free slot, then for a connection.
func (l *connLimit) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &conn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close also ends an Accept that waits for a slot.
func (l *connLimit) Close() error { return l.close() }
