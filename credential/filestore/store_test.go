package filestore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/credentialtest"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/oauth"
	"github.com/usherauth/usher/secret"
)

func TestMain(m *testing.M) {
	credentialtest.ChildMain(openShared)
	os.Exit(m.Run())
}

func TestStore(t *testing.T) {
	credentialtest.Run(t, func(t *testing.T) credential.Store { return open(t, t.TempDir()) })
}

func TestShared(t *testing.T) { credentialtest.RunShared(t, openShared) }

func openShared(dir string) (credential.Store, error) { return filestore.Open(dir) }

func open(t testing.TB, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

var (
	github = credential.Key{Provider: "github", Account: "default"}
	qwen   = credential.Key{Provider: "qwen-oauth", Account: "default"}
)

// folder is where the documented layout puts key.
func folder(dir string, key credential.Key) string {
	sum := sha256.Sum256([]byte("default\x00" + key.Path()))
	return filepath.Join(dir, "credentials", hex.EncodeToString(sum[:])[:32])
}

func current(dir string, key credential.Key) string {
	return filepath.Join(folder(dir, key), "cred.json")
}

// sample is a credential whose tokens carry tag.
func sample(key credential.Key, tag string) credential.Credential {
	return credential.Credential{
		Key: key, Kind: credential.Refreshable, State: credential.Active,
		Binding:     credential.Binding{Endpoints: oauth.Endpoints{Token: "https://as.test/token"}, ClientID: "client"},
		AccessToken: secret.New("canary-at-" + tag), RefreshToken: secret.New("canary-rt-" + tag),
		Scopes: []string{"openid"}, Received: credential.Instant{Wall: time.Unix(1e9, 0)}, Lifetime: time.Hour,
	}
}

func pending(key credential.Key, id string) credential.Login {
	return credential.Login{ID: id, Key: key, Method: credential.MethodDevice, State: credential.Pending{}, CreatedAt: time.Unix(1e9, 0)}
}

// persisting is a login that is about to store its credential.
func persisting(key credential.Key, id string) credential.Login {
	l := pending(key, id)
	l.State = credential.Persisting{Won: sample(key, id)}
	return l
}

// authorized is l as its settle leaves it.
func authorized(l credential.Login) credential.Login {
	l.State = credential.Ended{Status: credential.LoginAuthorized, At: time.Unix(1e9, 0)}
	return l
}

// login stores a credential for key by a login of that id.
func login(t testing.TB, s *filestore.Store, key credential.Key, id string) credential.Credential {
	t.Helper()
	l, err := s.CreateLogin(t.Context(), persisting(key, id), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, cred, err := s.Settle(t.Context(), authorized(l), sample(key, id))
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func update(t testing.TB, s *filestore.Store, cred credential.Credential, tag string) credential.Credential {
	t.Helper()
	next := sample(cred.Key, tag)
	next.Grant = cred.Grant
	next, err := s.Update(t.Context(), next, cred.Generation)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func begin(t testing.TB, s *filestore.Store) credential.Rotation {
	t.Helper()
	r, err := s.BeginRotation(t.Context(), github, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// isStoreError reports whether err is a failure of the store that names path
// and is not an outcome a caller would react to.
func isStoreError(err error, path string) bool {
	var failure *filestore.Error
	for _, outcome := range []error{
		credential.ErrNotFound, credential.ErrConflict, credential.ErrLoginExists,
		credential.ErrTooManyLogins, credential.ErrOwned, credential.ErrSuperseded,
	} {
		if errors.Is(err, outcome) {
			return false
		}
	}
	return errors.As(err, &failure) && strings.Contains(err.Error(), path)
}

func TestOpenCreatesTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	open(t, dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Errorf("Stat = %v, %v, want a folder", info, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(file); !isStoreError(err, file) {
		t.Errorf("Open of a file = %v, want an *Error that names it", err)
	}
}

func TestAnOtherStoreSeesChanges(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	cred := login(t, a, github, "l1")
	for i := range 3 {
		before, err := b.Stamp(t.Context(), github)
		if err != nil {
			t.Fatal(err)
		}
		for got, err := range b.List(t.Context()) {
			if err != nil || !got.Equal(cred) {
				t.Errorf("List of the other store = generation %d, %v, want %d", got.Generation, err, cred.Generation)
			}
		}
		cred = update(t, a, cred, fmt.Sprint(i))
		if after, err := b.Stamp(t.Context(), github); err != nil || after == before {
			t.Errorf("Stamp of the other store = %q, %v, want a change", after, err)
		}
	}
}

// With a clock that was set back, or one that ticks too slowly, a new file
// could look like an old one.
func TestEachChangeIsLaterThanTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	last := time.Now().Add(time.Hour)
	if err := os.Chtimes(current(dir, github), last, last); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		cred = update(t, s, cred, fmt.Sprint(i))
		info, err := os.Lstat(current(dir, github))
		if err != nil || !info.ModTime().After(last) {
			t.Fatalf("modified at %v, %v, want after %v", info.ModTime(), err, last)
		}
		last = info.ModTime()
	}
}

// What a later version keeps in the file is there after a refresh by this one,
// and gone with a new login.
func TestUnknownFieldsSurviveARefresh(t *testing.T) {
	const future = `"future":{"a":[1]}`
	dir := t.TempDir()
	s := open(t, dir)
	cred := login(t, s, github, "l1")
	raw, err := os.ReadFile(current(dir, github))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, current(dir, github), "{"+future+","+string(raw[1:]))
	got, err := s.Get(t.Context(), github)
	if err != nil {
		t.Fatal(err)
	}
	if cred.Unknown = secret.New("{" + future + "}"); !got.Equal(cred) {
		t.Errorf("Get = generation %d, unknown %s, want the credential with %s", got.Generation, got.Unknown.Reveal(), future)
	}
	r := begin(t, s)
	next := r.Record()
	next.RefreshToken = secret.New("canary-rt-2")
	if _, err := r.Commit(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	if n := countFiles(t, folder(dir, github), future); n != 2 {
		t.Errorf("after a refresh %d files have the unknown field, want the record and the previous one", n)
	}
	login(t, s, github, "l2")
	if raw, err := os.ReadFile(current(dir, github)); err != nil || strings.Contains(string(raw), future) {
		t.Errorf("after a new login: %s, %v, want no unknown field", raw, err)
	}
}

func TestWrongFolder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	login(t, s, github, "l1")
	login(t, s, qwen, "l2")
	copyFile(t, current(dir, github), current(dir, qwen))
	if _, err := s.Get(t.Context(), qwen); !isStoreError(err, folder(dir, qwen)) {
		t.Errorf("Get = %v, want an *Error that names the folder", err)
	}
	if _, err := s.Update(t.Context(), sample(qwen, "x"), 1); !isStoreError(err, folder(dir, qwen)) {
		t.Errorf("Update = %v, want an *Error that names the folder", err)
	}
	good, bad := 0, 0
	for cred, err := range s.List(t.Context()) {
		switch {
		case err == nil && cred.Key == github:
			good++
		case isStoreError(err, folder(dir, qwen)):
			bad++
		default:
			t.Errorf("List yields %s, %v", cred.Key, err)
		}
	}
	if good != 1 || bad != 1 {
		t.Errorf("List yields %d credentials and %d errors, want one of each", good, bad)
	}

	copyFile(t, filepath.Join(dir, "logins", "l1.json"), filepath.Join(dir, "logins", "l2.json"))
	if _, err := s.GetLogin(t.Context(), "l2"); !isStoreError(err, "l2.json") {
		t.Errorf("GetLogin = %v, want an *Error that names the file", err)
	}
}

func TestDamagedLoginIsReportedAndPassedOver(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, l := range []credential.Login{pending(github, "l1"), pending(qwen, "l2")} {
		if _, err := s.CreateLogin(t.Context(), l, 0); err != nil {
			t.Fatal(err)
		}
	}
	overwrite(t, filepath.Join(dir, "logins", "l1.json"), `{"id":"canary`)
	var listed []string
	for l, err := range s.ListLogins(t.Context()) {
		switch {
		case err == nil:
			listed = append(listed, l.ID)
		case isStoreError(err, "l1.json") && !strings.Contains(err.Error(), "canary"):
			listed = append(listed, "error")
		default:
			t.Errorf("ListLogins yields %v", err)
		}
	}
	if fmt.Sprint(listed) != "[l2 error]" {
		t.Errorf("ListLogins yields %q, want l2 and an error", listed)
	}
	if _, err := s.CreateLogin(t.Context(), pending(github, "l3"), 0); err != nil {
		t.Errorf("CreateLogin beside a damaged login: %v", err)
	}
}

func TestDeadOwnersAreSwept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	living, err := s.NewOwner(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owners := filepath.Join(dir, "owners")
	if err := os.WriteFile(filepath.Join(owners, "dead"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateLogin(t.Context(), pending(github, "l1"), 0); err != nil {
		t.Fatal(err)
	}
	if got := names(t, owners); fmt.Sprint(got) != fmt.Sprint([]string{living.ID()}) {
		t.Errorf("owners = %q, want the living %q", got, living.ID())
	}
	if err := living.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, owners); len(got) != 0 {
		t.Errorf("owners after Close = %q, want none", got)
	}
}

func TestOrphansAreSwept(t *testing.T) {
	const orphan = ".usher-ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp"
	dir := t.TempDir()
	s := open(t, dir)
	login(t, s, github, "l1")
	spill := filepath.Join(folder(dir, github), "spill")
	if err := os.MkdirAll(spill, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{folder(dir, github), spill, filepath.Join(dir, "logins")} {
		overwrite(t, filepath.Join(where, orphan), "canary")
	}
	// A writer of a login that is killed has announced its change.
	appendTo(t, filepath.Join(dir, "logins", "changes"), "l1 99\n")
	if err := begin(t, s).Release(true); err != nil {
		t.Fatal(err)
	}
	login(t, s, github, "l2")
	for _, where := range []string{folder(dir, github), spill, filepath.Join(dir, "logins")} {
		for _, name := range names(t, where) {
			if name == orphan {
				t.Errorf("an orphan is left in %s", where)
			}
		}
	}
}

func TestLogoutLeavesNoSecret(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	cred := update(t, s, login(t, s, github, "l1"), "2")
	overwrite(t, current(dir, github)+".corrupt-1", "canary")
	r := begin(t, s)
	if err := r.Salvage(t.Context(), secret.New("canary")); err != nil {
		t.Fatal(err)
	}
	if err := r.Reserve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Release(false); err != nil {
		t.Fatal(err)
	}
	if n := countFiles(t, dir, "canary"); n < 4 {
		t.Fatalf("%d files hold a secret, want the four planted at least", n)
	}
	if err := s.Delete(t.Context(), github, cred.Generation); err != nil {
		t.Fatal(err)
	}
	if n := countFiles(t, dir, "canary"); n != 0 {
		t.Errorf("after the logout %d files hold a secret, want none", n)
	}
}

// countFiles counts the files below dir that contain text.
func countFiles(t *testing.T, dir, text string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), text) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func overwrite(t *testing.T, path, contents string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, to, string(raw))
}
