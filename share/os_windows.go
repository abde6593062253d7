package share

import (
	"errors"
	"io/fs"
	"os"
)

// noFollow is nothing there; lstat comes before.
const noFollow = 0

// fileID is always zero: Windows does not tell it with a file's other facts.
func fileID(fs.FileInfo) uint64 { return 0 }

// foreign is always false: the folder's access control list decides.
func foreign(fs.FileInfo) (uid int, is bool) { return 0, false }

// markAlive is always false: the kernel's locks there would keep the tool from
// reading and renaming.
func markAlive(*os.File) bool { return false }

// isAlive is not asked, since nothing is marked.
func isAlive(*os.File) bool { return true }

// uproot removes the lock that f was. Open files cannot be removed.
func uproot(f *os.File, path string) error {
	return errors.Join(f.Close(), os.Remove(path))
}
