package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
)

// owner is a locked file. The lock, which dies with the process, is what
// counts; the file may be removed by anybody who finds it free.
type owner struct {
	s    *Store
	id   string
	path string
	once sync.Once
	lock *filelock.Lock
	err  error
}

// NewOwner implements [credential.Store].
func (s *Store) NewOwner(ctx context.Context) (credential.Owner, error) {
	// Files of owners are swept under the same lock: nobody removes this one
	// between its creation and its being locked.
	logins, err := s.lockLogins(ctx)
	if err != nil {
		return nil, err
	}
	defer logins.Release()
	if err := atomicfile.EnsureDir(filepath.Join(s.dir, "owners")); err != nil {
		return nil, failure("making an owner", s.dir, err)
	}
	o := &owner{s: s, id: newID()}
	o.path = s.ownerPath(o.id)
	lock, ok, err := filelock.TryAcquire(o.path)
	if err == nil && !ok {
		err = fmt.Errorf("%s is locked by someone else", o.path)
	}
	if err != nil {
		return nil, failure("making an owner", s.dir, err)
	}
	o.lock = lock
	s.mu.Lock()
	s.owners[o] = true
	s.mu.Unlock()
	return o, nil
}

func (o *owner) ID() string { return o.id }

func (o *owner) Close() error {
	o.s.mu.Lock()
	delete(o.s.owners, o)
	o.s.mu.Unlock()
	return o.end()
}

func (o *owner) end() error {
	o.once.Do(func() {
		o.err = failure("ending an owner", o.path, errors.Join(o.lock.Release(), removeOwner(o.path)))
	})
	return o.err
}

// removeOwner need not be durable: a free file means the same as none.
func removeOwner(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Store) ownerPath(id string) string { return filepath.Join(s.dir, "owners", id) }

// alive reports whether the owner with that id lives.
func (s *Store) alive(id string) (bool, error) {
	if !isID(id) {
		return false, nil
	}
	held, err := filelock.Held(s.ownerPath(id))
	return held, failure("looking for an owner", s.ownerPath(id), err)
}

// sweepOwners removes the files of dead owners. The caller holds the lock of
// the logins.
func (s *Store) sweepOwners() error {
	root := filepath.Join(s.dir, "owners")
	entries, err := readDir(root)
	if err != nil {
		return failure("looking for dead owners", root, err)
	}
	for _, entry := range entries {
		if alive, err := s.alive(entry.Name()); err != nil || alive || !isID(entry.Name()) {
			continue
		}
		if err := removeOwner(s.ownerPath(entry.Name())); err != nil {
			return failure("removing a dead owner", root, err)
		}
	}
	return nil
}
