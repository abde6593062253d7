package filestore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// A login that was out of reach for a moment is in the index when it is back:
// no key gets two live ones, and none that has ended keeps others out.
func TestLoginThatWasOutOfReach(t *testing.T) {
	key := credential.Key{Provider: "p", Account: "a"}
	for name, knows := range map[string]bool{"since the feed was read": true, "when the index was made": false} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, other := open(t, dir), open(t, dir)
			hidden := func(id string) {
				t.Helper()
				path := filepath.Join(dir, "logins", "a.json")
				if err := os.Rename(path, path+".away"); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path+".away", path); err != nil {
					t.Fatal(err)
				}
				create(t, other, id)
				if err := os.Rename(path+".away", path); err != nil {
					t.Fatal(err)
				}
			}
			if knows {
				create(t, other, "first")
			}
			create(t, s, "a")
			hidden("b")
			if l, err := other.CreateLogin(t.Context(), pending(key, "again"), 0); !errors.Is(err, credential.ErrLoginExists) || l.ID != "a" {
				t.Errorf("CreateLogin of a key with a live login = %q, %v", l.ID, err)
			}
			l, err := s.GetLogin(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			l.State = credential.Ended{Status: credential.LoginCancelled, At: time.Unix(1e9, 0)}
			if _, err := s.UpdateLogin(t.Context(), l, l.Version); err != nil {
				t.Fatal(err)
			}
			hidden("c")
			if l, err := other.CreateLogin(t.Context(), pending(key, "next"), 0); err != nil {
				t.Errorf("CreateLogin of a key whose login has ended = %q, %v", l.ID, err)
			}
		})
	}
}

// A login that is damaged beyond repair does not count for the cap.
func TestDamagedLoginDoesNotCount(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	create(t, s, "a")
	if l, err := s.ClaimLogin(t.Context(), "a", ""); err != nil || l.Version != 2 {
		t.Fatalf("ClaimLogin = %+v, %v", l, err)
	}
	create(t, other, "b")
	if _, err := s.ClaimLogin(t.Context(), "a", ""); err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(dir, "logins", "a.json"), "{")
	if _, err := other.CreateLogin(t.Context(), pending(github, "c"), 2); err != nil {
		t.Errorf("CreateLogin beside one live login and a damaged one, of at most 2: %v", err)
	}
}
