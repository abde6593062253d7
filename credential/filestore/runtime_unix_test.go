//go:build unix

package filestore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/secret"
)

// withRuntime opens the store in dir with a runtime directory, which it returns.
func withRuntime(t *testing.T, dir string) (*filestore.Store, string) {
	t.Helper()
	runtime := filepath.Join(t.TempDir(), "runtime")
	if err := os.Mkdir(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	return openWith(t, dir, runtime), runtime
}

func openWith(t *testing.T, dir, runtime string) *filestore.Store {
	t.Helper()
	s, err := filestore.Config{Dir: dir, RuntimeDir: runtime}.Open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// breakFolder lets nothing more be written to github's folder, until it is
// repaired.
func breakFolder(t *testing.T, dir string) (repair func()) {
	t.Helper()
	f := folder(dir, github)
	hide := func(name string) error { return os.Rename(filepath.Join(f, name), filepath.Join(f, name+".hidden")) }
	err := errors.Join(
		hide("cred.json"), os.Mkdir(filepath.Join(f, "cred.json"), 0o700),
		hide("spill"), os.WriteFile(filepath.Join(f, "spill"), nil, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		for _, name := range []string{"cred.json", "spill"} {
			path := filepath.Join(f, name)
			if err := errors.Join(os.Remove(path), os.Rename(path+".hidden", path)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// lateAnswer is a rotation whose answer cannot be written to the store, and
// what the error of its Commit was.
func lateAnswer(t *testing.T, s *filestore.Store, dir string) (r credential.Rotation, repair func(), err error) {
	t.Helper()
	r = begin(t, s)
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	repair = breakFolder(t, dir)
	_, err = r.Commit(t.Context(), sample(github, "next"))
	return r, repair, err
}

func TestAnswerGoesToTheRuntimeDirectory(t *testing.T) {
	dir := t.TempDir()
	s, runtime := withRuntime(t, dir)
	cred := login(t, s, github, "l1")
	defer syscall.Umask(syscall.Umask(0))
	r, repair, err := lateAnswer(t, s, dir)
	if !isStoreError(err, folder(dir, github)) {
		t.Errorf("Commit = %v, want an *Error that names the folder", err)
	}
	if err := r.Salvage(t.Context(), secret.New("raw")); err != nil {
		t.Errorf("Salvage: %v", err)
	}
	if n := countFiles(t, runtime, "canary-rt-next"); n != 1 {
		t.Fatalf("%d files of the runtime directory hold the answer, want one", n)
	}
	err = filepath.WalkDir(runtime, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v, want it private", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The process ends here. The next one finds the store working, by another
	// path to it.
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	repair()
	parent := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(dir), parent); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, filepath.Join(parent, filepath.Base(dir)), runtime)
	r = begin(t, s)
	defer r.Release(true)
	if got := r.Record(); got.RefreshToken.Reveal() != "canary-rt-next" || got.Generation != cred.Generation+1 || r.Interrupted() {
		t.Errorf("record = generation %d with %s, interrupted %v, want the answer", got.Generation, got.RefreshToken.Reveal(), r.Interrupted())
	}
	if n := countFiles(t, runtime, "canary"); n != 0 {
		t.Errorf("after it was installed %d files hold the answer, want none", n)
	}
}

func TestRepeatedCommitLeavesNothingInTheRuntimeDirectory(t *testing.T) {
	dir := t.TempDir()
	s, runtime := withRuntime(t, dir)
	cred := login(t, s, github, "l1")
	r, repair, _ := lateAnswer(t, s, dir)
	if _, err := r.Commit(t.Context(), sample(github, "next")); err == nil {
		t.Fatal("Commit to a broken folder succeeded")
	}
	if n := countFiles(t, runtime, "canary"); n != 1 {
		t.Errorf("%d files hold the answer after the second attempt, want one", n)
	}
	repair()
	if next, err := r.Commit(t.Context(), sample(github, "next")); err != nil || next.Generation != cred.Generation+1 {
		t.Errorf("Commit = generation %d, %v, want %d", next.Generation, err, cred.Generation+1)
	}
	if err := r.Release(false); err != nil {
		t.Error(err)
	}
	if n := countFiles(t, runtime, "canary"); n != 0 {
		t.Errorf("%d files hold the answer after it was stored, want none", n)
	}
}

func TestLogoutClearsTheRuntimeDirectory(t *testing.T) {
	dir := t.TempDir()
	s, runtime := withRuntime(t, dir)
	cred := login(t, s, github, "l1")
	r, repair, _ := lateAnswer(t, s, dir)
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	repair()
	if err := s.Delete(t.Context(), github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	if n := countFiles(t, runtime, "canary"); n != 0 {
		t.Errorf("after the logout %d files hold the answer, want none", n)
	}
}

// The folder of the store may be gone altogether.
func TestOrphanInTheRuntimeDirectory(t *testing.T) {
	dir := t.TempDir()
	s, runtime := withRuntime(t, dir)
	login(t, s, github, "l1")
	r, _, _ := lateAnswer(t, s, dir)
	if err := errors.Join(r.Release(false), os.RemoveAll(folder(dir, github))); err != nil {
		t.Fatal(err)
	}
	all, err := s.Orphans(t.Context())
	if err != nil || len(all) != 1 || all[0].Credential.RefreshToken.Reveal() != "canary-rt-next" {
		t.Fatalf("Orphans = %d, %v, want the answer", len(all), err)
	}
	if err := all[0].Discard(t.Context()); err != nil {
		t.Error(err)
	}
	if n := countFiles(t, runtime, "canary"); n != 0 {
		t.Errorf("after Discard %d files hold the answer, want none", n)
	}
}

// Nothing is kept where others could read, exchange or plant something, and
// nothing is believed that lies there.
func TestUnfitRuntimeDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, bait := withRuntime(t, dir)
	login(t, s, github, "l1")
	r, _, _ := lateAnswer(t, s, dir)
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	for name, prepare := range map[string]func(t *testing.T, runtime string) (given string, err error){
		"fit":      func(t *testing.T, runtime string) (string, error) { return runtime, nil },
		"missing":  func(t *testing.T, runtime string) (string, error) { return filepath.Join(runtime, "missing"), nil },
		"relative": func(t *testing.T, runtime string) (string, error) { t.Chdir(runtime); return ".", nil },
		"empty":    func(t *testing.T, runtime string) (string, error) { return "", nil },
		"a symbolic link": func(t *testing.T, runtime string) (string, error) {
			link := filepath.Join(t.TempDir(), "link")
			return link, os.Symlink(runtime, link)
		},
		"writable for others": func(t *testing.T, runtime string) (string, error) {
			return runtime, os.Chmod(runtime, 0o777|fs.ModeSticky)
		},
		"with a folder that is writable for others": func(t *testing.T, runtime string) (string, error) {
			return runtime, os.Chmod(filepath.Join(runtime, "usher"), 0o770)
		},
		"with a folder that is a symbolic link": func(t *testing.T, runtime string) (string, error) {
			path := filepath.Join(runtime, "usher")
			return runtime, errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			runtime := filepath.Join(t.TempDir(), "runtime")
			copyPrivately(t, bait, runtime)
			given, err := prepare(t, runtime)
			if err != nil {
				t.Fatal(err)
			}
			// The same store emptied, to which the bait would belong.
			for _, name := range []string{"credentials", "logins", "owners"} {
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			s := openWith(t, dir, given)
			login(t, s, github, "l1")
			r := begin(t, s)
			if taken := r.Record().RefreshToken.Reveal() == "canary-rt-next"; taken != (name == "fit") {
				t.Errorf("what lay in the runtime directory was taken: %v", taken)
			}
			if err := r.Release(true); err != nil {
				t.Fatal(err)
			}
			before := countFiles(t, runtime, "canary")
			if r, _, err = lateAnswer(t, s, dir); err == nil {
				t.Error("Commit to a broken folder succeeded")
			}
			if kept := countFiles(t, runtime, "canary") > before; kept != (name == "fit") {
				t.Errorf("the answer was kept in the runtime directory: %v", kept)
			}
			if err := r.Release(false); err != nil {
				t.Error(err)
			}
		})
	}
}

// copyPrivately copies a folder, whatever the umask.
func copyPrivately(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chmod(path, 0o700))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenLeavesTheRuntimeDirectoryAlone(t *testing.T) {
	dir := t.TempDir()
	s, runtime := withRuntime(t, dir)
	exercise(t, s)
	if err := s.Delete(t.Context(), github, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Orphans(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := names(t, runtime); len(got) != 0 {
		t.Errorf("the runtime directory holds %q, want nothing before it is needed", got)
	}
}

// Another store at the same path, such as that of a container or one that was
// made anew, has no part in what was kept aside: to it that would be a token
// that nobody owns.
func TestRuntimeDirectoryOfAnotherStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, runtime := withRuntime(t, dir)
	login(t, s, github, "l1")
	r, repair, _ := lateAnswer(t, s, dir)
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	repair()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	other := openWith(t, dir, runtime)
	login(t, other, github, "l2")
	found, err := other.Orphans(t.Context())
	if err != nil || len(found) != 0 {
		t.Errorf("another store finds %d orphans, %v, want none", len(found), err)
	}
	if err := errors.Join(os.Rename(dir, dir+".other"), os.Rename(dir+".away", dir)); err != nil {
		t.Fatal(err)
	}
	if r = begin(t, openWith(t, dir, runtime)); r.Record().RefreshToken.Reveal() != "canary-rt-next" {
		t.Error("the store itself does not find what it has kept aside")
	}
	if err := r.Release(true); err != nil {
		t.Fatal(err)
	}
}
