package filestore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

func TestDamagedCredentialFallsBack(t *testing.T) {
	for name, damage := range map[string]func(raw string) string{
		"empty":        func(string) string { return "" },
		"truncated":    func(raw string) string { return raw[:len(raw)/2] },
		"a BOM":        func(raw string) string { return "\ufeff" + raw },
		"binary":       func(raw string) string { return "\x7fELF\x02\xff\xfe" + raw },
		"zeros":        func(raw string) string { return strings.Repeat("\x00", len(raw)) },
		"too large":    func(raw string) string { return raw + strings.Repeat(" ", 33<<20) },
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

// A gigabyte in the place of a record is not read, and not copied.
func TestHugeCredentialFallsBack(t *testing.T) {
	const size = 1 << 30
	dir := t.TempDir()
	s := open(t, dir)
	lost := update(t, s, login(t, s, github, "l1"), "lost")
	if err := os.Truncate(current(dir, github), size); err != nil { // takes no room
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), github); err != nil || got.RefreshToken.Reveal() != "canary-rt-l1" {
		t.Errorf("Get = generation %d, %v, want the previous credential", got.Generation, err)
	}
	next := update(t, s, lost, "next")
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(next) {
		t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, next.Generation)
	}
	kept, err := filepath.Glob(current(dir, github) + ".corrupt-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("damaged files that were kept: %q, %v, want one", kept, err)
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Size() != size {
		t.Errorf("the kept file is %v, %v, want it as it was", info, err)
	}
}

func TestDamagedFirstCredential(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	login(t, s, github, "l1")
	overwrite(t, current(dir, github), `{"v":1,"access_token":"canary`)
	if _, err := s.Get(t.Context(), github); !isStoreError(err, current(dir, github)) || !errors.Is(err, credential.ErrDamaged) || strings.Contains(err.Error(), "canary") {
		t.Errorf("Get = %v, want an *Error that names the file and no content, and is ErrDamaged", err)
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

// The count goes on after a first credential as well.
func TestRemovedFirstCredential(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	if err := os.Remove(current(dir, github)); err != nil {
		t.Fatal(err)
	}
	if again := login(t, s, github, "l2"); again.Generation <= cred.Generation {
		t.Errorf("generation = %d, want it to go on after %d", again.Generation, cred.Generation)
	}
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

// A record of a later version is not damaged: its predecessor's refresh token
// is spent, and whoever sent it would lose the login.
func TestLaterVersionIsLeftAlone(t *testing.T) {
	for name, later := range map[string]string{
		"known shape":   `{"v":2,"provider":"github","account":"default","generation":3,"access_token":"canary"}`,
		"another shape": `{"v":2,"provider":{"name":"github"},"tokens":["canary"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			cred := update(t, s, login(t, s, github, "l1"), "2")
			overwrite(t, current(dir, github), later)
			l, err := s.CreateLogin(t.Context(), persisting(github, "l2"), 0)
			if err != nil {
				t.Fatal(err)
			}
			for call, do := range map[string]func() error{
				"Get":           func() error { _, err := s.Get(t.Context(), github); return err },
				"BeginRotation": func() error { _, err := s.BeginRotation(t.Context(), github, 0); return err },
				"Update":        func() error { _, err := s.Update(t.Context(), cred, cred.Generation); return err },
				"Delete":        func() error { return s.Delete(t.Context(), github, cred.Generation) },
				"Settle":        func() error { _, _, err := s.Settle(t.Context(), authorized(l), sample(github, "x")); return err },
			} {
				err := do()
				if !isStoreError(err, folder(dir, github)) || !errors.Is(err, credential.ErrVersion) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%s = %v, want an *Error that wraps ErrVersion", call, err)
				}
			}
			if raw, err := os.ReadFile(current(dir, github)); err != nil || string(raw) != later {
				t.Errorf("the record is now %q, %v", raw, err)
			}
		})
	}
}

// What was stored must be readable, however much a provider answered: a record
// too large to read would be answered by the one before, with its spent token.
func TestLargeAnswersAreReadBack(t *testing.T) {
	s := open(t, t.TempDir())
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	defer r.Release(false)
	next := sample(github, "next")
	next.AccessToken = secret.New(strings.Repeat("&", 1<<20)) // six bytes of JSON each
	next.RefreshToken, next.IDToken = next.AccessToken, next.AccessToken
	next, err := r.Commit(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(next) || got.Generation != cred.Generation+1 {
		t.Errorf("Get = generation %d, %v, want %d as committed", got.Generation, err, next.Generation)
	}
}

// A Delete that fails has deleted nothing, and no copy is left behind by one
// that succeeded.
func TestFailedDeleteDeletesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := update(t, s, login(t, s, github, "l1"), "2")
	previous := filepath.Join(folder(dir, github), "cred.prev")
	if err := errors.Join(os.Remove(previous), os.Mkdir(previous, 0o700)); err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(previous, "file"), "")
	if err := s.Delete(t.Context(), github, cred.Generation); !isStoreError(err, folder(dir, github)) {
		t.Errorf("Delete = %v, want an *Error that names the folder", err)
	}
	if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(cred) {
		t.Errorf("Get = generation %d, %v, want the credential still", got.Generation, err)
	}
	if err := os.RemoveAll(previous); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), github, cred.Generation); err != nil {
		t.Errorf("repeated Delete = %v", err)
	}
	if n := countFiles(t, dir, "canary"); n != 0 {
		t.Errorf("%d files hold a secret after the repeated Delete, want none", n)
	}
}

// Behind a captive portal every attempt brings an answer to keep.
func TestFewRawAnswersAreKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	login(t, s, github, "l1")
	spill := filepath.Join(folder(dir, github), "spill")
	r := begin(t, s)
	defer r.Release(false)
	for i := range 20 {
		if err := r.Salvage(t.Context(), secret.New(fmt.Sprintf("answer %02d", i))); err != nil {
			t.Fatal(err)
		}
		// Older than the next one on any file system.
		for _, name := range names(t, spill) {
			path := filepath.Join(spill, name)
			if raw, err := os.ReadFile(path); err != nil {
				t.Fatal(err)
			} else if string(raw) == fmt.Sprintf("answer %02d", i) {
				at := time.Unix(int64(1e9+i), 0)
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if got := names(t, spill); len(got) != 8 {
		t.Errorf("spill holds %d answers, want 8", len(got))
	}
	for _, text := range []string{"answer 12", "answer 19"} {
		if countFiles(t, spill, text) != 1 {
			t.Errorf("%s is gone, want the newest kept", text)
		}
	}
}
