package filelock

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
)

// A file that its owner deletes after we opened it and before we locked it is
// not the lock any more, whether or not another has taken its place.
func TestTryStartsOverWhenTheFileIsReplaced(t *testing.T) {
	for _, recreate := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "lock")
		attempts := 0
		file, err := try(path, openFlags|os.O_CREATE, func(f *flock.Flock) (bool, error) {
			ok, err := f.TryLock()
			if attempts++; attempts > 1 {
				return ok, err
			}
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
			if recreate {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Error(err)
				}
			}
			return ok, err
		})
		if err != nil || file == nil {
			t.Fatalf("try = %v, %v, want the lock", file, err)
		}
		if attempts != 2 {
			t.Errorf("try made %d attempts, want 2", attempts)
		}
		if held, err := Held(path); !held || err != nil {
			t.Errorf("Held = %v, %v, want that the file at the path is locked", held, err)
		}
		if err := file.Unlock(); err != nil {
			t.Error(err)
		}
	}
}
