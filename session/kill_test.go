package session_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/session"
)

// childPath tells the test binary to publish until it is killed.
const childPath = "USHER_SESSION_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

// child prints the id of its session, and each event's id once it was handed out.
func child(path string) {
	h := session.Open(session.Config{Path: path})
	id := os.Getenv(childPath + "_ID")
	if id == "" {
		s, err := h.Create("/work")
		if err != nil {
			panic(err)
		}
		id = s.ID
	}
	s, err := h.Subscribe(id, session.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println("session", id)
	for {
		publish(h, 1, 1)
		for frame, _ := s.Take(); frame != nil; frame, _ = s.Take() {
			var n int64
			if _, err := fmt.Sscanf(string(frame), "id: %d", &n); err != nil {
				panic(err)
			}
			fmt.Println("event", n)
		}
	}
}

// A process that is killed at any time, also between the reservation of
// numbers and their use, leaves a file after which no id comes twice.
func TestKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sessions.json")
	id, highest := "", int64(0)
	// Around the ends of the blocks of 1024 numbers, and elsewhere.
	for round, events := range []int{1, 1023, 1024, 1025, 1, 2, 500, 2047, 2048, 2049} {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childPath+"="+path, childPath+"_ID="+id)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		first := int64(0)
		seen := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, value, _ := strings.Cut(lines.Text(), " ")
			if what == "session" {
				if id != "" && value != id {
					t.Errorf("round %d: session %s became %s", round, id, value)
				}
				id = value
				continue
			}
			var n int64
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatalf("line %q: %v", lines.Text(), err)
			}
			if first == 0 {
				first = n
			}
			if n <= highest {
				t.Fatalf("round %d: id %d after %d was seen", round, n, highest)
			}
			highest = n
			// What it wrote after the kill was asked for counts too.
			if seen++; seen == events {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || seen < events {
			t.Fatalf("round %d: the child ended by itself: %v, after %d events", round, err, seen)
		}
		if first > highest {
			t.Errorf("round %d: no events", round)
		}
	}
	if _, ok := session.Open(session.Config{Path: path}).Touch(id); !ok {
		t.Error("the session is lost")
	}
}
