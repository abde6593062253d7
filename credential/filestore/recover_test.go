package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// tokens are the refresh tokens of what a rotation of github could try.
func tokens(t *testing.T, r credential.Rotation) string {
	t.Helper()
	all, err := r.Candidates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, c := range all {
		found = append(found, c.RefreshToken.Reveal())
	}
	return fmt.Sprint(found)
}

// A cred.json from a backup has a token that was spent long ago; cred.prev has
// a newer one.
func TestRestoredBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	backup := filepath.Join(t.TempDir(), "cred.json")
	copyFile(t, current(dir, github), backup)
	for _, tag := range []string{"2", "3", "4"} {
		cred = update(t, s, cred, tag)
	}
	copyFile(t, backup, current(dir, github))

	for range 2 { // the second after a process that died before it sent anything
		r := begin(t, s)
		if got := r.Record().RefreshToken.Reveal(); got != "canary-rt-l1" {
			t.Errorf("the record has the token %s, want the restored one", got)
		}
		if err := r.Reserve(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := tokens(t, r); got != "[canary-rt-3]" {
			t.Errorf("candidates %s, want the previous generation", got)
		}
		if err := r.Release(false); err != nil {
			t.Fatal(err)
		}
	}
	// Accepted: from now on the generations are those of the backup.
	r := begin(t, s)
	for _, tag := range []string{"5", "6", "7"} {
		if _, err := r.Commit(t.Context(), sample(github, tag)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	if n := countFiles(t, dir, "canary-rt-3"); n != 0 {
		t.Errorf("%d files hold the token of the generation that was overtaken, want none", n)
	}
}

// An older previous generation is what it always is, and no candidate.
func TestPreviousGenerationIsNoCandidate(t *testing.T) {
	s := open(t, t.TempDir())
	update(t, s, login(t, s, github, "l1"), "2")
	r := begin(t, s)
	defer r.Release(true)
	if got := tokens(t, r); got != "[]" {
		t.Errorf("candidates %s, want none", got)
	}
}

// spill puts a file into spill/, as a rotation that died left it.
func spill(t *testing.T, dir, name string, cred credential.Credential) string {
	t.Helper()
	data, err := credential.Encode(cred)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(folder(dir, cred.Key), "spill")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, name)
	overwrite(t, path, string(data))
	return path
}

// Of several answers the one of the highest generation counts, and of those the
// latest; names tell neither.
func TestNewestAnswerIsInstalled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	for i, answer := range []struct {
		name       string
		generation uint64
		tag        string
	}{
		{"8-abc-a.json", 8, "oldest"},
		{"10-abc-a.json", 10, "old"},
		{"10-abc-b.json", 10, "newest"},
		{"10-abc-c.json", 10, "older"},
		{"9-abc-a.json", 9, "late"},
	} {
		c := sample(github, answer.tag)
		c.Grant, c.Generation = cred.Grant, answer.generation
		at := time.Unix(1e9+int64(i), 0)
		if answer.tag == "newest" {
			at = at.Add(time.Hour)
		}
		if err := os.Chtimes(spill(t, dir, answer.name, c), at, at); err != nil {
			t.Fatal(err)
		}
	}
	r := begin(t, s)
	defer r.Release(true)
	if got := r.Record(); got.RefreshToken.Reveal() != "canary-rt-newest" || got.Generation != 10 {
		t.Errorf("the record is generation %d with %s, want the newest answer as 10", got.Generation, got.RefreshToken.Reveal())
	}
	if got := names(t, filepath.Join(folder(dir, github), "spill")); len(got) != 0 {
		t.Errorf("spill = %q, want nothing: the others were overtaken", got)
	}
}

// An answer that cannot be read may be the newest token: going on without it
// would spend an old one.
func TestUnreadableAnswerIsNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	answer := sample(github, "2")
	answer.Grant, answer.Generation = cred.Grant, 2
	path := spill(t, dir, "2-abc-def.json", answer)
	if err := os.Link(path, path+".copy"); err != nil { // as some backup programs do
		t.Fatal(err)
	}
	if _, err := s.BeginRotation(t.Context(), github, 1); !isStoreError(err, path) {
		t.Errorf("BeginRotation = %v, want an *Error that names the answer", err)
	}
	if err := os.Remove(path + ".copy"); err != nil {
		t.Fatal(err)
	}
	r := begin(t, s)
	defer r.Release(true)
	if got := r.Record().RefreshToken.Reveal(); got != "canary-rt-2" {
		t.Errorf("the record has the token %s, want the answer's", got)
	}
}

