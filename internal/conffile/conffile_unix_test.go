//go:build unix

package conffile_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/internal/conffile"
)

func TestReadDoesNotWaitForAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conffile.Read(path, 5); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}

func TestReadFollowsALink(t *testing.T) {
	path := write(t, "123")
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if data, _, err := conffile.Read(link, 5); err != nil || string(data) != "123" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestReadJudgesWhoMayWrite(t *testing.T) {
	path := write(t, "123")
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o444: true, 0o664: true, 0o602: false, 0o666: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conffile.Read(path, 5); (err == nil) != ok {
			t.Errorf("mode %o: got %v", mode, err)
		}
	}
}
