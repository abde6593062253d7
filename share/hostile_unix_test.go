//go:build unix

package share

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Nothing that others can write to is trusted, and nothing waits for a pipe.
func TestRefusesFoldersOfOthers(t *testing.T) {
	open := t.TempDir()
	f := openAt(t, open)
	put(t, f.Path(), good)
	linking := newFile(t)
	if err := os.Symlink(f.Path(), linking.Path()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*File{"the folder itself": f, "behind a link": linking} {
		if _, err := f.Read(); err == nil || IsMissing(err) || !strings.Contains(err.Error(), open) {
			t.Errorf("%s: Read = %v, want a refusal that names the folder", name, err)
		}
	}
	if _, err := f.Lock(t.Context()); err == nil || errors.Is(err, ErrBusy) {
		t.Errorf("Lock = %v, want a refusal", err)
	}
	l := take(t, linking)
	defer release(t, l)
	if err := l.Write(sample("1", time.Now())); err == nil || slurp(t, f.Path()) != good {
		t.Errorf("Write behind a link = %v, want a refusal", err)
	}
}

func TestPipes(t *testing.T) {
	f := newFile(t)
	for _, path := range []string{f.Path(), lockPath(f)} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Read(); err == nil || IsMissing(err) {
		t.Errorf("Read = %v, want a refusal", err)
	}
	if _, err := f.Lock(t.Context()); err == nil || errors.Is(err, ErrBusy) {
		t.Errorf("Lock = %v, want a refusal", err)
	}
}

func TestRefusesFilesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		// What is asked needs a file of somebody else's; any user can find one
		// in a folder, but not plant it in one of its own.
		info, err := os.Stat("/")
		if err != nil {
			t.Fatal(err)
		}
		if uid, is := foreign(info); !is || uid != 0 {
			t.Errorf("the root folder belongs to uid %d, foreign: %v", uid, is)
		}
		return
	}
	f := newFile(t)
	put(t, lockPath(f), "x")
	if err := os.Chown(lockPath(f), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock(t.Context()); err == nil || !strings.Contains(err.Error(), "65534") {
		t.Errorf("Lock = %v, want a refusal that names the owner", err)
	}
	folder := filepath.Dir(f.Path())
	if err := os.Chown(folder, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	put(t, f.Path(), good)
	if _, err := f.Read(); err == nil || !strings.Contains(err.Error(), "65534") {
		t.Errorf("Read = %v, want a refusal that names the owner", err)
	}
}
