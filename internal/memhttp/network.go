package memhttp

import (
	"context"
	"net"
	"sync"
)

// Network joins a server and a client by connections that never leave the
// process, for tests in a testing/synctest bubble that need a real connection:
// one that breaks, drips or speaks nonsense. Where a handler's answer is all
// that matters, [Transport] is simpler.
//
// It is a [net.Listener] for one server; clients dial it with DialContext.
type Network struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewNetwork returns a network that is ready for Accept and DialContext.
func NewNetwork() *Network {
	return &Network{conns: make(chan net.Conn), done: make(chan struct{})}
}

// DialContext makes a connection to whoever accepts next, whatever the address.
func (n *Network) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener]. It is idempotent.
func (n *Network) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

// Addr implements [net.Listener]; it is 127.0.0.1:80.
func (n *Network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
