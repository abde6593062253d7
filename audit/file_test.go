package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/audit"
)

// told is what a File's notify got.
type told struct{ got []string }

func (n *told) notify(trouble error, lost int) {
	word := "works"
	if trouble != nil {
		word = "fails"
	}
	n.got = append(n.got, fmt.Sprint(word, " ", lost))
}

func openLog(t *testing.T, path string) (*audit.File, *told) {
	t.Helper()
	n := &told{}
	f, err := audit.OpenFile(path, n.notify)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // again, where the test closes it
	return f, n
}

// put writes lines; none of them may be refused.
func put(t *testing.T, f *audit.File, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if n, err := f.Write([]byte(l + "\n")); n != len(l)+1 || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFileAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for _, line := range []string{"a", "b"} {
		f, n := openLog(t, path)
		put(t, f, line)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if len(n.got) != 0 {
			t.Errorf("told of %v", n.got)
		}
	}
	if got := contents(t, path); got != "a\nb\n" {
		t.Errorf("the log is %q", got)
	}
}

// A power cut may leave the beginning of a line; the next one is whole.
func TestFileGoesOnAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte("a\n{\"ti"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ := openLog(t, path)
	put(t, f, "b", "c")
	if got := contents(t, path); got != "a\n{\"ti\nb\nc\n" {
		t.Errorf("the log is %q", got)
	}
}

// What cannot be written is counted, in the log as well, and said once.
func TestFileSaysWhenItFailsAndWorksAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f, n := openLog(t, path)
	put(t, f, "a")
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Break(readOnly)
	put(t, f, "b", "c")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	put(t, f, "d", "e")
	if diff := cmp.Diff([]string{"fails 0", "works 2"}, n.got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	lines := strings.Split(contents(t, path), "\n")
	if len(lines) != 5 {
		t.Fatalf("the log is %q", lines)
	}
	var gap struct {
		Time           time.Time
		Action, Status string
		Lines          int
	}
	if err := json.Unmarshal([]byte(lines[1]), &gap); err != nil {
		t.Fatal(err)
	}
	if gap.Action != "audit" || gap.Status != "lost" || gap.Lines != 2 || time.Since(gap.Time) > time.Minute {
		t.Errorf("the gap is %+v", gap)
	}
	if diff := cmp.Diff([]string{"a", "d", "e", ""}, append(lines[:1:1], lines[2:]...)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestFileKeepsItsFileWhenThePathIsBad(t *testing.T) {
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit.log.1")
	f, _ := openLog(t, path)
	put(t, f, "a")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil {
		t.Error("reopening a directory: got no error")
	}
	put(t, f, "b")
	if got := contents(t, moved); got != "a\nb\n" {
		t.Errorf("the log is %q", got)
	}
}

// The log is moved away again and again while many write to it.
func TestFileLosesNothingOverRotations(t *testing.T) {
	const writers, each = 8, 400
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	f, n := openLog(t, path)
	w := &audit.Writer{JSON: f}
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for j := range each {
				if err := w.Record(audit.Record{Action: audit.ActionRefresh, Key: "k", LoginID: fmt.Sprint(i, "-", j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	for rotation, writing := 0, true; writing; rotation++ {
		select {
		case <-done:
			writing = false
		default:
		}
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, rotation)); err != nil {
			t.Fatal(err)
		}
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	logs, err := filepath.Glob(path + "*")
	if err != nil || len(logs) < 3 {
		t.Fatalf("%d logs, %v, want several", len(logs), err)
	}
	seen := map[string]int{}
	for _, log := range logs {
		for line := range bytes.Lines([]byte(contents(t, log))) {
			var r audit.Record
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			seen[r.LoginID]++
		}
	}
	for i := range writers {
		for j := range each {
			if id := fmt.Sprint(i, "-", j); seen[id] != 1 {
				t.Errorf("record %s is there %d times", id, seen[id])
			}
		}
	}
	if len(n.got) != 0 {
		t.Errorf("told of %v", n.got)
	}
}

func TestOpenFileNeedsTheDirectory(t *testing.T) {
	_, err := audit.OpenFile(filepath.Join(t.TempDir(), "missing", "audit.log"), nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}
