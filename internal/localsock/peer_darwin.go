package localsock

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

const supported = true

func peerUID(fd int) (int, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

func restrictBeforeBind(string, string, syscall.RawConn) error { return nil }

// restrictAfterBind comes a moment late; until then it is the peer check that
// keeps others out.
func restrictAfterBind(path string) error {
	return unix.Fchmodat(unix.AT_FDCWD, path, 0o600, unix.AT_SYMLINK_NOFOLLOW)
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
