package filestore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/filelock"
)

// Orphans implements [credential.Store]. Folders in which nothing is amiss are
// read without a lock.
func (s *Store) Orphans(ctx context.Context) ([]credential.Orphan, error) {
	names, err := s.folderNames()
	errs := []error{err}
	var all []credential.Orphan
	for _, name := range names {
		found, err := s.folderNamed(name).orphans(ctx)
		if err != nil {
			err = fmt.Errorf("looking for orphans: %w", err)
		}
		all, errs = append(all, found...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// folderNames are the names of all folders of credentials, and of those of
// which there is only one in the runtime directory any more.
func (s *Store) folderNames() (names []string, err error) {
	roots := []string{filepath.Join(s.dir, "credentials")}
	if s.spare.exists() {
		roots = append(roots, s.spare.path())
	}
	var errs []error
	for _, root := range roots {
		entries, err := readDir(root)
		errs = append(errs, failure("listing credentials", root, err))
		for _, entry := range entries {
			if entry.IsDir() && isFolderName(entry.Name()) {
				names = append(names, entry.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), errors.Join(errs...)
}

// orphans finds what is nobody's in f, and finishes a logout that was killed.
func (f folder) orphans(ctx context.Context) ([]credential.Orphan, error) {
	if now, strangers, err := f.strangers(); err != nil || len(strangers) == 0 && !now.buried() {
		return nil, err
	}
	writing, err := f.lockWrite(ctx)
	if err != nil {
		return nil, err
	}
	defer writing.Release()
	lock, free, err := filelock.TryAcquire(f.file("lock"))
	if err != nil || !free {
		return nil, failure("looking for a rotation", f.path, err)
	}
	defer lock.Release()
	now, strangers, err := f.strangers()
	if err != nil {
		return nil, err
	}
	var all []credential.Orphan
	kept := make(map[string]bool)
	for _, a := range strangers {
		kept[a.path] = true
		all = append(all, credential.Orphan{Credential: a.cred, Discard: a.discard})
	}
	if now.buried() {
		err = errors.Join(f.sweep(), f.clearTraces(now.raw), f.clearSpills(kept))
	}
	return all, failure("removing the traces of a credential", f.path, err)
}

// strangers returns the record and the answers that are not of its grant. Of a
// damaged record nobody can tell whose they are.
func (f folder) strangers() (now record, strangers []aside, err error) {
	if now, err = f.read(); err != nil || now.corrupt {
		return now, nil, err
	}
	all, err := f.asides()
	for _, a := range all {
		if now.cred == nil || !a.belongs(*now.cred) {
			strangers = append(strangers, a)
		}
	}
	return now, strangers, err
}

func (a aside) discard(context.Context) error {
	return failure("removing an orphan", a.path, remove(a.path))
}
