package share

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// plantTheirs makes a lock as the tool does.
func plantTheirs(t *testing.T, f *File, at time.Time) {
	t.Helper()
	put(t, lockPath(f), "b0c0ffee-0000-4000-8000-000000000000")
	touch(t, lockPath(f), at)
}

func touch(t *testing.T, path string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// waited is how long Lock took.
func waited(t *testing.T, f *File) time.Duration {
	t.Helper()
	start := time.Now()
	l := take(t, f)
	d := time.Since(start)
	release(t, l)
	return d
}

func TestLockWaitsForTheTool(t *testing.T) {
	for name, test := range map[string]struct {
		age  time.Duration
		want time.Duration
	}{
		"just taken":                           {0, 35 * time.Second},
		"10 s old, when old releases steal it": {10 * time.Second, 25 * time.Second},
		"stale":                                {35 * time.Second, 0},
		"stale for long":                       {240 * time.Hour, 0},
		"from the future":                      {-time.Hour, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFile(t)
				plantTheirs(t, f, time.Now().Add(-test.age))
				if got := waited(t, f); got < test.want || got > test.want+2*lastPoll {
					t.Errorf("waited %v, want %v", got, test.want)
				}
				if got := names(t, f); len(got) > 0 {
					t.Errorf("left behind: %v", got)
				}
			})
		})
	}
}

// A lock that is touched is held, whatever its time says; and the wait ends.
func TestLockIsBusy(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"by our clock": 0, "by a clock ahead of ours": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFile(t)
				plantTheirs(t, f, time.Now().Add(ahead))
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				go func() {
					for ctx.Err() == nil {
						_ = wait(ctx, 10*time.Second)
						at := time.Now().Add(ahead)
						_ = os.Chtimes(lockPath(f), at, at)
					}
				}()
				_, err := f.Lock(ctx)
				if !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Lock = %v, want ErrBusy by the deadline", err)
				}
				synctest.Wait()
			})
		})
	}
}

func TestLockIsKeptFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFile(t)
		l := take(t, f)
		for range 100 {
			time.Sleep(777 * time.Millisecond)
			info, err := os.Lstat(lockPath(f))
			if err != nil {
				t.Fatal(err)
			}
			if age := time.Since(info.ModTime()); age > heartbeat+2*watchEvery || age < 0 {
				t.Fatalf("the lock is %v old", age)
			}
		}
		release(t, l)
		if got := names(t, f); len(got) > 0 {
			t.Errorf("left behind: %v", got)
		}
	})
}

// A process of the tool that ends removes the lock, whoever holds it.
func TestLockComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFile(t)
		l := take(t, f)
		for range 3 {
			if err := os.Remove(lockPath(f)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * watchEvery)
			synctest.Wait()
			if _, err := os.Lstat(lockPath(f)); err != nil {
				t.Fatal("the lock did not come back")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*staleAfter)
		defer cancel()
		if _, err := f.Lock(ctx); !errors.Is(err, ErrBusy) {
			t.Errorf("another Lock = %v, want ErrBusy", err)
		}
		release(t, l)
		if got := names(t, f); len(got) > 0 {
			t.Errorf("left behind: %v", got)
		}
	})
}

// A lock of somebody else is neither touched nor removed, and once it has gone
// ours is there again.
func TestLockLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFile(t)
		l := take(t, f)
		if err := os.Remove(lockPath(f)); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-time.Second)
		plantTheirs(t, f, at)
		theirs := slurp(t, lockPath(f))
		time.Sleep(3 * heartbeat)
		synctest.Wait()
		if info, err := os.Lstat(lockPath(f)); err != nil || !info.ModTime().Equal(at) || slurp(t, lockPath(f)) != theirs {
			t.Error("their lock was changed")
		}
		if err := os.Remove(lockPath(f)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * watchEvery)
		synctest.Wait()
		if ours, err := isOurs(l.held, lockPath(f)); err != nil || !ours {
			t.Errorf("the lock is ours again: %v, %v", ours, err)
		}
		if err := os.Remove(lockPath(f)); err != nil {
			t.Fatal(err)
		}
		plantTheirs(t, f, at)
		release(t, l)
		if got := slurp(t, lockPath(f)); got != theirs {
			t.Error("Release removed their lock")
		}
	})
}

