package atomicfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/internal/atomicfile"
)

func TestWriteCreatesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, want := range []string{"first", "the second, which is longer", "", "last"} {
		if err := atomicfile.Write(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		checkContents(t, path, want)
	}
	checkNames(t, filepath.Dir(path), "file")
}

func TestWriteBeforeCreatesAndReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, data := range []string{"first, and longer", "second"} {
		if err := atomicfile.WriteBefore(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		checkContents(t, path, data)
		checkNames(t, filepath.Dir(path), "file")
	}
}

func TestWriteNeedsTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "file")
	if err := atomicfile.Write(path, nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Write = %v, want fs.ErrNotExist", err)
	}
}

func TestStagedCommit(t *testing.T) {
	for _, reserve := range []int64{-1, 0, 10, 100_000} {
		for _, size := range []int{0, 10, 5000} {
			t.Run(fmt.Sprintf("reserve %d, data %d", reserve, size), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "file")
				data := bytes.Repeat([]byte("x"), size)
				s, err := atomicfile.Stage(path, 0o600, reserve)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the target after Stage: %v, want fs.ErrNotExist", err)
				}
				if err := s.Commit(data); err != nil {
					t.Fatal(err)
				}
				checkContents(t, path, string(data))
				checkNames(t, filepath.Dir(path), "file")
			})
		}
	}
}

func TestStageReservesSpace(t *testing.T) {
	dir := t.TempDir()
	s, err := atomicfile.Stage(filepath.Join(dir, "file"), 0o600, 12345)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abort()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("ReadDir = %v, %v, want one temporary file", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Size(); got != 12345 {
		t.Errorf("size of the temporary file = %d, want 12345", got)
	}
}

func TestStagedEndsOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, "old")

	aborted, err := atomicfile.Stage(path, 0o600, 10)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := aborted.Abort(); err != nil {
			t.Errorf("Abort = %v", err)
		}
	}
	if err := aborted.Commit([]byte("new")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after Abort = %v, want fs.ErrClosed", err)
	}
	checkContents(t, path, "old")

	committed, err := atomicfile.Stage(path, 0o600, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := committed.Commit([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := committed.Commit([]byte("newer")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second Commit = %v, want fs.ErrClosed", err)
	}
	if err := committed.Abort(); err != nil {
		t.Errorf("Abort after Commit = %v", err)
	}
	checkContents(t, path, "new")
	checkNames(t, filepath.Dir(path), "file")
}

// A directory that appears at the target after staging makes the rename fail.
func TestFailedCommitLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	s, err := atomicfile.Stage(path, 0o600, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]byte("new")); err == nil {
		t.Error("Commit over a directory succeeded, want an error")
	}
	checkNames(t, filepath.Dir(path), "file")
	checkNames(t, path)
}

// The directory is held: what happens to its name after staging is no matter.
func TestCommitFollowsTheDirectory(t *testing.T) {
	parent := t.TempDir()
	dir, moved := filepath.Join(parent, "dir"), filepath.Join(parent, "moved")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := atomicfile.Stage(filepath.Join(dir, "file"), 0o600, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]byte("data")); err != nil {
		t.Fatal(err)
	}
	checkContents(t, filepath.Join(moved, "file"), "data")
	checkNames(t, dir)
}

func TestReadersNeverSeeAMixture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, "")
	done := make(chan error, 1)
	go func() {
		for i := range 100 {
			data := bytes.Repeat([]byte{byte('a' + i%26)}, 3000+i)
			if err := atomicfile.Write(path, data, 0o600); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		data, err := atomicfile.Read(path, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 0 && bytes.Count(data, data[:1]) != len(data) {
			t.Fatalf("read a mixture of two versions: %.20q...", data)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, err := atomicfile.Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read of a missing file = %v, want fs.ErrNotExist", err)
	}
	writeFile(t, path, "0123456789")
	for _, limit := range []int64{10, 11, math.MaxInt64} {
		got, err := atomicfile.Read(path, limit)
		if err != nil || string(got) != "0123456789" {
			t.Errorf("Read with a limit of %d = %q, %v, want the contents", limit, got, err)
		}
	}
	if _, err := atomicfile.Read(path, 9); !errors.Is(err, atomicfile.ErrTooLarge) {
		t.Errorf("Read of 10 bytes with a limit of 9 = %v, want ErrTooLarge", err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	const random = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	kept := []string{
		".usher-.tmp",
		".usher-" + random,
		".usher-" + random[:25] + ".tmp",
		".usher-" + random[:25] + "1.tmp", // not of the alphabet
		"file",
		"usher-" + random + ".tmp",
	}
	for _, name := range append(kept, ".usher-"+random+".tmp") {
		writeFile(t, filepath.Join(dir, name), "data")
	}
	// A directory of that name is not ours.
	folder := ".usher-" + random + "A.tmp"
	if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := atomicfile.Sweep(dir); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{".usher-.tmp", ".usher-" + random, folder}
	checkNames(t, dir, append(want, kept[2:]...)...)
	if err := atomicfile.Sweep(filepath.Join(dir, "missing")); err != nil {
		t.Errorf("Sweep of a missing directory = %v, want nil", err)
	}
}

func TestCheckDirCreatesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir")
	if err := atomicfile.CheckDir(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("CheckDir of a missing directory = %v, want fs.ErrNotExist", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after CheckDir: %v, want no directory", err)
	}
	if err := atomicfile.EnsureDir(path); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.CheckDir(path); err != nil {
		t.Errorf("CheckDir = %v, want nil", err)
	}
}

func TestEnsureDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := atomicfile.EnsureDir(path + string(filepath.Separator)); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomicfile.Write(filepath.Join(path, "file"), nil, 0o600); err != nil {
		t.Error(err)
	}
	if err := atomicfile.EnsureDir(filepath.Join(path, "file")); err == nil || !strings.HasSuffix(err.Error(), "it is a regular file") {
		t.Errorf("EnsureDir of a file = %v, want an error that says so", err)
	}
	if err := atomicfile.EnsureDir(filepath.Join(path, "file", "below")); err == nil {
		t.Error("EnsureDir below a file succeeded, want an error")
	}
}

func writeFile(t *testing.T, path, contents string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
}

func checkContents(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("contents = %.40q (%d bytes), want %.40q (%d bytes)", got, len(got), want, len(want))
	}
}

// checkNames reports whether dir holds these names and nothing else.
func checkNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool)
	for _, entry := range entries {
		got[entry.Name()] = true
	}
	wanted := make(map[string]bool)
	for _, name := range want {
		wanted[name] = true
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("names in %s (-want +got):\n%s", filepath.Base(dir), diff)
	}
}
