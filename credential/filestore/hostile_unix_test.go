//go:build unix

package filestore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/secret"
)

func TestModes(t *testing.T) {
	for _, mask := range []int{0o000, 0o022, 0o077, 0o777} {
		dir := filepath.Join(t.TempDir(), "store")
		func() {
			defer syscall.Umask(syscall.Umask(mask &^ 0o700)) // folders we cannot enter are nobody's wish
			exercise(t, open(t, dir))
		}()
		n := 0
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if entry.IsDir() {
				want = fs.ModeDir | 0o700
			}
			if n++; info.Mode() != want {
				t.Errorf("umask %03o: %s has mode %v, want %v", mask, path, info.Mode(), want)
			}
			return nil
		})
		if err != nil || n < 15 {
			t.Errorf("umask %03o: looked at %d files, %v, want all kinds there are", mask, n, err)
		}
	}
}

// exercise leaves every kind of file behind.
func exercise(t *testing.T, s *filestore.Store) {
	t.Helper()
	if _, err := s.NewOwner(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, login(t, s, github, "l1"), "2")
	r := begin(t, s)
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Salvage(t.Context(), secret.New("raw")); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutRegistration(t.Context(), credential.Registration{Issuer: "https://as.test"}); err != nil {
		t.Fatal(err)
	}
}

func TestPlantedFilesAreRefused(t *testing.T) {
	const secretText = "the victim's"
	plants := map[string]func(t *testing.T, victim, path string) error{
		"symbolic link": func(t *testing.T, victim, path string) error { return os.Symlink(victim, path) },
		"dangling link": func(t *testing.T, victim, path string) error { return os.Symlink(victim+".missing", path) },
		"hard link":     func(t *testing.T, victim, path string) error { return os.Link(victim, path) },
		"named pipe":    func(t *testing.T, victim, path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder":        func(t *testing.T, victim, path string) error { return os.Mkdir(path, 0o700) },
	}
	for _, name := range []string{"cred.json", "cred.prev", "intent.json", "lock", "write.lock", "spill"} {
		for kind, plant := range plants {
			if name == "spill" && kind == "folder" || (name == "lock" || name == "write.lock") && kind == "hard link" {
				continue // what belongs there; an empty file that is locked and never written
			}
			t.Run(name+" is a "+kind, func(t *testing.T) {
				dir := t.TempDir()
				s := open(t, dir)
				cred := update(t, s, login(t, s, github, "l1"), "2")
				victim := filepath.Join(t.TempDir(), "victim")
				overwrite(t, victim, secretText)
				path := filepath.Join(folder(dir, github), name)
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if err := plant(t, victim, path); err != nil {
					t.Fatal(err)
				}

				err := refresh(t, s, cred)
				if !isStoreError(err, folder(dir, github)) {
					t.Errorf("refresh = %v, want an *Error that names the folder", err)
				}
				if raw, err := os.ReadFile(victim); err != nil || string(raw) != secretText {
					t.Errorf("the victim is now %q, %v", raw, err)
				}
				if got := names(t, filepath.Dir(victim)); len(got) != 1 {
					t.Errorf("beside the victim: %q", got)
				}
			})
		}
	}
}

// refresh is everything up to a stored answer.
func refresh(t *testing.T, s *filestore.Store, cred credential.Credential) error {
	r, err := s.BeginRotation(t.Context(), cred.Key, cred.Generation)
	if err != nil {
		return err
	}
	defer r.Release(true)
	if err := r.Reserve(t.Context()); err != nil {
		return err
	}
	_, err = r.Commit(t.Context(), sample(cred.Key, "next"))
	return err
}

func TestSharedFolderIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(dir); !isStoreError(err, dir) {
		t.Errorf("Open of a folder others may write to = %v, want an *Error that names it", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(link); !isStoreError(err, link) {
		t.Errorf("Open of a symbolic link = %v, want an *Error that names it", err)
	}
}
