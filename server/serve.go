package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The limits of connections. There is no bound on writing an answer as a
// whole, since long polls and streams last; each frame of a stream has one.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
	// stopTimeout is for answers that are on their way when all is settled.
	stopTimeout = 5 * time.Second
)

// A Listener is where a server is reached.
type Listener struct {
	net.Listener
	// Trusted tells that whoever connects has been authenticated as the
	// owner, by the peer's uid on a unix socket. No bearer is asked for.
	Trusted bool
}

// Serve serves on all listeners until ctx ends, and then stops as the package
// comment tells; it returns nil after that. It returns an error at once, with
// nothing served, for a token-less server on an address that is not loopback,
// and an error after the same orderly stop if a listener breaks. It closes the
// listeners in any case. It is called once.
func (s *Server) Serve(ctx context.Context, listeners ...Listener) error {
	if err := s.check(listeners); err != nil {
		for _, l := range listeners {
			_ = l.Close()
		}
		return err
	}
	var (
		servers []*http.Server
		limits  []*connLimit
	)
	broken := make(chan error, len(listeners))
	var accepting sync.WaitGroup
	for _, l := range listeners {
		limit := newConnLimit(l, s.MaxConnections)
		srv := s.httpServer(l, limit)
		servers, limits = append(servers, srv), append(limits, limit)
		accepting.Go(func() { broken <- srv.Serve(limit) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-broken:
		err = fmt.Errorf("serving: %w", err)
	}
	for _, limit := range limits {
		_ = limit.Close() // whoever comes now is better off without this daemon
	}
	accepting.Wait()
	for _, limit := range limits {
		limit.arrive(arrivalGrace)
	}
	s.stop(servers)
	return err
}

// check refuses what must not be served.
func (s *Server) check(listeners []Listener) error {
	if len(listeners) == 0 {
		return errors.New("serving: no listener")
	}
	for _, l := range listeners {
		if s.NoAuth && !l.Trusted && !loopback(l.Addr()) {
			return fmt.Errorf("serving on %s: without a token only loopback addresses are allowed", l.Addr())
		}
	}
	return nil
}

func (s *Server) httpServer(l Listener, limit *connLimit) *http.Server {
	return &http.Server{
		Handler:           limit.noteArrival(s.Handler(l.Addr(), l.Trusted)),
		ConnState:         limit.track,
		ConnContext:       withConn,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		// Else net/http answers OPTIONS * before the gates.
		DisableGeneralOptionsHandler: true,
	}
}

// stop ends the servers, which accept no more: streams last.
func (s *Server) stop(servers []*http.Server) {
	bound, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stopped sync.WaitGroup
	for _, srv := range servers {
		stopped.Go(func() {
			// Waits for what is in flight.
			if err := srv.Shutdown(bound); err != nil {
				s.Log.Warn("closing connections that are still open")
				_ = srv.Close()
			}
		})
	}
	s.stopWaiting()
	if s.Drain != nil {
		s.Drain()
	}
	s.stopStreaming()
	defer time.AfterFunc(stopTimeout, cancel).Stop()
	stopped.Wait()
	// No handler runs any more, so there are no more of these.
	context.AfterFunc(bound, s.stopFollowing)
	s.followers.Wait()
}
