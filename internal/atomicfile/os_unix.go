//go:build unix

package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openNoFollow opens path for reading. O_NONBLOCK keeps a named pipe without
// a writer from holding the open up; it means nothing for a regular file.
func openNoFollow(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("refusing a symbolic link: %w", err)
	}
	return f, err
}

// openDir opens the directory path. The dot makes the kernel refuse anything
// else before it opens it: opening a named pipe would wait for a writer.
func openDir(path string) (*os.Root, error) { return os.OpenRoot(path + "/.") }

func linkCount(info fs.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(stat.Nlink)
}

func checkPrivate(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its owner cannot be found out")
	}
	if me := os.Geteuid(); int(stat.Uid) != me {
		return fmt.Errorf("it belongs to uid %d, not to uid %d", stat.Uid, me)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("group or others may write to it (mode %04o): run chmod go-w on it", perm)
	}
	return nil
}

// syncDir makes the entries of a directory durable. Some network and user
// space file systems know no such operation; theirs are as durable as they get.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if err == nil || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return fmt.Errorf("syncing directory: %w", err)
}
