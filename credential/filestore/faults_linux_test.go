package filestore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
)

// A logout removes more than its tombstone needs, so it works on a disk
// without a byte to spare.
func TestLogoutOnAFullDisk(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	for name, prepare := range map[string]func(t *testing.T, s *filestore.Store, dir string){
		"a login":            func(t *testing.T, s *filestore.Store, dir string) {},
		"a rotation before":  func(t *testing.T, s *filestore.Store, dir string) { rotate(t, s) },
		"an interrupted one": func(t *testing.T, s *filestore.Store, dir string) { interrupt(t, s) },
		"a damaged copy": func(t *testing.T, s *filestore.Store, dir string) {
			overwrite(t, current(dir, github)+".corrupt-1", "canary")
		},
		"another login of it": func(t *testing.T, s *filestore.Store, dir string) { createLogin(t, s, persisting(github, "l2")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := mountDisk(t, "512k")
			s := open(t, dir)
			login(t, s, github, "l1")
			prepare(t, s, dir)
			cred, err := s.Get(t.Context(), github)
			if err != nil {
				t.Fatal(err)
			}
			free := fill(t, dir)
			if err := s.Delete(t.Context(), github, cred.Generation); err != nil {
				t.Fatalf("Delete on a full disk: %v", err)
			}
			if _, err := s.Get(t.Context(), github); !errors.Is(err, credential.ErrNotFound) {
				t.Errorf("Get = %v, want ErrNotFound", err)
			}
			if n := countFiles(t, folder(dir, github), "canary"); n != 0 {
				t.Errorf("after the logout %d files hold a secret, want none", n)
			}
			free()
			if l, err := s.GetLogin(t.Context(), "l2"); err == nil {
				if !l.Superseded {
					t.Error("the pending login was not superseded")
				}
				l.State = credential.Ended{Status: credential.LoginFailed, At: l.CreatedAt, Failure: credential.Failure{Code: "superseded"}}
				if _, err := s.UpdateLogin(t.Context(), l, l.Version); err != nil {
					t.Fatal(err)
				}
			}
			overwrite(t, current(dir, github), "") // the second tombstone counts as well
			if again := login(t, s, github, "l3"); again.Generation <= cred.Generation+1 {
				t.Errorf("generation after the tombstone %d = %d, want more", cred.Generation+1, again.Generation)
			}
		})
	}
}

func rotate(t *testing.T, s *filestore.Store) {
	t.Helper()
	r := begin(t, s)
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Commit(t.Context(), sample(github, "2")); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
}

func interrupt(t *testing.T, s *filestore.Store) {
	t.Helper()
	r := begin(t, s)
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
}

func createLogin(t *testing.T, s *filestore.Store, l credential.Login) {
	t.Helper()
	if _, err := s.CreateLogin(t.Context(), l, 0); err != nil {
		t.Fatal(err)
	}
}

// An answer that finds no room in the store goes to the runtime directory.
func TestFullDiskBesideARuntimeDirectory(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	elsewhere := t.TempDir()
	dir := mountDisk(t, "256k")
	s := openWith(t, dir, elsewhere)
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	free := fill(t, dir)
	if _, err := r.Commit(t.Context(), sample(github, "next")); !isRefusal(err, syscall.ENOSPC, dir) || strings.Contains(err.Error(), "kept aside") {
		t.Errorf("Commit on a full disk = %v, want ENOSPC, and the answer kept", err)
	}
	if err := r.Release(false); err != nil { // the process ends
		t.Fatal(err)
	}
	if r, err := s.BeginRotation(t.Context(), github, 0); err == nil {
		t.Errorf("a rotation begins with %s while the answer waits for room", r.Record().RefreshToken.Reveal())
		_ = r.Release(true)
	}
	free()
	r = begin(t, openWith(t, dir, elsewhere))
	defer r.Release(true)
	if got := r.Record(); got.RefreshToken.Reveal() != "canary-rt-next" || got.Generation != cred.Generation+1 {
		t.Errorf("record = generation %d with %s, want the answer", got.Generation, got.RefreshToken.Reveal())
	}
}

// Room is not all that a disk can run out of.
func TestDiskWithoutInodes(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := mountDisk(t, "1m,nr_inodes=60")
	s := open(t, dir)
	login(t, s, github, "l1")
	rotate(t, s)
	reserved := begin(t, s)
	if err := reserved.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	exhaust(t, dir)
	cred, err := reserved.Commit(t.Context(), sample(github, "3"))
	if err != nil {
		t.Errorf("Commit of what was reserved: %v", err)
	}
	if err := reserved.Release(false); err != nil {
		t.Error(err)
	}
	free := exhaust(t, dir) // the intent has gone

	if _, err := s.Update(t.Context(), cred, cred.Generation); !isRefusal(err, syscall.ENOSPC, dir) {
		t.Errorf("Update = %v, want ENOSPC, the path and the next step", err)
	}
	r := begin(t, s)
	if err := r.Reserve(t.Context()); !isRefusal(err, syscall.ENOSPC, dir) {
		t.Errorf("Reserve = %v, want ENOSPC, the path and the next step", err)
	}
	if err := r.Release(true); err != nil {
		t.Error(err)
	}
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(cred) {
		t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, cred.Generation)
	}
	if err := s.Delete(t.Context(), github, cred.Generation); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if n := countFiles(t, folder(dir, github), "canary"); n != 0 {
		t.Errorf("after the logout %d files hold a secret, want none", n)
	}
	free()
	login(t, s, github, "l2")
}

// exhaust leaves no inode on the disk of dir.
func exhaust(t *testing.T, dir string) (free func()) {
	t.Helper()
	var made []string
	for {
		path := filepath.Join(filepath.Dir(dir), fmt.Sprint("empty", len(made)))
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if errors.Is(err, os.ErrExist) {
			made = append(made, "")
			continue
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		made = append(made, path)
	}
	return func() {
		all, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "empty*"))
		for _, path := range all {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A process that may open no more files has spent nothing, and loses nothing.
func TestNoMoreOpenFiles(t *testing.T) {
	if !inOwnMounts(t) { // for a process of its own
		return
	}
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	free := openAll(t)
	if err := r.Reserve(t.Context()); !errors.Is(err, syscall.EMFILE) || !isStoreError(err, dir) {
		t.Errorf("Reserve = %v, want EMFILE and the path", err)
	}
	free()
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	free = openAll(t)
	if _, err := r.Commit(t.Context(), sample(github, "next")); !errors.Is(err, syscall.EMFILE) || !isStoreError(err, dir) {
		t.Errorf("Commit = %v, want EMFILE and the path", err)
	}
	free()
	if next, err := r.Commit(t.Context(), sample(github, "next")); err != nil || next.Generation != cred.Generation+1 {
		t.Errorf("Commit = generation %d, %v, want %d", next.Generation, err, cred.Generation+1)
	}
	if err := r.Release(false); err != nil {
		t.Error(err)
	}
}

// openAll opens files until the process may open no more.
func openAll(t *testing.T) (free func()) {
	t.Helper()
	var all []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return func() {
		for _, f := range all {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
