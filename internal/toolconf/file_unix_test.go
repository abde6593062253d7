//go:build unix

package toolconf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A dotfile that is a link into somebody's collection stays one, and the
// permissions stay.
func TestLinkStaysALink(t *testing.T) {
	p := newPlace(t, "git", "-")
	real := p.Path + ".real"
	if err := errors.Join(os.WriteFile(real, []byte("[user]\n"), 0o644), os.Chmod(real, 0o640), os.Symlink("conf.real", p.Path)); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if to, err := os.Readlink(p.Path); err != nil || to != "conf.real" {
			t.Errorf("the link: %q, %v", to, err)
		}
		if info, err := os.Lstat(real); err != nil || info.Mode() != 0o640 {
			t.Errorf("the file: %v, %v", info.Mode(), err)
		}
	}
	p.setup(gitItem("a.example", "a"))
	check()
	if !strings.Contains(p.read(), "helper") {
		t.Error("nothing was written")
	}
	if err := p.undo(); err != nil {
		t.Fatal(err)
	}
	check()
	p.want("[user]\n")
}

// The owner stays; only root can give a file away, so only root can see it.
func TestOwnerStays(t *testing.T) {
	p := newPlace(t, "git", "[user]\n")
	owner := os.Getuid()
	if owner == 0 {
		owner = 12345
		if err := os.Chown(p.Path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	p.setup(gitItem("a.example", "a"))
	info, err := os.Stat(p.Path)
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != owner || info.Mode() != 0o640 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestHostileFiles(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a link that leads nowhere": func(path string) error { return os.Symlink("nowhere", path) },
		"a pipe":                    func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":                  func(path string) error { return os.Mkdir(path, 0o700) },
		"two names": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Link(path, path+"2"))
		},
		"everybody writes": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, "git", "-")
			if err := make(p.Path); err != nil {
				t.Fatal(err)
			}
			if _, err := Setup(p.home, p.Target, []Item{gitItem("a", "a")}, false); err == nil || !strings.Contains(err.Error(), p.Path) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Folders that were made go again, unless somebody uses them.
func TestFolders(t *testing.T) {
	for _, how := range []string{"", "used", "deleted"} {
		used := how == "used"
		p := newPlace(t, "docker", "-")
		top := filepath.Join(filepath.Dir(p.Path), "a")
		p.Path = filepath.Join(top, "b", "config.json")
		p.setup(dockerItem("ghcr.io"))
		if info, err := os.Stat(p.Path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if used {
			if err := os.WriteFile(filepath.Join(top, "x"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if how == "deleted" { // the file, by hand
			if err := os.Remove(p.Path); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.undo(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(top, "b")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the inner folder: %v", err)
		}
		if _, err := os.Lstat(top); errors.Is(err, fs.ErrNotExist) == used {
			t.Errorf("used %v, the outer folder: %v", used, err)
		}
	}
}

func TestLink(t *testing.T) {
	home, dir := filepath.Join(t.TempDir(), "home"), t.TempDir()
	at := filepath.Join(dir, "bin", "docker-credential-usher")
	link := func() Change {
		t.Helper()
		c, err := Link(home, "docker", at, "/bin/usher", false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	undo := func() Change {
		t.Helper()
		records, err := Records(home)
		if err != nil || len(records) != 1 {
			t.Fatalf("%+v, %v", records, err)
		}
		c, err := Undo(home, records[0], nil, false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := link(); !c.Created {
		t.Errorf("%+v", c)
	}
	if c := link(); !c.Nothing() {
		t.Errorf("the second time: %+v", c)
	}
	if c := undo(); !c.Removed {
		t.Errorf("undo: %+v", c)
	}
	if _, err := os.Lstat(filepath.Dir(at)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
	// What takes its place is not ours.
	link()
	if err := errors.Join(os.Remove(at), os.WriteFile(at, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := Link(home, "docker", at, "/bin/usher", false); err == nil {
		t.Error("a file was taken for the link")
	}
	if c := undo(); c.Removed {
		t.Errorf("undo: %+v", c)
	}
	if _, err := os.Lstat(at); err != nil {
		t.Error(err)
	}
}

// Whoever owns the folder may put a link in the place of the file.
func TestOwnerIsNotGivenThroughALink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink("file", link)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := keepOwner(file, info); err != nil {
		t.Errorf("the file: %v", err)
	}
	if err := keepOwner(link, info); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("the link: %v, want that it is not followed", err)
	}
}
