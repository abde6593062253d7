package filestore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
)

// syncStoreEnv names the store that the child of TestFailedSync works on.
const syncStoreEnv = "USHER_FILESTORE_SYNC"

// A file that could not be synced counts as not written, and is not synced
// again: the kernel has dropped what it held, and says so only once.
func TestFailedSync(t *testing.T) {
	if dir := os.Getenv(syncStoreEnv); dir != "" {
		failingRotation(t, dir)
		return
	}
	for when, want := range map[string]string{
		"1":  "reserve EIO", // the previous record
		"2":  "reserve EIO", // the intent
		"3":  "reserve EIO", // the folder
		"4":  "commit ok",   // the record: another file does better
		"5":  "commit ok",   // the folder
		"4+": "commit EIO",
		"5+": "commit EIO",
		"6":  "commit ok", // there is no sixth
	} {
		t.Run(when, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			login(t, s, github, "l1")
			rotate(t, s) // everything is there that is made only once
			cred := update(t, s, get(t, s), "before")
			out, trace := strace(t, "fsync:error=EIO:when="+when, dir)
			if !strings.Contains(out, "result: "+want+"\n") {
				t.Errorf("the rotation says %q, want %s", out, want)
			}
			checkSyncedOnce(t, trace, when != "6")

			r := begin(t, s)
			defer r.Release(true)
			got := r.Record()
			switch token := got.RefreshToken.Reveal(); {
			case want == "reserve EIO" && !got.Equal(cred):
				t.Errorf("the record is generation %d, want %d untouched", got.Generation, cred.Generation)
			case want == "commit ok" && token != "canary-rt-next":
				t.Errorf("the record has the token %s, want the one that was committed", token)
			case token != "canary-rt-before" && token != "canary-rt-next":
				t.Errorf("the record has the token %s, want the old or the new one", token)
			}
		})
	}
}

func get(t *testing.T, s *filestore.Store) credential.Credential {
	t.Helper()
	cred, err := s.Get(t.Context(), github)
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// failingRotation says how far it gets.
func failingRotation(t *testing.T, dir string) {
	runtime.LockOSThread() // strace counts for each thread
	s := open(t, dir)
	r := begin(t, s)
	defer r.Release(false)
	step, err := "reserve", r.Reserve(t.Context())
	if err == nil {
		step = "commit"
		_, err = r.Commit(t.Context(), sample(github, "next"))
	}
	switch {
	case err == nil:
		fmt.Println("result:", step, "ok")
	case errors.Is(err, syscall.EIO) && isStoreError(err, dir):
		fmt.Println("result:", step, "EIO")
	default:
		t.Error(err)
	}
}

// strace runs failingRotation with a fault and returns what it printed and what
// it did.
func strace(t *testing.T, fault, dir string) (out, trace string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "trace")
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-qq", "-o", log,
		"-e", "trace=fsync,close", "-e", "inject="+fault, self, "-test.run=^TestFailedSync$")
	cmd.Env = append(os.Environ(), syncStoreEnv+"="+dir)
	raw, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("strace: %v\n%s", err, raw)
	}
	lines, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), string(lines)
}

var syscallLine = regexp.MustCompile(`(fsync|close)\((\d+)\)`)

// checkSyncedOnce fails the test when a descriptor whose sync failed is synced
// again before it is closed.
func checkSyncedOnce(t *testing.T, trace string, wantFailure bool) {
	t.Helper()
	failed := make(map[string]bool)
	failures := 0
	for line := range strings.Lines(trace) {
		call := syscallLine.FindStringSubmatch(line)
		switch {
		case call == nil:
		case call[1] == "close":
			delete(failed, call[2])
		case failed[call[2]]:
			t.Errorf("descriptor %s is synced again after that failed", call[2])
		case strings.Contains(line, "EIO"):
			failed[call[2]] = true
			failures++
		}
	}
	if (failures > 0) != wantFailure {
		t.Errorf("%d syncs failed in\n%s", failures, trace)
	}
}
