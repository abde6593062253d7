//go:build unix

package usher_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/internal/localsock"
	"github.com/usherauth/usher/secret"
)

// Over the owner's socket no bearer travels, even if there is one.
func TestSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "usher") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "daemon.sock")
	c := &usher.Client{BaseURL: "unix:" + path, Bearer: secret.New(bearer)}
	if err := c.Health(t.Context()); !errors.Is(err, usher.ErrDaemonUnreachable) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error without a socket = %v", err)
	}
	l, err := localsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "usher" || r.Header.Get("Authorization") != "" {
			t.Errorf("Host %q, Authorization %q", r.Host, r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	})}
	done := make(chan error)
	go func() { done <- srv.Serve(l) }()
	if err := c.Health(t.Context()); err != nil {
		t.Error(err)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
