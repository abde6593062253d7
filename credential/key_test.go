package credential_test

import (
	"cmp"
	"errors"
	"strings"
	"testing"

	"github.com/usherauth/usher/credential"
)

func TestParseKey(t *testing.T) {
	tests := []struct {
		in, text, path string
		bad            bool
	}{
		{in: "github", text: "github", path: "github/default"},
		{in: "github/default", text: "github", path: "github/default"},
		{in: "github/work", text: "github/work", path: "github/work"},
		{in: "a.b_c-9/0", text: "a.b_c-9/0", path: "a.b_c-9/0"},
		{in: strings.Repeat("a", 63), text: strings.Repeat("a", 63), path: strings.Repeat("a", 63) + "/default"},
		{in: "github/wait", text: "github/wait", path: "github/wait"},
		{in: "", bad: true},
		{in: "/", bad: true},
		{in: "github/", bad: true},
		{in: "/x", bad: true},
		{in: "GitHub", bad: true},
		{in: "-x", bad: true},
		{in: "a/b/c", bad: true},
		{in: "a b", bad: true},
		{in: "..", bad: true},
		{in: "a\n", bad: true},
		{in: strings.Repeat("a", 64), bad: true},
		{in: "wait", bad: true},
		{in: "list/work", bad: true},
		{in: "cancel", bad: true},
		{in: "complete", bad: true},
		{in: "all", bad: true},
	}
	for _, tt := range tests {
		got, err := credential.ParseKey(tt.in)
		if tt.bad {
			if !errors.Is(err, credential.ErrInvalidKey) {
				t.Errorf("ParseKey(%q) = %v, %v; want ErrInvalidKey", tt.in, got, err)
			}
			continue
		}
		if err != nil || got.String() != tt.text || got.Path() != tt.path {
			t.Errorf("ParseKey(%q) = %q (%q), %v; want %q (%q)", tt.in, got, got.Path(), err, tt.text, tt.path)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("github/work")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := credential.ParseKey(s)
		if err != nil {
			return
		}
		for _, text := range []string{k.String(), k.Path()} {
			if again, err := credential.ParseKey(text); err != nil || again != k {
				t.Errorf("ParseKey(%q) = %v, %v; want %v", text, again, err, k)
			}
		}
	})
}

func TestKeysAreOrderedWithTheDefaultAccountFirst(t *testing.T) {
	sorted := []string{"a", "b", "b/a", "b/z", "c/x"}
	for i, a := range sorted {
		for j, b := range sorted {
			ka, errA := credential.ParseKey(a)
			kb, errB := credential.ParseKey(b)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if got := ka.Compare(kb); got != cmp.Compare(i, j) {
				t.Errorf("%s compared with %s: %d", a, b, got)
			}
		}
	}
}
