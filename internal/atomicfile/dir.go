package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// EnsureDir makes path a directory for private files. Missing directories on
// the way are created with mode 0700 and durably. A directory that exists is
// accepted when it is not a symbolic link, belongs to the effective user and
// cannot be written by group or others; its ancestors are not judged. On
// Windows only the kind is checked.
func EnsureDir(path string) error {
	// Without Clean, a trailing slash would make Lstat follow a link.
	path = filepath.Clean(path)
	if err := makeDir(path); err != nil {
		return fmt.Errorf("creating directory %s: %w", path, err)
	}
	return CheckDir(path)
}

// CheckDir is [EnsureDir] that creates nothing: a missing directory gives an
// error that matches [fs.ErrNotExist].
func CheckDir(path string) error {
	path = filepath.Clean(path)
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("checking directory %s: %w", path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("refusing directory %s: it is a %s", path, kind(info.Mode()))
	}
	if err := checkPrivate(info); err != nil {
		return fmt.Errorf("refusing directory %s: %w", path, err)
	}
	return nil
}

// makeDir is os.MkdirAll that syncs each directory it adds an entry to: a file
// is no more durable than the directories that lead to it.
func makeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path {
		if err := makeDir(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		// A directory may allow new entries but no listing; it cannot be
		// opened, so it cannot be synced.
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	return syncDir(parent)
}

// Sweep removes the temporary files that killed processes left in dir. It
// goes by their names, so the caller must hold the lock under which all
// writers of dir work: a temporary file of a write in progress looks the same.
// A missing dir holds nothing to sweep.
func Sweep(dir string) error {
	if err := sweep(dir); err != nil {
		return fmt.Errorf("sweeping %s: %w", dir, err)
	}
	return nil
}

func sweep(dir string) error {
	root, err := openDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !isTempName(entry.Name()) {
			continue
		}
		if err := root.Remove(entry.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// isTempName reports whether name could have come from tempName.
func isTempName(name string) bool {
	random, hasPrefix := strings.CutPrefix(name, tempPrefix)
	random, hasSuffix := strings.CutSuffix(random, tempSuffix)
	const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // the alphabet of rand.Text
	return hasPrefix && hasSuffix && len(random) >= 26 && strings.Trim(random, base32) == ""
}

// SyncDir makes the entries of the directory path durable, such as after a file
// was removed from it. Where the file system or Windows knows no such
// operation, they are as durable as they get.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return syncDir(dir)
}
