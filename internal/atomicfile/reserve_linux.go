package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// reserve has the file system set n bytes aside for f, which is empty.
func reserve(f *os.File, n int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, n)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return fill(f, n)
		default:
			return err
		}
	}
}
