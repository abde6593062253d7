package filelock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/filelock"
)

// bound is how long a test waits for another process before it gives up.
const bound = 30 * time.Second

// childEnv makes the test binary a process that takes the lock on the file it
// names, says so, and holds it until its standard input ends.
const childEnv = "FILELOCK_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(child(path))
	}
	os.Exit(m.Run())
}

func child(path string) int {
	l, err := filelock.Acquire(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("locked")
	io.Copy(io.Discard, os.Stdin)
	if err := l.Release(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// startHolder returns a process that holds the lock, and its standard input.
func startHolder(t *testing.T, path string) (*exec.Cmd, io.Closer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "locked\n" {
		t.Fatalf("child says %q, %v, want that it has the lock", line, err)
	}
	return cmd, stdin
}

func TestAcquireExcludesWithinAProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, sum atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				l, err := filelock.Acquire(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d holders at once, want 1", n)
				}
				sum.Add(1)
				inside.Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := sum.Load(); got != 80 {
		t.Errorf("the lock was held %d times, want 80", got)
	}
}

func TestTryAcquire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, ok, err := filelock.TryAcquire(path)
	if err != nil || !ok {
		t.Fatalf("TryAcquire of a free lock = %v, %v, want it", ok, err)
	}
	if l, ok, err := filelock.TryAcquire(path); l != nil || ok || err != nil {
		t.Errorf("TryAcquire of a taken lock = %v, %v, %v, want nil, false, nil", l, ok, err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	second, ok, err := filelock.TryAcquire(path)
	if err != nil || !ok {
		t.Fatalf("TryAcquire of a released lock = %v, %v, want it", ok, err)
	}
	// A second Release must not touch the lock of the next holder.
	if err := first.Release(); err != nil {
		t.Errorf("second Release = %v, want nil", err)
	}
	checkHeld(t, path, true)
	if err := second.Release(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("the lock file after Release: %v, %v, want it there and empty", info, err)
	}
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l := acquire(t, path)
	defer l.Release()

	short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := filelock.Acquire(short, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Acquire of a taken lock = %v, want context.DeadlineExceeded", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := filelock.Acquire(ended, filepath.Join(t.TempDir(), "free")); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire with an ended context = %v, want context.Canceled", err)
	}
}

func TestHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	checkHeld(t, path, false)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock file after Held: %v, want fs.ErrNotExist", err)
	}
	l := acquire(t, path)
	checkHeld(t, path, true)
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	checkHeld(t, path, false)
}

// Whoever looks at a free lock must not make it look taken to an owner.
func TestHeldDoesNotDisturb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	acquire(t, path).Release()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := filelock.Held(path); err != nil {
				t.Error(err)
			}
		}
	})
	for range 200 {
		l, ok, err := filelock.TryAcquire(path)
		if err != nil || !ok {
			t.Fatalf("TryAcquire beside Held = %v, %v, want the lock", ok, err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnotherProcessExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd, stdin := startHolder(t, path)
	checkHeld(t, path, true)
	if _, ok, err := filelock.TryAcquire(path); ok || err != nil {
		t.Errorf("TryAcquire = %v, %v, want false, nil", ok, err)
	}
	acquired := make(chan *filelock.Lock)
	go func() {
		defer close(acquired)
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		if l, err := filelock.Acquire(ctx, path); err != nil {
			t.Error(err)
		} else {
			acquired <- l
		}
	}()
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if l := <-acquired; l != nil {
		l.Release()
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
}

func TestAKilledHolderReleases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd, _ := startHolder(t, path)
	checkHeld(t, path, true)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	l, err := filelock.Acquire(ctx, path)
	if err != nil {
		t.Fatalf("Acquire after the holder was killed = %v", err)
	}
	defer l.Release()
	if err := cmd.Wait(); err == nil {
		t.Error("child ended well, want it killed")
	}
}

func TestAcquireErrors(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"directory":         dir,
		"missing directory": filepath.Join(dir, "missing", "lock"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := filelock.Acquire(t.Context(), path); err == nil {
				t.Error("Acquire succeeded, want an error")
			}
			if _, ok, err := filelock.TryAcquire(path); err == nil || ok {
				t.Errorf("TryAcquire = %v, %v, want an error", ok, err)
			}
		})
	}
}

func acquire(t *testing.T, path string) *filelock.Lock {
	t.Helper()
	l, err := filelock.Acquire(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func checkHeld(t *testing.T, path string, want bool) {
	t.Helper()
	got, err := filelock.Held(path)
	if err != nil || got != want {
		t.Errorf("Held = %v, %v, want %v", got, err, want)
	}
}