// Whoever removes a folder has not logged out: what is received meanwhile is
// the only copy of the login.
func TestRemovedFolderIsWrittenAgain(t *testing.T) {
	for name, remove := range map[string]func(dir string) string{
		"the credential's": func(dir string) string { return folder(dir, github) },
		"the store":        func(dir string) string { return dir },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			s := open(t, dir)
			cred := update(t, s, login(t, s, github, "l1"), "2")
			r := begin(t, s)
			if err := r.Reserve(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(remove(dir)); err != nil {
				t.Fatal(err)
			}
			next, err := r.Commit(t.Context(), sample(github, "next"))
			if err != nil || next.Generation != cred.Generation+1 {
				t.Errorf("Commit = generation %d, %v, want %d", next.Generation, err, cred.Generation+1)
			}
			if err := r.Release(false); err != nil {
				t.Error(err)
			}
			if got, err := s.Get(t.Context(), github); err != nil || !got.Equal(next) {
				t.Errorf("Get = generation %d, %v, want %d", got.Generation, err, next.Generation)
			}
			info, err := os.Stat(folder(dir, github))
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("the folder is %v, %v, want it private", info.Mode(), err)
			}
			login(t, s, qwen, "l2")
		})
	}
}

// A refused credential keeps its bytes, also when another login takes its
// place.
func TestNewLoginKeepsTheRefusedCredential(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	r := begin(t, s)
	cred.State, cred.Cause = credential.NeedsLogin, credential.CauseRefused
	if _, err := r.Commit(t.Context(), cred); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	login(t, s, github, "l2")
	raw, err := os.ReadFile(filepath.Join(folder(dir, github), "cred.prev"))
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := credential.Decode(raw)
	if err != nil || !kept.RefreshToken.Equal(secret.New("canary-rt-l1")) || kept.State != credential.NeedsLogin {
		t.Errorf("cred.prev holds %v, %v, want the refused credential", kept, err)
	}
}

// A logout whose process died is finished by whoever looks for orphans.
func TestKilledLogoutIsFinished(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := update(t, s, login(t, s, github, "l1"), "2")
	if err := s.Delete(t.Context(), github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	plant := func(name string) {
		path := filepath.Join(folder(dir, github), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		overwrite(t, path, "canary")
	}
	for _, name := range []string{
		"cred.prev", "cred.json.corrupt-1", ".usher-ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp",
		"spill/.usher-ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp", "spill/raw-abc", "spill/1-abc-def.json",
	} {
		plant(name)
	}
	answer := sample(github, "late")
	answer.Grant, answer.Generation = cred.Grant, 3
	kept := spill(t, dir, "3-abc-def.json", answer)
	found, err := s.Orphans(t.Context())
	if err != nil || len(found) != 1 || !found[0].Credential.Equal(answer) {
		t.Fatalf("Orphans = %d, %v, want the one that can be revoked", len(found), err)
	}
	if n := countFiles(t, dir, "canary"); n != 1 {
		t.Errorf("%d files hold a secret, want %s alone", n, kept)
	}
	if err := found[0].Discard(t.Context()); err != nil {
		t.Error(err)
	}
	if n := countFiles(t, dir, "canary"); n != 0 {
		t.Errorf("after Discard %d files hold a secret, want none", n)
	}
	if again := login(t, s, github, "l3"); again.Generation != cred.Generation+2 {
		t.Errorf("generation after the tombstone = %d, want %d", again.Generation, cred.Generation+2)
	}
}

// What is wrong in one folder does not hide the orphans of another.
func TestOrphansBesideADamagedCredential(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	login(t, s, github, "l1")
	login(t, s, qwen, "l2")
	for _, key := range []credential.Key{github, qwen} {
		answer := sample(key, "late")
		answer.Grant, answer.Generation = "another", 2
		spill(t, dir, "2-abc-def.json", answer)
	}
	overwrite(t, current(dir, qwen), "")
	found, err := s.Orphans(t.Context())
	if len(found) != 1 || found[0].Credential.Key != github || !isStoreError(err, folder(dir, qwen)) {
		t.Errorf("Orphans = %d, %v, want github's and an *Error that names the damaged folder", len(found), err)
	}
	// With a copy there is a credential, but nobody knows whose the lost one was.
	overwrite(t, filepath.Join(folder(dir, qwen), "cred.prev"), encoded(t, qwen, "older"))
	if found, err = s.Orphans(t.Context()); len(found) != 1 || err != nil {
		t.Errorf("Orphans = %d, %v, want github's alone", len(found), err)
	}
}

func encoded(t *testing.T, key credential.Key, tag string) string {
	t.Helper()
	cred := sample(key, tag)
	cred.Generation = 1
	data, err := credential.Encode(cred)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
