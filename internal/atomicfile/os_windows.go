package atomicfile

import (
	"io/fs"
	"os"
)

// openNoFollow opens path for reading, unless it is a link or something else
// that is not a file at the time of the check.
func openNoFollow(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(info); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func openDir(path string) (*os.Root, error) { return os.OpenRoot(path) }

// linkCount is always one: Windows does not tell it with a file's other facts.
func linkCount(fs.FileInfo) uint64 { return 1 }

// checkPrivate accepts every directory: mode bits say nothing here, and
// directories below the user's profile inherit its access control list.
func checkPrivate(fs.FileInfo) error { return nil }

// syncDir does nothing: Windows has no such operation.
func syncDir(*os.File) error { return nil }
