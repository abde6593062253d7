//go:build unix

package filelock_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/usherauth/usher/internal/filelock"
)

func TestPlantedLockFilesAreRefused(t *testing.T) {
	tests := map[string]func(path, victim string) error{
		"symlink":          func(path, victim string) error { return os.Symlink(victim, path) },
		"dangling symlink": func(path, victim string) error { return os.Symlink(victim+"-missing", path) },
		"named pipe":       func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	}
	for name, plant := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, victim := filepath.Join(dir, "lock"), filepath.Join(dir, "victim")
			if err := os.WriteFile(victim, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(path, victim); err != nil {
				t.Fatal(err)
			}
			if _, err := filelock.Acquire(t.Context(), path); err == nil {
				t.Error("Acquire succeeded, want an error")
			}
			if _, _, err := filelock.TryAcquire(path); err == nil {
				t.Error("TryAcquire succeeded, want an error")
			}
			if _, err := filelock.Held(path); err == nil {
				t.Error("Held succeeded, want an error")
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
				t.Errorf("ReadDir = %v, %v, want nothing created", entries, err)
			}
			checkHeld(t, victim, false)
		})
	}
}

func TestLockFileIsPrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "lock")
	defer acquire(t, path).Release()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("mode = %v, want -rw-------", got)
	}
}

// Owners delete their lock file when they are done. A waiter that opened the
// old file must not believe that its lock on it excludes those with the new.
func TestDeletedLockFileExcludesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				l, err := filelock.Acquire(context.Background(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d holders at once, want 1", n)
				}
				// Give a second holder, if there can be one, time to show.
				runtime.Gosched()
				inside.Add(-1)
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
