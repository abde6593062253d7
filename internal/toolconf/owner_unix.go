//go:build unix

package toolconf

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives the file at path the owner and group that was has.
func keepOwner(path string, was fs.FileInfo) error {
	now, err := os.Stat(path)
	if err != nil {
		return err
	}
	from, to := now.Sys().(*syscall.Stat_t), was.Sys().(*syscall.Stat_t)
	if from.Uid == to.Uid && from.Gid == to.Gid {
		return nil
	}
	if err := os.Chown(path, int(to.Uid), int(to.Gid)); err != nil {
		return fmt.Errorf("written, but it belongs to another user or group now: %w", err)
	}
	// The kernel may take permissions away with that.
	return os.Chmod(path, was.Mode().Perm())
}
