package share

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/secret"
)

// newFile is the tool's file in a folder that is there.
func newFile(t *testing.T) *File {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return openAt(t, dir)
}

func openAt(t *testing.T, dir string) *File {
	t.Helper()
	f, err := Open(Qwen, env(map[string]string{"QWEN_HOME": dir}))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// sample is a credential whose tokens are named after n.
func sample(n string, now time.Time) credential.Credential {
	return credential.Credential{
		Key: credential.Key{Provider: "qwen-oauth", Account: "default"}, Kind: credential.Refreshable,
		AccessToken: secret.New("access-" + n), RefreshToken: secret.New("refresh-" + n), TokenType: "Bearer",
		Scopes: []string{"openid"}, ResourceURL: "portal.example", State: credential.Active,
		Received: credential.Instant{Wall: now, Boot: time.Hour, BootID: "b"}, Lifetime: time.Hour,
		Share: credential.Share{Tool: Qwen},
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func slurp(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// names are the names in the folder of the file.
func names(t *testing.T, f *File) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(f.Path()))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func lockPath(f *File) string { return filepath.Join(filepath.Dir(f.Path()), lockName) }

func take(t *testing.T, f *File) *Lock {
	t.Helper()
	l, err := f.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func release(t *testing.T, l *Lock) {
	t.Helper()
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}
