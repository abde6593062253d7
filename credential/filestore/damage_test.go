package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/credential"
)

func TestDamagedCredentialFallsBack(t *testing.T) {
	for name, damage := range map[string]func(raw string) string{
		"empty":        func(string) string { return "" },
		"truncated":    func(raw string) string { return raw[:len(raw)/2] },
		"a BOM":        func(raw string) string { return "\ufeff" + raw },
		"zeros":        func(raw string) string { return strings.Repeat("\x00", len(raw)) },
		"too large":    func(raw string) string { return raw + strings.Repeat(" ", 2<<20) },
		"another JSON": func(string) string { return `{"access_token":"canary"}` },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			previous := update(t, s, login(t, s, github, "l1"), "previous")
			lost := update(t, s, previous, "lost")
			raw, err := os.ReadFile(current(dir, github))
			if err != nil {
				t.Fatal(err)
			}
			damaged := damage(string(raw))
			overwrite(t, current(dir, github), damaged)

			want := previous
			want.Generation = lost.Generation
			if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(want) {
				t.Fatalf("Get = generation %d, %v, want the previous credential as %d", got.Generation, err, want.Generation)
			}
			for got, err := range s.List(t.Context()) {
				if err != nil || !got.Equal(want) {
					t.Errorf("List yields generation %d, %v, want the previous credential as %d", got.Generation, err, want.Generation)
				}
			}
			r := begin(t, s)
			if err := r.Reserve(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(current(dir, github)); err != nil || string(got) != damaged {
				t.Errorf("the damaged file was touched before there was anything better (%v)", err)
			}
			next, err := r.Commit(t.Context(), sample(github, "next"))
			if err != nil || next.Generation != lost.Generation+1 {
				t.Errorf("Commit = generation %d, %v, want %d", next.Generation, err, lost.Generation+1)
			}
			if err := r.Release(false); err != nil {
				t.Error(err)
			}
			if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(next) {
				t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, next.Generation)
			}
			kept, err := filepath.Glob(current(dir, github) + ".corrupt-*")
			if err != nil || len(kept) != 1 {
				t.Fatalf("copies of the damaged file: %q, %v, want one", kept, err)
			}
			if got, err := os.ReadFile(kept[0]); err != nil || string(got) != damaged {
				t.Errorf("the copy differs from the damaged file (%v)", err)
			}
		})
	}
}

func TestDamagedFirstCredential(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	login(t, s, github, "l1")
	overwrite(t, current(dir, github), `{"v":1,"access_token":"canary`)
	if _, err := s.Get(t.Context(), github); !isStoreError(err, current(dir, github)) || strings.Contains(err.Error(), "canary") {
		t.Errorf("Get = %v, want an *Error that names the file and no content", err)
	}
	n := 0
	for _, err := range s.List(t.Context()) {
		if n++; !isStoreError(err, current(dir, github)) {
			t.Errorf("List yields %v, want an *Error that names the file", err)
		}
	}
	if n != 1 {
		t.Errorf("List yields %d times, want once", n)
	}
	if again := login(t, s, github, "l2"); again.Generation != 2 {
		t.Errorf("generation after a damaged first one = %d, want 2", again.Generation)
	}
}

// A damaged tombstone must not bring back what it buried.
func TestDamagedTombstone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := update(t, s, login(t, s, github, "l1"), "2")
	if err := s.Delete(t.Context(), github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	overwrite(t, current(dir, github), "")
	if _, err := s.Get(t.Context(), github); !isStoreError(err, current(dir, github)) {
		t.Errorf("Get = %v, want an *Error that names the file", err)
	}
	if again := login(t, s, github, "l2"); again.Generation <= cred.Generation+1 {
		t.Errorf("generation after the tombstone %d = %d, want more", cred.Generation+1, again.Generation)
	}
}

func TestRemovedCredentialStaysAway(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := update(t, s, login(t, s, github, "l1"), "2")
	if err := os.Remove(current(dir, github)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), github); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if again := login(t, s, github, "l2"); again.Generation <= cred.Generation-1 {
		t.Errorf("generation = %d, want it to go on after %d", again.Generation, cred.Generation)
	}
	if err := os.RemoveAll(filepath.Join(dir, "credentials")); err != nil {
		t.Fatal(err)
	}
	login(t, s, github, "l3") // the folders are made again
}

// An answer that could not be stored waits in spill/ for the next rotation.
func TestFailedCommitIsRecovered(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	hidden := current(dir, github) + ".hidden"
	if err := os.Rename(current(dir, github), hidden); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(current(dir, github), 0o700); err != nil {
		t.Fatal(err)
	}
	next := sample(github, "next")
	next.Grant, next.Generation = cred.Grant, cred.Generation+1
	for range 2 {
		if _, err := r.Commit(t.Context(), next); !isStoreError(err, folder(dir, github)) {
			t.Errorf("Commit over a folder = %v, want an *Error that names it", err)
		}
		if n := countFiles(t, filepath.Join(folder(dir, github), "spill"), "canary-rt-next"); n != 1 {
			t.Errorf("spill holds %d answers, want 1", n)
		}
	}
	// The process ends here; the next one finds a working store.
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(current(dir, github)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, current(dir, github)); err != nil {
		t.Fatal(err)
	}
	r = begin(t, s)
	defer r.Release(true)
	if !r.Record().Equal(next) || r.Interrupted() {
		t.Errorf("record = generation %d, interrupted %v, want the answer, %d, false", r.Record().Generation, r.Interrupted(), next.Generation)
	}
	if got := names(t, filepath.Join(folder(dir, github), "spill")); len(got) != 0 {
		t.Errorf("spill = %q after the answer was installed, want nothing", got)
	}
}

func TestFailedCommitCanBeRepeated(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(folder(dir, github), "write.lock")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Commit(t.Context(), sample(github, "next")); !isStoreError(err, folder(dir, github)) {
		t.Errorf("Commit without a lock = %v, want an *Error that names the folder", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	next, err := r.Commit(t.Context(), sample(github, "next"))
	if err != nil || next.Generation != cred.Generation+1 {
		t.Errorf("repeated Commit = generation %d, %v, want %d", next.Generation, err, cred.Generation+1)
	}
	if err := r.Release(false); err != nil {
		t.Error(err)
	}
	if n := countFiles(t, filepath.Join(folder(dir, github), "spill"), "canary"); n != 0 {
		t.Errorf("spill holds %d answers after the repeated Commit, want none", n)
	}
}
