package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
)

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// changes returns the ids that s tells since the cursor, "all" for all.
func changes(t *testing.T, s *filestore.Store, since string) (ids []string, next string) {
	t.Helper()
	told, err := s.LoginChanges(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	if told.All {
		return []string{"all"}, told.Next
	}
	for _, c := range told.Logins {
		ids = append(ids, c.ID)
	}
	return ids, told.Next
}

func create(t *testing.T, s *filestore.Store, id string) {
	t.Helper()
	if _, err := s.CreateLogin(t.Context(), pending(credential.Key{Provider: "p", Account: id}, id), 0); err != nil {
		t.Fatal(err)
	}
}

// Old lines are dropped: who has read them goes on, who has not reads all.
func TestFeedIsShortened(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	create(t, s, "a")
	_, old := changes(t, other, "")
	path := filepath.Join(dir, "logins", "changes")
	appendTo(t, path, strings.Repeat("gone 1\n", 40000))
	_, recent := changes(t, other, old)
	create(t, s, "b")
	info, err := os.Stat(path)
	if err != nil || info.Size() > 128<<10 {
		t.Errorf("the feed has %d bytes, %v, want it shortened", info.Size(), err)
	}
	if ids, _ := changes(t, other, recent); !slices.Equal(ids, []string{"b"}) {
		t.Errorf("changes since a recent cursor = %q, want b", ids)
	}
	if ids, _ := changes(t, other, old); !slices.Equal(ids, []string{"all"}) {
		t.Errorf("changes since an old cursor = %d ids, want all", len(ids))
	}
	for _, id := range []string{"a", "b"} {
		if l, err := other.LiveLogin(t.Context(), credential.Key{Provider: "p", Account: id}); err != nil || l.ID != id {
			t.Errorf("LiveLogin of %s = %q, %v", id, l.ID, err)
		}
	}
}

// Whatever happens to the feed, nobody misses a login.
func TestFeedThatIsDamaged(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"removed": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"another": func(path string) error { return os.WriteFile(path, []byte("other-0\n"), 0o600) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte("\x00\xff\n\n 1\n../x 2\n"), 0o600) },
		"half a line": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("half")
				f.Close()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, other := open(t, dir), open(t, dir)
			create(t, s, "a")
			_, cursor := changes(t, other, "")
			if _, err := other.LiveLogin(t.Context(), credential.Key{Provider: "p", Account: "a"}); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, "logins", "changes")); err != nil {
				t.Fatal(err)
			}
			create(t, s, "b")
			if ids, _ := changes(t, other, cursor); !slices.Contains(ids, "b") && !slices.Contains(ids, "all") {
				t.Errorf("changes = %q, want b among them", ids)
			}
			for _, id := range []string{"a", "b"} {
				if l, err := other.LiveLogin(t.Context(), credential.Key{Provider: "p", Account: id}); err != nil || l.ID != id {
					t.Errorf("LiveLogin of %s = %q, %v", id, l.ID, err)
				}
			}
		})
	}
}

// Starting a login does not read those there are.
func TestCreateLoginReadsNoOtherLogin(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 50 {
		create(t, s, fmt.Sprint("l", i))
	}
	for i := range 50 {
		// Unreadable now; a store that looked would count fewer live ones.
		overwrite(t, filepath.Join(dir, "logins", fmt.Sprint("l", i, ".json")), "{")
	}
	if _, err := s.CreateLogin(t.Context(), pending(github, "more"), 50); err == nil {
		t.Error("CreateLogin above the cap succeeded: it read the logins again")
	}
}
