//go:build unix

package child_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/usherauth/usher/internal/child"
)

func TestEnviron(t *testing.T) {
	base := []string{"A=1", "B=2", "C=", "D=x=y", "A_LONGER=1", "SECRET=hush"}
	got, replaced := child.Environ(base, map[string]string{"Z": "9", "B": "3", "C": "", "N": "="}, "SECRET", "NOT_THERE")
	want := []string{"A=1", "D=x=y", "A_LONGER=1", "B=3", "C=", "N==", "Z=9"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(replaced, []string{"B"}) {
		t.Errorf("replaced: got %q, want B, which had another value", replaced)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Chdir(dir)
	for name, want := range map[string]int{
		"good": 0, "./good": 0, filepath.Join(dir, "good"): 0,
		"missing": child.ExitNotFound, "./missing": child.ExitNotFound, "good/x": child.ExitNotExecutable,
		"./plain": child.ExitNotExecutable, dir: child.ExitNotExecutable,
	} {
		path, err := child.Find(name)
		failed, _ := errors.AsType[*child.Error](err)
		switch {
		case want == 0 && (err != nil || filepath.Base(path) != "good"):
			t.Errorf("%s: got %q, %v", name, path, err)
		case want != 0 && (failed == nil || failed.Code != want):
			t.Errorf("%s: got %v, want exit code %d", name, err, want)
		}
	}
	t.Setenv("PATH", ".")
	if path, err := child.Find("good"); err != nil || path != "good" && path != "./good" {
		t.Errorf("the working folder on the PATH: got %q, %v", path, err)
	}
}
