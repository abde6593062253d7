//go:build unix

package server_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/usherauth/usher/internal/localsock"
	"github.com/usherauth/usher/server"
)

// The owner's socket and TCP are served side by side, each with its own gates.
func TestSocketBesideTCP(t *testing.T) {
	dir, err := os.MkdirTemp("", "usher") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "daemon.sock")
	socket, err := localsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	s := newServer(t, server.Config{})
	go func() {
		done <- s.Serve(ctx, server.Listener{Listener: tcp}, server.Listener{Listener: socket, Trusted: true})
	}()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return localsock.Dial(ctx, path)
	}}}
	for url, want := range map[string]int{
		"http://usher/v1/credentials":                       200,
		"http://evil.example/v1/credentials":                403,
		"http://" + tcp.Addr().String() + "/v1/credentials": 403, // over the socket
	} {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s over the socket: %d, want %d", url, resp.StatusCode, want)
		}
	}
	resp, err := http.Get("http://" + tcp.Addr().String() + "/v1/credentials")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("over TCP: %d, want 401", resp.StatusCode)
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}
