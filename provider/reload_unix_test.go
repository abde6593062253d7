//go:build unix

package provider_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/provider"
)

func TestFilesNobodyShouldRead(t *testing.T) {
	for _, test := range []struct {
		name, want string
		make       func(path string) error
	}{
		{"a pipe", "not a regular file", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"a device", "not a regular file", func(path string) error { return os.Symlink("/dev/zero", path) }},
		{"a link to nowhere", "no such file", func(path string) error { return os.Symlink("nowhere", path) }},
		{"a link to itself", "too many", func(path string) error { return os.Symlink(path, path) }},
		{"open to everybody", "everybody may write", func(path string) error {
			if err := os.WriteFile(path, []byte(first), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, 0o606)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, dir := open(t, nil)
			path := filepath.Join(dir, "github.toml")
			if err := test.make(path); err != nil {
				t.Fatal(err)
			}
			p, err := c.Lookup("github")
			if err == nil || errors.Is(err, provider.ErrUnknown) {
				t.Fatalf("Lookup: got %+v, %v, want the problem", p, err)
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Lookup: got %q, want %q and the path in it", err, test.want)
			}
		})
	}
}

// TestLinkedFile: platforms mount configuration as links that they switch.
func TestLinkedFile(t *testing.T) {
	c, dir := open(t, nil)
	for _, version := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for version, text := range map[string]string{"v1": first, "v2": second} {
		path := filepath.Join(dir, version, "github.toml")
		write(t, path, text)
		age(t, path)
	}
	data := filepath.Join(dir, "..data")
	if err := errors.Join(os.Symlink("v1", data), os.Symlink("..data/github.toml", filepath.Join(dir, "github.toml"))); err != nil {
		t.Fatal(err)
	}
	wantClient(t, c, "first-")
	if err := errors.Join(os.Symlink("v2", data+".new"), os.Rename(data+".new", data)); err != nil {
		t.Fatal(err)
	}
	wantClient(t, c, "second")
}
