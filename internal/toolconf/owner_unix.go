//go:build unix

package toolconf

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives the file at path the owner and group that was has. It follows
// no link: the folder may be another user's, who could lead root to any file.
func keepOwner(path string, was fs.FileInfo) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return err
	}
	from, to := now.Sys().(*syscall.Stat_t), was.Sys().(*syscall.Stat_t)
	if from.Uid == to.Uid && from.Gid == to.Gid {
		return nil
	}
	if !now.Mode().IsRegular() || from.Nlink != 1 {
		return fmt.Errorf("%s changes at this very moment; see whose it is", path)
	}
	if err := f.Chown(int(to.Uid), int(to.Gid)); err != nil {
		return fmt.Errorf("written, but it belongs to another user or group now: %w", err)
	}
	// The kernel may take permissions away with that.
	return f.Chmod(was.Mode().Perm())
}
