package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/usherauth/usher/secret"
)

// Config says what a [Server] serves and to whom.
type Config struct {
	// Broker does the work; required.
	Broker Broker
	// Token is what clients present as bearer (RFC 6750) on TCP. Required
	// unless NoAuth is set.
	Token secret.String
	// NoAuth is the token-less mode of `qwen serve`: no bearer is asked for,
	// and what yields tokens or credentials is refused. Serve allows it on
	// loopback addresses only. It excludes Token.
	NoAuth bool
	// StrictLoopback, in the token-less mode, refuses the device-flow routes
	// too, as `qwen serve` did before 0.24.
	StrictLoopback bool
	// Hosts are Host values (name:port, lower case) to accept on TCP besides
	// those of the listener's own address. On an address that is not loopback
	// any host is accepted while Hosts is empty, and no other than these and
	// the address once it is not.
	Hosts []string
	// Workspace fills workspaceCwd on the compatible surface; it selects
	// nothing.
	Workspace string
	// Version is usher's version, shown by /capabilities.
	Version string
	// Extra are further handlers by path. A path that ends in a slash stands
	// for everything below it. They sit behind the gates 1 to 3, have their
	// own limits for bodies, and are asked after the server's own routes.
	Extra map[string]http.Handler
	// Drain is called once when the server has stopped accepting, while the
	// event streams are still open; nil for nothing. It is where the broker
	// is closed, which has its own bounds.
	Drain func()
	// Log gets one record per request at debug level, and the panics; nil
	// discards. It never gets paths, queries or headers.
	Log *slog.Logger
}

// Server serves one broker. It is safe for concurrent use.
type Server struct {
	Config
	streams chan struct{} // one slot per open event stream

	// waiting ends when the server begins to stop, streaming when the
	// streams are to be closed.
	waiting, streaming         context.Context
	stopWaiting, stopStreaming context.CancelFunc
}

// maxStreams bounds the event streams of all clients together.
const maxStreams = 64

// New returns a server for c. It neither listens nor starts anything.
func New(c Config) (*Server, error) {
	switch {
	case c.Broker == nil:
		return nil, errors.New("configuring server: no broker")
	case c.NoAuth && !c.Token.IsZero():
		return nil, errors.New("configuring server: a token and no authentication exclude each other")
	case !c.NoAuth && c.Token.IsZero():
		return nil, errors.New("configuring server: no token")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: c, streams: make(chan struct{}, maxStreams)}
	s.waiting, s.stopWaiting = context.WithCancel(context.Background())
	s.streaming, s.stopStreaming = context.WithCancel(context.Background())
	return s, nil
}
