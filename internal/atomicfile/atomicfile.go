// Package atomicfile replaces small files so that a reader, and a machine that
// loses power, sees either the old contents or the new, never a mixture.
//
// Start with [Write]. Where a step that cannot be undone comes between the
// decision to write and the bytes to write, use [Stage] before that step: it
// finds out beforehand whether the file can be created and the disk has room,
// and leaves only the write itself to [Staged.Commit]. [Read] is the
// counterpart that refuses whatever is not a plain file, [EnsureDir] makes the
// private directory both expect, and [Sweep] removes what a killed process left
// behind.
//
// The data is on stable storage when Write or Commit returns: the file is
// synced, renamed over the target, and the directory synced. Windows has no
// sync of a directory; there the rename is atomic, and its durability is left
// to the file system's journal.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the contents of path with data, creating the file if it does
// not exist. The new file has exactly the permissions perm, whatever the
// umask; owner, links and permissions of a file that was there are not kept.
//
// A target that is not a regular file, or has more than one hard link, is
// refused. On an error the target is as it was and no temporary file is left,
// with one exception: when only the directory could not be synced, the new
// contents are in place but may not survive a loss of power.
func Write(path string, data []byte, perm fs.FileMode) error {
	s, err := Stage(path, perm, 0)
	if err != nil {
		return err
	}
	return s.Commit(data)
}

// WriteBefore is [Write] for a file that another Write or Commit in the same
// directory follows, and that is of no use without it: the directory is not
// synced, which the one that follows does for both.
func WriteBefore(path string, data []byte, perm fs.FileMode) error {
	s, err := Stage(path, perm, 0)
	if err != nil {
		return err
	}
	s.leaveDir = true
	return s.Commit(data)
}

// Staged is a write that has been prepared but not made. It holds an open,
// empty temporary file beside its target and must end with Commit or Abort.
// It is not safe for concurrent use.
type Staged struct {
	path string   // the target, as the caller named it
	root *os.Root // the target's directory, held so that it cannot be exchanged
	file *os.File // the temporary file; nil once closed
	temp string   // its name in root; "" once renamed or removed

	leaveDir bool // the directory is synced by somebody else
}

// Stage prepares replacing path with at most reserve bytes: it checks the
// target as [Write] does, creates the temporary file with the permissions
// perm, and has the file system set reserve bytes aside for it. A reserve of
// zero or less sets nothing aside.
//
// Data longer than the reserve may still be committed, without the assurance.
// File systems that copy on write may need more room than was set aside.
func Stage(path string, perm fs.FileMode, reserve int64) (*Staged, error) {
	s := &Staged{path: path}
	if err := s.prepare(perm, reserve); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing to write %s: %w", path, err), s.Abort())
	}
	return s, nil
}

func (s *Staged) prepare(perm fs.FileMode, size int64) (err error) {
	if s.root, err = openDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	if err := checkTarget(s.root, filepath.Base(s.path)); err != nil {
		return err
	}
	temp := tempName()
	// os.Root adds O_NOFOLLOW and O_CLOEXEC.
	if s.file, err = s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm); err != nil {
		return err
	}
	s.temp = temp
	if err := restorePerm(s.file, perm); err != nil {
		return err
	}
	if size <= 0 {
		return nil
	}
	if err := reserve(s.file, size); err != nil {
		return fmt.Errorf("reserving %d bytes: %w", size, err)
	}
	return nil
}

// Commit makes data the contents of the target, durably; see [Write] for its
// errors. The target's kind is not checked again: by now the caller may hold
// the only copy of data, so a rename that works is better than a refusal, and
// a rename replaces a link instead of following it.
//
// A Staged that has been committed or aborted returns an error that matches
// [fs.ErrClosed].
func (s *Staged) Commit(data []byte) error {
	if s.file == nil {
		return fmt.Errorf("writing %s: %w", s.path, fs.ErrClosed)
	}
	err := s.replace(data)
	if err != nil {
		err = fmt.Errorf("writing %s: %w", s.path, err)
	}
	return errors.Join(err, s.Abort())
}

func (s *Staged) replace(data []byte) error {
	// The data goes over the reserved blocks, and only then is the rest cut
	// off: truncating first would give the reserve back.
	if _, err := s.file.WriteAt(data, 0); err != nil {
		return err
	}
	if err := s.file.Truncate(int64(len(data))); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	if err := s.closeFile(); err != nil {
		return err
	}
	if err := s.root.Rename(s.temp, filepath.Base(s.path)); err != nil {
		return err
	}
	s.temp = ""
	if s.leaveDir {
		return nil
	}
	dir, err := s.root.Open(".")
	if err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	defer dir.Close()
	return syncDir(dir)
}

// Abort gives the write up and removes the temporary file; the target is
// untouched. After Commit or another Abort it does nothing and returns nil, so
// that it can be deferred.
func (s *Staged) Abort() error {
	err := s.closeFile()
	if s.temp != "" {
		err = errors.Join(err, s.root.Remove(s.temp))
		s.temp = ""
	}
	if s.root != nil {
		err = errors.Join(err, s.root.Close())
		s.root = nil
	}
	if err != nil {
		return fmt.Errorf("cleaning up after %s: %w", s.path, err)
	}
	return nil
}

func (s *Staged) closeFile() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// checkTarget refuses a target that a rename would not simply replace, or
// that somebody else put there: a link, a pipe, a directory, a device.
func checkTarget(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return checkRegular(info)
}

// checkRegular refuses everything but a regular file with a single name.
func checkRegular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("refusing a %s: not a regular file", kind(info.Mode()))
	}
	if n := linkCount(info); n > 1 {
		return fmt.Errorf("refusing a file with %d hard links", n)
	}
	return nil
}

func kind(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "regular file"
	case fs.ModeSymlink:
		return "symbolic link"
	case fs.ModeDir:
		return "directory"
	case fs.ModeNamedPipe:
		return "named pipe"
	case fs.ModeSocket:
		return "socket"
	default:
		return "special file"
	}
}

// restorePerm gives back the bits that the umask took. It never runs for the
// usual umask and an owner-only perm, so that no window opens in which the
// permissions are other than asked for.
func restorePerm(f *os.File, perm fs.FileMode) error {
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() == perm.Perm() {
		return err
	}
	return f.Chmod(perm)
}

// Temporary files are hidden, carry the program's name, and cannot be guessed.
const (
	tempPrefix = ".usher-"
	tempSuffix = ".tmp"
)

func tempName() string { return tempPrefix + rand.Text() + tempSuffix }
