//go:build linux || darwin

package localsock_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/internal/localsock"
)

func TestListenAndDial(t *testing.T) {
	old := syscall.Umask(0)
	path := filepath.Join(tempDir(t), "new", "sock")
	l, err := localsock.Listen(path)
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{path: fs.ModeSocket | 0o600, filepath.Dir(path): fs.ModeDir | 0o700} {
		info, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode(); got != want {
			t.Errorf("mode of %s = %v, want %v", filepath.Base(name), got, want)
		}
	}
	go echo(l)
	c, err := localsock.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := localsock.PeerUID(c); err != nil || got != os.Geteuid() {
		t.Errorf("PeerUID = %d, %v, want %d", got, err, os.Geteuid())
	}
	io.WriteString(c, "hello")
	c.(*net.UnixConn).CloseWrite()
	if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
		t.Errorf("echo = %q, %v, want hello", got, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket file after Close: %v, want fs.ErrNotExist", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close = %v, want net.ErrClosed", err)
	}
}

func TestListenOnALiveSocket(t *testing.T) {
	path := filepath.Join(tempDir(t), "sock")
	l := listen(t, path)
	defer l.Close()
	if _, err := localsock.Listen(path); !errors.Is(err, localsock.ErrInUse) {
		t.Errorf("Listen = %v, want ErrInUse", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the live socket's file: %v", err)
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := filepath.Join(tempDir(t), "sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	l := listen(t, path)
	defer l.Close()
	go echo(l)
	c, err := localsock.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	tests := map[string]func(path, victim string) error{
		"file":             func(path, _ string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"symlink":          func(path, victim string) error { return os.Symlink(victim, path) },
		"dangling symlink": func(path, victim string) error { return os.Symlink(victim+"-missing", path) },
		"named pipe":       func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
		"directory":        func(path, _ string) error { return os.Mkdir(path, 0o700) },
	}
	for name, plant := range tests {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			path, victim := filepath.Join(dir, "sock"), filepath.Join(dir, "victim")
			if err := os.WriteFile(victim, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := plant(path, victim); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := localsock.Listen(path); err == nil {
				t.Error("Listen succeeded, want an error")
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("the planted file: %v, %v, want it untouched", after, err)
			}
			if info, err := os.Lstat(victim); err != nil || info.Mode() != 0o644 {
				t.Errorf("the victim: %v, %v, want it untouched", info, err)
			}
		})
	}
}

func TestListenJudgesTheDirectory(t *testing.T) {
	for _, tt := range []struct {
		mode fs.FileMode
		ok   bool
	}{
		{0o700, true}, {0o755, true}, {0o777 | fs.ModeSticky, true},
		{0o770, false}, {0o702, false},
	} {
		dir := filepath.Join(tempDir(t), "dir")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, tt.mode)); err != nil {
			t.Fatal(err)
		}
		l, err := localsock.Listen(filepath.Join(dir, "sock"))
		if (err == nil) != tt.ok {
			t.Errorf("Listen in a directory of mode %v = %v, want success %v", tt.mode, err, tt.ok)
		}
		if err == nil {
			l.Close()
		}
	}
}

// A daemon that ends late must not take its successor's socket away.
func TestCloseLeavesASuccessorsSocket(t *testing.T) {
	path := filepath.Join(tempDir(t), "sock")
	first := listen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listen(t, path)
	defer second.Close()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the successor's socket: %v", err)
	}
}

func TestDialErrors(t *testing.T) {
	path := filepath.Join(tempDir(t), "sock")
	if _, err := localsock.Dial(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Dial of a missing socket = %v, want fs.ErrNotExist", err)
	}
	l := listen(t, path)
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := localsock.Dial(ctx, path); err == nil || !strings.Contains(err.Error(), "cancel") {
		t.Errorf("Dial with an ended context = %v, want that it was cancelled", err)
	}
}

func TestPeerUIDNeedsAUnixConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if uid, err := localsock.PeerUID(c); err == nil {
		t.Errorf("PeerUID of a TCP connection = %d, want an error", uid)
	}
}

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := localsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// echo serves connections until the listener is closed.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.Copy(c, c)
		c.Close()
	}
}

// tempDir is short enough for a socket, which that of package testing is not.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ls")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A socket that somebody else made is theirs to remove.
func TestRestrict(t *testing.T) {
	path := filepath.Join(tempDir(t), "sock")
	opened, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := localsock.Restrict(opened)
	if err != nil {
		t.Fatal(err)
	}
	go echo(l)
	c, err := localsock.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	if _, err := localsock.Restrict(tcp); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("TCP: got %v, want ErrUnsupported", err)
	}
}
