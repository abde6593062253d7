package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
)

// Delete implements [credential.Store]. Nothing secret of the credential is
// left in its folder. It works on a disk that is full: what it removes anyway
// goes first. Wherever it dies, there is the credential or its tombstone.
func (s *Store) Delete(ctx context.Context, key credential.Key, ifGeneration uint64) error {
	if err := s.delete(ctx, s.folder(key), ifGeneration); err != nil {
		return fmt.Errorf("deleting credential %s: %w", key, err)
	}
	return nil
}

func (s *Store) delete(ctx context.Context, f folder, ifGeneration uint64) error {
	// Before the locks: a key that was never stored gets no folder.
	if _, err := f.readAt(ifGeneration); err != nil {
		return err
	}
	logins, err := s.lockLogins(ctx)
	if err != nil {
		return err
	}
	defer logins.Release()
	writing, err := f.lockWrite(ctx)
	if err != nil {
		return err
	}
	defer writing.Release()
	now, err := f.readAt(ifGeneration)
	if err != nil {
		return err
	}
	if err := f.makeRoom(now); err != nil {
		return failure("removing copies of a credential", f.path, err)
	}
	if err := s.supersede(f.key); err != nil {
		return err
	}
	return f.bury(credential.Tombstone{Key: f.key, Grant: now.grant, Generation: now.generation + 1})
}

// makeRoom removes the copies of the credential, unless one is all there is.
func (f folder) makeRoom(now record) error {
	errs := []error{f.removeDamaged()}
	if !now.corrupt {
		errs = append(errs, unlink(f.previous()))
	}
	return errors.Join(errs...)
}

// bury replaces the credential by tomb and removes its traces. The caller holds
// write.lock.
func (f folder) bury(tomb credential.Tombstone) error {
	data, err := credential.EncodeTombstone(tomb)
	if err != nil {
		return err
	}
	// A rotation under way removes what it put aside itself, after it told the
	// provider.
	lock, free, err := filelock.TryAcquire(f.file("lock"))
	if err != nil {
		return failure("looking for a rotation", f.path, err)
	}
	if free {
		defer lock.Release()
		if err := f.sweep(); err != nil {
			return failure("cleaning up", f.path, err)
		}
	}
	if err := write(f.current(), data); err != nil {
		return failure("removing a credential", f.path, err)
	}
	// From here on the credential is gone.
	errs := []error{f.clearTraces(data)}
	if free {
		errs = append(errs, f.clearSpills(nil))
	}
	return failure("removing the traces of a credential", f.path, errors.Join(errs...))
}

// clearTraces removes what lies beside the tombstone tomb and needs no lock
// but write.lock.
func (f folder) clearTraces(tomb []byte) error {
	errs := []error{f.clearIntent(), f.removeDamaged()}
	if saved, err := f.readPrevious(); err != nil || !bytes.Equal(saved.raw, tomb) {
		// A second tombstone keeps the count should the first be damaged. A copy
		// of the credential must go in any case.
		if atomicfile.Write(f.previous(), tomb, 0o600) != nil {
			errs = append(errs, unlink(f.previous()))
		}
	}
	return errors.Join(append(errs, atomicfile.SyncDir(f.path))...)
}

// removeDamaged removes the damaged records that were kept.
func (f folder) removeDamaged() error {
	entries, err := readDir(f.path)
	errs := []error{err}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), damagedPrefix) {
			errs = append(errs, unlink(f.file(entry.Name())))
		}
	}
	return errors.Join(errs...)
}

// clearSpills durably removes all that was kept aside, but for the paths in
// keep. The caller holds lock.
func (f folder) clearSpills(keep map[string]bool) error {
	var errs []error
	for _, dir := range f.spills() {
		entries, err := readDir(dir)
		errs = append(errs, err)
		for _, entry := range entries {
			if path := filepath.Join(dir, entry.Name()); !keep[path] {
				errs = append(errs, remove(path))
			}
		}
	}
	return errors.Join(errs...)
}

// unlink removes path; a missing file is as good.
func unlink(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
