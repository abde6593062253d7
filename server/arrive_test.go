package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/usherauth/usher/server"
)

// A watched listener tells when it has accepted and when it is closed.
type watched struct {
	net.Listener
	accepted, closed chan struct{}
}

func (l *watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- struct{}{}
	}
	return c, err
}

func (l *watched) Close() error {
	close(l.closed)
	return l.Listener.Close()
}

// stopWith connects to a server, has it stop, and returns the connection, on
// which nothing was sent, and what Serve returns.
func stopWith(t *testing.T) (net.Conn, <-chan error) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &watched{tcp, make(chan struct{}, 1), make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	done := make(chan error, 1)
	s := newServer(t, server.Config{})
	go func() { done <- s.Serve(ctx, server.Listener{Listener: l}) }()
	c, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	<-l.accepted
	stop()
	<-l.closed
	return c, done
}

// Whoever had connected is answered, although the server accepts no more: the
// next one cannot.
func TestStopAnswersWhoHadConnected(t *testing.T) {
	t.Parallel()
	for range 20 {
		c, done := stopWith(t)
		if _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: "+c.RemoteAddr().String()+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %s", resp.Status)
		}
		_ = resp.Body.Close()
		_ = c.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Who connects and says nothing holds nothing up.
func TestStopDoesNotWaitForTheSilent(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c, done := stopWith(t)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the connection is still there: %d, %v", n, err)
	}
}