// The kernel knows whether a process of ours that left a lock is alive.
func TestLockOfOurOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFile(t)
		dead, err := plant(lockPath(f))
		if err != nil {
			t.Fatal(err)
		}
		if err := dead.Close(); err != nil { // as the kernel does
			t.Fatal(err)
		}
		if got := waited(t, f); got > lastPoll {
			t.Errorf("waited %v for a dead process", got)
		}

		stopped, err := plant(lockPath(f)) // nobody touches it
		if err != nil {
			t.Fatal(err)
		}
		defer stopped.Close()
		touch(t, lockPath(f), time.Now())
		ctx, cancel := context.WithTimeout(t.Context(), staleAfter-time.Second)
		defer cancel()
		if _, err := f.Lock(ctx); !errors.Is(err, ErrBusy) {
			t.Errorf("Lock = %v beside a live process, want ErrBusy", err)
		}
	})
}

func TestLockRefuses(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, path string) error{
		"a folder":        func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(_ *testing.T, path string) error { return os.Symlink("nowhere", path) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t)
			if err := prepare(t, lockPath(f)); err != nil {
				t.Fatal(err)
			}
			_, err := f.Lock(t.Context())
			if err == nil || errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), lockPath(f)) {
				t.Errorf("Lock = %v, want a refusal that names the lock", err)
			}
			if _, err := os.Lstat(lockPath(f)); err != nil {
				t.Error("what is not a lock was removed")
			}
		})
	}
}

