package provider_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/provider"
)

// open returns the catalogue of a new directory that holds the given files.
func open(t *testing.T, files map[string]string) (*provider.Catalogue, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return provider.Open(dir, nil), dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// age makes path look as if it had been written long ago, so that its identity
// is trusted.
func age(t *testing.T, path string) time.Time {
	t.Helper()
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	return old
}

func lookup(t *testing.T, c *provider.Catalogue, name string) provider.Provider {
	t.Helper()
	p, err := c.Lookup(name)
	if err != nil {
		t.Fatalf("Lookup(%q): %v", name, err)
	}
	return p
}

func wantUnknown(t *testing.T, c *provider.Catalogue, name string) {
	t.Helper()
	if p, err := c.Lookup(name); !errors.Is(err, provider.ErrUnknown) {
		t.Errorf("Lookup(%q): got %v, %v, want ErrUnknown", name, p, err)
	}
}

// names are those of the list.
func names(list []provider.Provider) []string {
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

// own is a complete file of a provider that builds on no preset.
const own = `issuer = "https://id.example.com"
client_id = "mine"
`
