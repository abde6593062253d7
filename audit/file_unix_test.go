//go:build unix

package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/audit"
)

func TestFileIsPrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(t.TempDir(), "audit.log")
	openLog(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

// What somebody else could have prepared is not written to.
func TestOpenFileRefuses(t *testing.T) {
	write := func(mode os.FileMode) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, mode)
		}
	}
	tests := map[string]struct {
		prepare func(path string) error
		want    string // empty: it is taken
	}{
		"readable by all":      {write(0o644), ""},
		"writable by all":      {write(0o602), "others may write to it (mode 0602)"},
		"writable by a group":  {write(0o660), "others may write to it (mode 0660)"},
		"a link":               {func(path string) error { return os.Symlink(path+".to", path) }, "it is a link"},
		"a directory":          {func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		"a pipe":               {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not a regular file"},
		"a file of other name": {func(path string) error { return link(path, write(0o600)) }, "other names"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			if err := tt.prepare(path); err != nil {
				t.Fatal(err)
			}
			f, err := audit.OpenFile(path, nil)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and the path", err, tt.want)
			}
		})
	}
}

func link(path string, write func(string) error) error {
	if err := write(path + ".target"); err != nil {
		return err
	}
	return os.Link(path+".target", path)
}

// Only root can make such a file; a container's tests run as root.
func TestOpenFileRefusesAnotherUsersFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		// Without the right to give files away, another user's file will do.
		path = "/etc/passwd"
	}
	if _, err := audit.OpenFile(path, nil); err == nil {
		t.Errorf("%s was opened", path)
	}
}
