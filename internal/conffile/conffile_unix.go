//go:build unix

package conffile

import (
	"fmt"
	"io/fs"
	"syscall"
)

// nonblock keeps a named pipe without a writer from holding the open up; it
// means nothing for a regular file.
const nonblock = syscall.O_NONBLOCK

// checkWriters refuses a file that everybody may write to: whoever can write a
// provider's file decides where tokens are sent. The group is left to the
// person, because a umask of 002 is usual where each user has an own group.
func checkWriters(info fs.FileInfo) error {
	if perm := info.Mode().Perm(); perm&0o002 != 0 {
		return fmt.Errorf("everybody may write to it (mode %04o): run chmod o-w on it", perm)
	}
	return nil
}
