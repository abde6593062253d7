//go:build unix

package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openFlags refuse a link in the log's place, and keep a named pipe there from
// holding the open up.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// checkOwner refuses a log that others could forge, and a file that somebody
// gave this name to have it written to.
func checkOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch perm := info.Mode().Perm(); {
	case !ok:
		return errors.New("its owner is not known")
	case int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d", stat.Uid)
	case stat.Nlink > 1:
		return errors.New("it has other names too (hard links)")
	case perm&0o022 != 0:
		return fmt.Errorf("others may write to it (mode %04o): run chmod go-w on it", perm)
	}
	return nil
}
