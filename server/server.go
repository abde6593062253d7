package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

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
	// StrictLoopback, in the token-less mode, refuses to start, follow and end
	// logins too, as `qwen serve` did before 0.24.
	StrictLoopback bool
	// RequireAuth asks for the bearer on /health too; it excludes NoAuth.
	RequireAuth bool
	// AllowedOrigins are the origins of web pages that may use the daemon
	// besides its own, each in the form that [ParseOrigin] returns. "*" allows
	// every origin but the opaque one (null), and needs a Token. The owner's
	// socket allows none.
	AllowedOrigins []string
	// RateLimit bounds the requests of one client; nil is no limit. The owner's
	// socket has none.
	RateLimit *RateLimit
	// Hosts are Host values (name:port, lower case) to accept on TCP besides
	// those of the listener's own address. On an address that is not loopback
	// any host is accepted while Hosts is empty, and no other than these and
	// the address once it is not.
	Hosts []string
	// MaxConnections bounds the connections of each listener; 0 means 256.
	MaxConnections int
	// MaxStreams bounds the open streams of GET /v1/events; 0 means 64. Those
	// of sessions are bounded by session, and on each listener by half of
	// MaxConnections, since they last and would leave no place for requests.
	MaxStreams int
	// Workspace fills workspaceCwd on the compatible surface; it selects
	// nothing.
	Workspace string
	// Version is usher's version, shown by /capabilities.
	Version string
	// Extra are further handlers by path. A path that ends in a slash stands
	// for everything below it. They sit behind the gates 1 to 4, have their
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
	large   chan struct{} // the place of the one large body
	limits  *limiter      // nil for none
	began   time.Time
	status  atomic.Pointer[writtenStatus] // the last one

	sessionStreams atomic.Int64 // open ones, on all listeners

	// waiting ends when the server begins to stop, streaming when the
	// streams are to be closed.
	waiting, streaming         context.Context
	stopWaiting, stopStreaming context.CancelFunc

	// followers are the streams that net/http does not know of any more; see
	// [Server.detached]. following ends when they are given up.
	followers     sync.WaitGroup
	following     context.Context
	stopFollowing context.CancelFunc
}

// The defaults of the limits in [Config]. Connections are counted per listener,
// so that TCP cannot starve the owner's socket.
const (
	maxConnections = 256
	maxStreams     = 64
)

// New returns a server for c. It neither listens nor starts anything.
func New(c Config) (*Server, error) {
	switch {
	case c.Broker == nil:
		return nil, errors.New("configuring server: no broker")
	case c.NoAuth && !c.Token.IsZero():
		return nil, errors.New("configuring server: a token and no authentication exclude each other")
	case !c.NoAuth && c.Token.IsZero():
		return nil, errors.New("configuring server: no token")
	case c.MaxConnections < 0 || c.MaxStreams < 0:
		return nil, errors.New("configuring server: a limit is negative")
	case c.NoAuth && c.RequireAuth:
		return nil, errors.New("configuring server: to require authentication needs a token")
	}
	for _, origin := range c.AllowedOrigins {
		if _, err := ParseOrigin(origin); err != nil {
			return nil, fmt.Errorf("configuring server: %w", err)
		}
		if origin == anyOrigin && c.NoAuth {
			return nil, errors.New("configuring server: to allow every origin needs a token")
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.MaxConnections = cmp.Or(c.MaxConnections, maxConnections)
	c.MaxStreams = cmp.Or(c.MaxStreams, maxStreams)
	s := &Server{Config: c, streams: make(chan struct{}, c.MaxStreams), large: make(chan struct{}, 1), began: time.Now()}
	if c.RateLimit != nil {
		if c.RateLimit.Read < 0 || c.RateLimit.Mutation < 0 || c.RateLimit.Window < 0 {
			return nil, errors.New("configuring server: a rate limit is negative")
		}
		s.limits = newLimiter(*c.RateLimit)
	}
	s.waiting, s.stopWaiting = context.WithCancel(context.Background())
	s.streaming, s.stopStreaming = context.WithCancel(context.Background())
	s.following, s.stopFollowing = context.WithCancel(context.Background())
	return s, nil
}
