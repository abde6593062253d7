//go:build unix

package share

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// noFollow refuses a symbolic link, and does not wait for a named pipe's
// writer.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// fileID is the inode number.
func fileID(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino)
	}
	return 0
}

// foreign reports whether the file belongs to another user, and to whom.
func foreign(info fs.FileInfo) (uid int, is bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), int(stat.Uid) != os.Geteuid()
}

// markAlive takes the kernel's lock on f, which ends with this process. It is
// false where the file system has none.
func markAlive(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// isAlive reports whether a process that called markAlive still has f open.
func isAlive(f *os.File) bool {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		return true
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // closing it does the same
	return false
}

// uproot removes the lock that f is, and closes f: in this order, or those who
// look in between would take its holder for dead.
func uproot(f *os.File, path string) error {
	return errors.Join(os.Remove(path), f.Close())
}
