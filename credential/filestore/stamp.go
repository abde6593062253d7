package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/usherauth/usher/internal/atomicfile"
)

// stamp is the identity of a file's contents as far as lstat tells it.
func stamp(info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", fileID(info), info.Size(), info.ModTime().UnixNano())
}

// replace writes data to path and gives the file a later modification time
// than the one it replaces had, so that no two contents ever share a stamp.
// Without that they could: file systems reuse inode numbers at once, and some
// tick only every few milliseconds, or the clock is set back. commit does the
// writing.
func replace(path string, commit func() error) error {
	before, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := commit(); err != nil {
		return err
	}
	if before == nil {
		return nil
	}
	after, err := os.Lstat(path)
	if err != nil {
		return nil // the data is durable; only its stamp is not certain
	}
	if least := before.ModTime().Add(time.Millisecond); after.ModTime().Before(least) {
		// Not an error either, for the same reason.
		_ = os.Chtimes(path, time.Time{}, least)
	}
	return nil
}

// write replaces path by data; see [replace].
func write(path string, data []byte) error {
	return replace(path, func() error { return atomicfile.Write(path, data, 0o600) })
}

// remove deletes path durably; a missing file is as good.
func remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}
