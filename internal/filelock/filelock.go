// Package filelock is a mutual exclusion between processes that the kernel
// ends together with its holder: there is nothing to time out, to steal or to
// clean up, and no process id is written anywhere.
//
// Use [Acquire] to wait for a lock, [TryAcquire] to take it or go on, and
// [Held] to look without taking. The lock file is empty, created with mode 0600
// and never deleted here. An owner that deletes its lock file itself may do so
// while it holds the lock: whoever waits notices and starts over with the new
// file.
//
// Locks are advisory flock(2) locks, LockFileEx on Windows. They exclude every
// other open file, those of the same process included. They order what happens
// to files, not to memory: data shared by goroutines needs a mutex as well. On
// NFS they are as good as the server's lock service.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// How often a waiter looks again: at first often, because most holders only
// write a file, then rarely, because some wait for the network.
const (
	firstDelay = 2 * time.Millisecond
	lastDelay  = 50 * time.Millisecond
)

// patience bounds how often TryAcquire starts over because of passers-by.
const patience = time.Second

// Lock is a lock that is held. Keep it reachable: like a file, it is released
// when it is garbage collected. It is safe for concurrent use.
type Lock struct{ file *flock.Flock }

// Acquire waits for the lock on path until it has it or ctx ends; an ended ctx
// gives an error that matches ctx.Err(). There is no queue: of several waiters
// any may be next.
//
// The directory of path must exist. A path that is not a regular file, or is a
// symbolic link, is an error.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	for delay := firstDelay; ; delay = min(delay*3/2, lastDelay) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("waiting for lock %s: %w", path, err)
		}
		l, err := tryLock(path)
		if l != nil || err != nil {
			return l, err
		}
		wait(ctx, delay)
	}
}

// TryAcquire takes the lock on path if it is free; ok reports whether it did.
// Path is treated as [Acquire] does.
func TryAcquire(path string) (l *Lock, ok bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for delay := firstDelay; ctx.Err() == nil; delay = min(delay*3/2, lastDelay) {
		if l, err := tryLock(path); l != nil || err != nil {
			return l, l != nil, err
		}
		// Held takes a shared lock for an instant, and such a passer-by must
		// not look like an owner. Only an owner keeps a shared lock out.
		if held, err := Held(path); held || err != nil {
			return nil, false, err
		}
		wait(ctx, delay)
	}
	return nil, false, nil
}

// Held reports whether anybody, this process included, holds the lock on path
// at this moment. A missing file is free, and is not created.
func Held(path string) (bool, error) {
	file, err := try(path, openFlags, (*flock.Flock).TryRLock)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("checking lock %s: %w", path, err)
	}
	if file == nil {
		return true, nil
	}
	return false, file.Unlock()
}

// Release gives the lock up. The file stays. Releasing twice is harmless.
func (l *Lock) Release() error {
	if err := l.file.Unlock(); err != nil {
		return fmt.Errorf("releasing lock %s: %w", l.file.Path(), err)
	}
	return nil
}

// tryLock makes one attempt and returns nil if the lock is not to be had.
func tryLock(path string) (*Lock, error) {
	file, err := try(path, openFlags|os.O_CREATE, (*flock.Flock).TryLock)
	if err != nil {
		return nil, fmt.Errorf("taking lock %s: %w", path, err)
	}
	if file == nil {
		return nil, nil
	}
	return &Lock{file}, nil
}

// wait returns after d, or earlier when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// try makes one attempt with the given method and returns nil if the lock is
// held by somebody else.
func try(path string, flags int, lock func(*flock.Flock) (bool, error)) (*flock.Flock, error) {
	for {
		file := flock.New(path, flock.SetFlag(flags), flock.SetPermissions(0o600))
		if ok, err := lock(file); err != nil || !ok {
			return nil, err
		}
		current, err := isCurrent(file, path)
		if err == nil && current {
			return file, nil
		}
		if err = errors.Join(err, file.Unlock()); err != nil {
			return nil, err
		}
	}
}

// isCurrent reports whether the locked file is still the one that path names.
// A lock on a file deleted between its opening and its locking excludes nobody.
func isCurrent(file *flock.Flock, path string) (bool, error) {
	locked, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !locked.Mode().IsRegular() {
		return false, errors.New("not a regular file")
	}
	named, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !named.Mode().IsRegular() {
		return false, errors.New("not a regular file")
	}
	return os.SameFile(locked, named), nil
}
