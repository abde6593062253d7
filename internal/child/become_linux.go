package child

import (
	"math"

	"golang.org/x/sys/unix"
)

// unshareFiles gives this thread a table of open files of its own, and reports
// whether it could. What it puts there is not seen by the threads of the
// runtime, which has files open under numbers that nobody chose.
func unshareFiles() bool {
	const none = math.MaxInt32
	// Containers mostly forbid the second one.
	return unix.CloseRange(none, none, unix.CLOSE_RANGE_UNSHARE) == nil || unix.Unshare(unix.CLONE_FILES) == nil
}

func dup(fd, to int) error { return unix.Dup3(fd, to, 0) }