// Whoever comes late must not remove the lock of the one who was faster.
func TestTakeOverOfAnother(t *testing.T) {
	f := newFile(t)
	plantTheirs(t, f, time.Now().Add(-time.Hour))
	judged, err := sight(lockPath(f))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(){
		"touched":  func() { touch(t, lockPath(f), time.Now()) },
		"replaced": func() { _ = os.Remove(lockPath(f)); put(t, lockPath(f), "another") },
	} {
		change()
		want := slurp(t, lockPath(f))
		if err := takeOver(lockPath(f), judged); err != nil {
			t.Fatal(err)
		}
		if got := slurp(t, lockPath(f)); got != want {
			t.Errorf("%s: the lock became %q", name, got)
		}
		if got := names(t, f); !slices.Equal(got, []string{lockName}) {
			t.Errorf("%s: left behind: %v", name, got)
		}
		if judged, err = sight(lockPath(f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := takeOver(lockPath(f), judged); err != nil {
		t.Fatal(err)
	}
	if got := names(t, f); len(got) > 0 {
		t.Errorf("the lock that was judged stays: %v", got)
	}
}

// One at a time, and everybody has a turn.
func TestLockExcludes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFile(t)
		var (
			wg     sync.WaitGroup
			mu     sync.Mutex
			inside int
		)
		for range 8 {
			wg.Go(func() {
				for range 20 {
					l, err := f.Lock(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if inside++; inside > 1 {
						t.Error("two hold the lock")
					}
					mu.Unlock()
					time.Sleep(50 * time.Millisecond)
					mu.Lock()
					inside--
					mu.Unlock()
					if err := l.Release(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestWriteCompares(t *testing.T) {
	now := time.Now()
	write := func(n string) func(*testing.T, *File) {
		return func(t *testing.T, f *File) {
			data, err := encodeQwen(sample(n, now), nil)
			if err != nil {
				t.Fatal(err)
			}
			put(t, f.Path(), string(data))
		}
	}
	remove := func(t *testing.T, f *File) {
		if err := os.Remove(f.Path()); err != nil {
			t.Fatal(err)
		}
	}
	spoil := func(t *testing.T, f *File) { put(t, f.Path(), "{") }
	nothing := func(*testing.T, *File) {}
	for name, test := range map[string]struct {
		before, meanwhile func(*testing.T, *File)
		changed           bool
	}{
		"nothing there":           {nothing, nothing, false},
		"unchanged":               {write("old"), nothing, false},
		"wiped by the tool":       {write("old"), remove, false},
		"spoilt":                  {write("old"), spoil, false},
		"refreshed by the tool":   {write("old"), write("theirs"), true},
		"logged in with the tool": {nothing, write("theirs"), true},
		"ours already":            {write("old"), write("new"), false},
		"the access token is theirs": {write("old"), func(t *testing.T, f *File) {
			put(t, f.Path(), strings.Replace(slurp(t, f.Path()), "access-old", "x", 1))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t)
			test.before(t, f)
			l := take(t, f)
			defer release(t, l)
			if _, err := l.Read(); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			test.meanwhile(t, f)
			err := l.Write(sample("new", now))
			if errors.Is(err, ErrChanged) != test.changed || (err != nil) != test.changed {
				t.Errorf("Write = %v, want ErrChanged: %v", err, test.changed)
			}
			want := "refresh-new"
			if test.changed {
				want = "refresh-theirs"
			}
			if got, err := f.Read(); err != nil || got.RefreshToken.Reveal() != want {
				t.Errorf("the file holds %q (%v), want %q", got.RefreshToken.Reveal(), err, want)
			}
			if test.changed {
				if err := l.Remove(); !errors.Is(err, ErrChanged) {
					t.Errorf("Remove = %v, want ErrChanged", err)
				}
				return
			}
			if err := l.Write(sample("newer", now)); err != nil {
				t.Errorf("a second Write: %v", err)
			}
			for range 2 {
				if err := l.Remove(); err != nil {
					t.Errorf("Remove: %v", err)
				}
			}
			if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after Remove: %v", err)
			}
		})
	}
}

// The tool reloads only when the modification time grows.
func TestModificationTimeGrows(t *testing.T) {
	f := newFile(t)
	l := take(t, f)
	defer release(t, l)
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour} {
		if err := l.Write(sample("1", time.Now())); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(ahead).Truncate(time.Millisecond)
		touch(t, f.Path(), at)
		stamps := map[string]bool{}
		for n := range 5 {
			if err := l.Write(sample("1", time.Now())); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(f.Path())
			if err != nil {
				t.Fatal(err)
			}
			if now := info.ModTime(); now.Sub(at) < time.Millisecond {
				t.Errorf("%v ahead, write %d: the time grew by %v", ahead, n, now.Sub(at))
			} else {
				at = now
			}
			stamp, err := f.Stamp()
			if err != nil || stamp == "" || stamps[stamp] {
				t.Errorf("stamp %q (%v) came before: %v", stamp, err, stamps[stamp])
			}
			stamps[stamp] = true
		}
	}
	if err := os.Remove(f.Path()); err != nil {
		t.Fatal(err)
	}
	if stamp, err := f.Stamp(); stamp != "" || err != nil {
		t.Errorf("the stamp of nothing is %q, %v", stamp, err)
	}
}

func TestWriteThroughLinks(t *testing.T) {
	home := t.TempDir()
	real := filepath.Join(home, "dotfiles", "qwen")
	if err := os.MkdirAll(real, 0o755); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(home, ".qwen")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	f := openAt(t, folder)
	put(t, filepath.Join(real, "creds"), good)
	if err := os.Symlink(filepath.Join(real, "creds"), f.Path()); err != nil {
		t.Fatal(err)
	}
	check := func(f *File) {
		t.Helper()
		l := take(t, f)
		defer release(t, l)
		if _, err := l.Read(); err != nil {
			t.Fatal(err)
		}
		if err := l.Write(sample("new", time.Now())); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(slurp(t, filepath.Join(real, "creds")), "refresh-new") {
			t.Error("the file behind the link was not written")
		}
	}
	check(f)
	if info, err := os.Lstat(f.Path()); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Error("the link was replaced")
	}
	linked := filepath.Join(home, "linked")
	if err := os.Symlink(folder, linked); err != nil {
		t.Fatal(err)
	}
	check(openAt(t, linked))

	if err := os.Remove(filepath.Join(real, "creds")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link that leads nowhere: %v, want fs.ErrNotExist", err)
	}
	l := take(t, f)
	defer release(t, l)
	if err := l.Write(sample("new", time.Now())); err == nil {
		t.Error("a link that leads nowhere was followed")
	}
}
