package filestore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/usherauth/usher/internal/atomicfile"
	"github.com/usherauth/usher/internal/filelock"
)

// A loginLock is the lock of the logins: the turn among those of this process,
// who are served in the order in which they came, and the file lock, for which
// processes have to look again and again.
type loginLock struct {
	file *filelock.Lock
	turn chan struct{}
}

// Release gives the lock up. It is called once.
func (l *loginLock) Release() error {
	defer func() { <-l.turn }()
	return l.file.Release()
}

// lockLogins takes the lock of the logins.
func (s *Store) lockLogins(ctx context.Context) (*loginLock, error) {
	select {
	case s.turn <- struct{}{}:
		return s.lockInTurn(ctx)
	case <-ctx.Done():
		path := filepath.Join(s.dir, "logins")
		return nil, failure("locking for a change", path, fmt.Errorf("waiting for others: %w", ctx.Err()))
	}
}

// lockInTurn is lockLogins for the one whose turn it is; the turn ends with the
// lock, or with the error. What killed writers left is removed the first time,
// and whenever one is known to have died: sweeping reads the whole folder.
func (s *Store) lockInTurn(ctx context.Context) (_ *loginLock, err error) {
	defer func() {
		if err != nil {
			<-s.turn
		}
	}()
	path := filepath.Join(s.dir, "logins")
	if err := atomicfile.EnsureDir(path); err != nil {
		return nil, failure("preparing a change", path, err)
	}
	lock, err := filelock.Acquire(ctx, filepath.Join(path, "lock"))
	if err != nil {
		return nil, failure("locking for a change", path, err)
	}
	if s.unswept.Swap(false) {
		if err := atomicfile.Sweep(path); err != nil {
			s.unswept.Store(true)
			return nil, errors.Join(failure("cleaning up", path, err), lock.Release())
		}
	}
	return &loginLock{lock, s.turn}, nil
}
