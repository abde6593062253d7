package broker_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/broker"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/sandbox"
)

// A folder that cannot be read is no empty one: whoever asks is told so, until
// it can be read again.
func TestFolderThatCannotBeReadIsAnError(t *testing.T) {
	inStoredWorld(t, func(t *testing.T, home string, b *broker.Broker) {
		for _, folder := range []string{"logins", "credentials"} {
			path := filepath.Join(home, folder)
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, "no folder")
			time.Sleep(2 * time.Second)
			if s, err := b.AuthStatus(t.Context()); code(err) != api.CodeStoreFailure {
				t.Errorf("without %s: AuthStatus = %+v, %v", folder, s, err)
			}
			if list, err := b.Logins(t.Context()); folder == "logins" && code(err) != api.CodeStoreFailure {
				t.Errorf("without %s: Logins = %+v, %v", folder, list, err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".away", path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			wantListed(t, b, folder+" is back", 2)
		}
	})
}

// A record that cannot be read hides no other.
func TestRecordThatCannotBeReadIsLeftOut(t *testing.T) {
	inStoredWorld(t, func(t *testing.T, home string, b *broker.Broker) {
		for _, form := range []string{"logins/*.json", "credentials/*/cred.json"} {
			paths, err := filepath.Glob(filepath.Join(home, form))
			if err != nil || len(paths) != 2 {
				t.Fatalf("%s: %q, %v", form, paths, err)
			}
			overwrite(t, paths[0], "{")
		}
		time.Sleep(2 * time.Second)
		if s, err := b.AuthStatus(t.Context()); err != nil || len(s.Providers) != 1 {
			t.Errorf("AuthStatus = %+v, %v, want one of two providers", s, err)
		}
		if _, err := b.Logins(t.Context()); err != nil {
			t.Errorf("Logins: %v", err)
		}
	})
}

// inStoredWorld runs f with daemons on files on which two logins have ended.
func inStoredWorld(t *testing.T, f func(t *testing.T, home string, b *broker.Broker)) {
	for name, daemon := range map[string]bool{"daemon": true, "command": false} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			inWorld(t, sandbox.Config{TokenLifetime: time.Hour}, func(t *testing.T, w *world) {
				store, err := filestore.Open(home)
				if err != nil {
					t.Fatal(err)
				}
				b := w.broker(func(c *broker.Config) { c.Store, c.Daemon = store, daemon })
				w.login(b, "sandbox")
				w.login(b, "sandbox/work")
				wantListed(t, b, "at first", 2)
				f(t, home, b)
			})
		})
	}
}

func wantListed(t *testing.T, b *broker.Broker, when string, n int) {
	t.Helper()
	if s, err := b.AuthStatus(t.Context()); err != nil || len(s.Providers) != n {
		t.Errorf("%s: AuthStatus = %+v, %v, want %d providers", when, s, err, n)
	}
	if list, err := b.Logins(t.Context()); err != nil || len(list) != n {
		t.Errorf("%s: Logins = %+v, %v, want %d", when, list, err, n)
	}
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
