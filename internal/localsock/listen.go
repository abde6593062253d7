package localsock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// probeTimeout bounds the question whether a socket file has a listener. The
// kernel answers it; only a full backlog takes time.
const probeTimeout = 2 * time.Second

// Listen listens on the socket path with mode 0600 and accepts connections of
// the effective user's processes only: Accept closes those of others and goes
// on waiting.
//
// The directory is created with mode 0700 if it is missing. One that group or
// others can write to is refused, unless it is sticky like /tmp. A socket file
// that nobody listens on is replaced; if somebody does, the error matches
// [ErrInUse]; anything but a socket is refused and left alone. Of two processes
// that find the same stale file at the same moment both may succeed and one
// become unreachable: hold a lock of your own where that matters.
//
// Closing the listener removes the socket file, if it is still its own.
func Listen(path string) (net.Listener, error) {
	l, err := listen(path, os.Geteuid())
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return l, nil
}

func listen(path string, uid int) (net.Listener, error) {
	if !supported {
		return nil, errors.ErrUnsupported
	}
	if err := prepareDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: restrictBeforeBind}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	// Package net would remove whatever has the name by then.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	file, err := os.Lstat(path)
	if err == nil {
		err = restrictAfterBind(path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{owned: owned{l, uid}, path: path, file: file}, nil
}

// Restrict returns l, a unix socket that was opened for this process by a
// service manager, so that it accepts like one of [Listen]. Closing it leaves
// the socket file, which is the service manager's. On an error, which matches
// [errors.ErrUnsupported] where peers are not known, l is left open.
func Restrict(l net.Listener) (net.Listener, error) {
	if _, ok := l.(*net.UnixListener); !ok || !supported {
		return nil, fmt.Errorf("restricting %s: %w", l.Addr(), errors.ErrUnsupported)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return &owned{l, os.Geteuid()}, nil
}

// prepareDir makes sure that nobody else can exchange the socket.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("refusing directory %s: group or others may write to it (mode %04o)", dir, mode.Perm())
	}
	return nil
}

// removeStale removes the socket file of a listener that is gone.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("refusing to replace what is not a socket")
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		c.Close()
		return ErrInUse
	case isRefused(err):
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing stale socket: %w", err)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		// Somebody may be there, only too busy to answer.
		return fmt.Errorf("%w, or cannot be asked: %w", ErrInUse, err)
	}
}

// owned lets only one user's connections through.
type owned struct {
	net.Listener
	uid int
}

func (l *owned) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if checkPeer(c, l.uid) == nil {
			return c, nil
		}
		c.Close()
	}
}

// listener is a socket of our own making.
type listener struct {
	owned
	path string

	file   fs.FileInfo // the socket file as it was created
	unlink sync.Once
}

func (l *listener) Close() error {
	// The file goes before the listener, so that no newcomer finds a stale one.
	// Once the listener is closed, a successor's file may have the same number.
	var err error
	l.unlink.Do(func() {
		if file, statErr := os.Lstat(l.path); statErr == nil && os.SameFile(file, l.file) {
			err = os.Remove(l.path)
		}
	})
	return errors.Join(err, l.Listener.Close())
}
