//go:build linux || darwin

package localsock

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// Another user's process cannot be had in every test environment, so these
// tests turn it round: the end under test takes itself for another user.

func TestAcceptRefusesAnotherUser(t *testing.T) {
	dir, err := os.MkdirTemp("", "ls")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sock")
	l, err := listen(path, os.Geteuid()+1)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	for range 3 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("Read = %d, %v, want that the server hangs up", n, err)
		}
		c.Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v, want that it waited until the listener was closed", err)
	}
}

func TestDialRefusesAnotherUser(t *testing.T) {
	dir, err := os.MkdirTemp("", "ls")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if c, err := dial(t.Context(), path, os.Geteuid()+1); !errors.Is(err, ErrPeer) {
		t.Errorf("dial = %v, %v, want ErrPeer", c, err)
	}
}

func TestRestrictMeansTheEffectiveUser(t *testing.T) {
	dir, err := os.MkdirTemp("", "ls")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	opened, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	l, err := Restrict(opened)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.(*owned).uid; got != os.Geteuid() {
		t.Errorf("uid %d, want %d", got, os.Geteuid())
	}
}
