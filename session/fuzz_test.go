package session_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/session"
)

// Whatever a client sends, it gets whole frames whose ids grow, and never one
// that is not the session's.
func FuzzResume(f *testing.F) {
	for _, id := range []string{"", "0", "3", "6", "7", "-1", "+1", "1e3", "18446744073709551615", "9007199254740991", " 1", "１"} {
		f.Add(id, "")
		f.Add(id, "00000000-0000-4000-8000-000000000000")
	}
	f.Fuzz(func(t *testing.T, last, epoch string) {
		h := session.Open(session.Config{Ring: 4})
		publish(h, 1, 3)
		id := create(t, h)
		publish(h, 4, 9)
		s := subscribe(t, h, id, session.Options{LastEventID: last, Epoch: epoch})
		publish(h, 10, 10)
		seen := drain(t, s)
		if len(seen) == 0 || seen[len(seen)-1] != "7 10" {
			t.Fatalf("after %q, %q: %q", last, epoch, seen)
		}
		events := 0
		for _, frame := range seen {
			if frame[0] >= '0' && frame[0] <= '9' {
				if want := [...]string{"3 6", "4 7", "5 8", "6 9", "7 10"}; !strings.Contains(strings.Join(want[:], ","), frame) {
					t.Errorf("after %q, %q: event %q", last, epoch, frame)
				}
				events++
			}
		}
		if events > 5 {
			t.Errorf("after %q, %q: %d events", last, epoch, events)
		}
	})
}

// Whatever is in the file, the hub opens and makes sessions.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"v":1,"reserved":1024,"sessions":[{"id":"a","cwd":"/","created_at":"2026-11-21T10:00:00Z","base":7}]}`))
	f.Add([]byte(`{"v":1,"sessions":null}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "sessions.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		h := session.Open(session.Config{Path: path})
		s := subscribe(t, h, create(t, h), session.Options{})
		publish(h, 1, 1)
		if got := drain(t, s); len(got) != 1 || got[0] != "1 1" {
			t.Errorf("frames = %q", got)
		}
	})
}
