// Package localsock is the unix socket between programs of one user: both ends
// learn from the kernel who the other is, and speak only to themselves.
//
// A daemon calls [Listen] and a client [Dial]; [Path] says where the socket of
// a data folder is. Because the user is known, what comes over the socket needs
// no other authentication, and because the server's is known too, a client can
// send secrets.
//
// Linux and macOS can tell who the peer is. Elsewhere, Windows included, every
// function but Path returns an error that matches [errors.ErrUnsupported].
package localsock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

var (
	// ErrPeer says that the process at the other end belongs to another user.
	ErrPeer = errors.New("peer belongs to another user")

	// ErrInUse says that a process answers on the socket already.
	ErrInUse = errors.New("socket is in use")
)

// maxPath is what the address of a unix socket can hold on every system, with
// room to spare: 104 bytes on macOS and 108 on Linux, a zero byte included.
const maxPath = 100

// Path returns where the socket of the data folder home is: daemon.sock within
// it or, when that is too long for an address, a name in runtimeDir made from
// a hash of home; an empty runtimeDir means os.TempDir. Two spellings of home that filepath.Clean makes equal give the
// same path; the caller makes home absolute.
func Path(home, runtimeDir string) string {
	home = filepath.Clean(home)
	if path := filepath.Join(home, "daemon.sock"); len(path) <= maxPath {
		return path
	}
	if runtimeDir == "" {
		runtimeDir = os.TempDir()
	}
	sum := sha256.Sum256([]byte(home))
	return filepath.Join(runtimeDir, "usher-"+hex.EncodeToString(sum[:8])+".sock")
}

// Dial connects to the socket path and returns the connection only if the
// process that listens belongs to the effective user; otherwise the error
// matches [ErrPeer], and nothing has been sent.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	c, err := dial(ctx, path, os.Geteuid())
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", path, err)
	}
	return c, nil
}

func dial(ctx context.Context, path string, uid int) (net.Conn, error) {
	if !supported {
		return nil, errors.ErrUnsupported
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := checkPeer(c, uid); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// PeerUID returns the user id of the process at the other end of c, which must
// be a *net.UnixConn, as it was when the connection was made (for a server:
// when it began to listen).
func PeerUID(c net.Conn) (int, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("finding out the peer: %T is not a unix connection", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("finding out the peer: %w", err)
	}
	var uid int
	var peerErr error
	err = raw.Control(func(fd uintptr) { uid, peerErr = peerUID(int(fd)) })
	if err := errors.Join(err, peerErr); err != nil {
		return 0, fmt.Errorf("finding out the peer: %w", err)
	}
	return uid, nil
}

func checkPeer(c net.Conn, uid int) error {
	got, err := PeerUID(c)
	if err != nil {
		return err
	}
	if got != uid {
		return fmt.Errorf("%w: uid %d, want %d", ErrPeer, got, uid)
	}
	return nil
}
