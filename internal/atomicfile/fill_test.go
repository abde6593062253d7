package atomicfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// fill is the fallback of reserve, which few file systems need.
func TestFill(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const n = 100_001
	if err := fill(f, n); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, make([]byte, n)) {
		t.Errorf("file holds %d bytes, want %d zeros", len(got), n)
	}
}

func TestTempNameIsRecognised(t *testing.T) {
	if name := tempName(); !isTempName(name) {
		t.Errorf("isTempName(%q) = false, want true", name)
	}
	if a, b := tempName(), tempName(); a == b {
		t.Errorf("two names are the same: %q", a)
	}
}
