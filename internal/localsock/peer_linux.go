package localsock

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

const supported = true

func peerUID(fd int) (int, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// restrictBeforeBind gives the socket its mode before it has a name: on Linux
// the file gets the mode of the socket, so it is never open to others.
func restrictBeforeBind(_, _ string, c syscall.RawConn) error {
	var modeErr error
	err := c.Control(func(fd uintptr) { modeErr = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, modeErr)
}

func restrictAfterBind(string) error { return nil }

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
