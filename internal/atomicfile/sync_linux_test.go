package atomicfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// syncTestEnv names the folder that the child of TestSynced works in.
const syncTestEnv = "USHER_ATOMICFILE_SYNC"

// A power cut cannot be had in a test; that what it would take is synced, can:
// each folder that gets an entry, and room that was filled.
func TestSynced(t *testing.T) {
	if dir := os.Getenv(syncTestEnv); dir != "" {
		makeAndFill(t, dir)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir()) // as the kernel names it
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-y", "-qq", "-o", log,
		"-e", "trace=fsync", self, "-test.run=^TestSynced$")
	cmd.Env = append(os.Environ(), syncTestEnv+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("strace: %v\n%s", err, out)
	}
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var synced []string
	for _, call := range regexp.MustCompile(`fsync\(\d+<([^>]*)>`).FindAllSubmatch(trace, -1) {
		synced = append(synced, string(call[1]))
	}
	want := []string{dir, filepath.Join(dir, "a"), filepath.Join(dir, "a", "b", "file")}
	if !slices.Equal(synced, want) {
		t.Errorf("synced are %q, want %q", synced, want)
	}
}

func makeAndFill(t *testing.T, dir string) {
	inner := filepath.Join(dir, "a", "b")
	if err := EnsureDir(inner); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(inner, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := fill(f, 100); err != nil {
		t.Fatal(err)
	}
}
