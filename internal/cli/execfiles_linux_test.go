package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/internal/child"
	"github.com/usherauth/usher/sandbox"
)

// TestExecRemovesFilesAfterSIGTERM, sent to all that there is.
func TestExecRemovesFilesAfterSIGTERM(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	cmd := exec.Command(self(t), "exec", "--file", "AT=here", "--refresh", "--", "sh", "-c", "echo $AT; exec sleep 1000")
	p := i.launch(cmd)
	path, err := p.lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(strings.TrimSpace(path)); err != nil {
		t.Fatal(err)
	}
	attendant := i.attendant(strings.TrimSpace(path))
	if session, err := unix.Getsid(attendant); err != nil || session != attendant {
		t.Errorf("the attendant %d is in session %d, %v", attendant, session, err)
	}
	if err := syscall.Kill(attendant, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	i.noTokenFiles()
	<-child.Ended(attendant)
}

// TestExecSweepsWhatWasKilled: when nobody could remove the files, the next run
// does, and takes no others.
func TestExecSweepsWhatWasKilled(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{})
	run := []string{"exec", "--file", "AT=here", "--"}
	alive, _ := i.startStubborn(run, nil)
	spared := i.tokenFiles()
	killed, _ := i.startStubborn(run, nil)
	var left string
	for _, path := range i.tokenFiles() {
		if !slices.Contains(spared, path) {
			left = path
		}
	}
	attendant := i.attendant(left)
	ended := child.Ended(attendant)
	if err := syscall.Kill(attendant, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-ended
	killed.signal(syscall.SIGKILL)
	killed.wait()
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("what nobody could remove: %v", err)
	}
	if code, _ := i.start(append(run, "true")...).wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	eventually(t, "only the files of the command that runs are left", func() bool { return slices.Equal(i.tokenFiles(), spared) })
	alive.order(0)
	alive.wait()
	i.noTokenFiles()
}

// TestExecRefreshes: over three ends of a token, a command that reads its file
// all the time finds a token that works. Who keeps it fresh is not to be ended.
func TestExecRefreshes(t *testing.T) {
	t.Parallel()
	i, _ := installLoggedIn(t, sandbox.Config{TokenLifetime: 10 * time.Second})
	p := i.start("exec", "--file", "AT=here", "--refresh", "--", "sh", "-c", "echo $AT; exec cat")
	path, err := p.lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	path = strings.TrimSpace(path)
	resource := i.issuer() + "/resource"
	seen := map[string]bool{}
	deadline := time.Now().Add(2 * time.Minute)
	var asked time.Time
	for len(seen) < 4 {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		token := string(data)
		if len(token) != 46 || !strings.HasPrefix(token, "at_") {
			t.Fatalf("a torn token: %d bytes", len(token))
		}
		if time.Since(asked) > 100*time.Millisecond {
			asked = time.Now()
			if status := present(t, resource, token); status != 200 {
				t.Fatalf("the token gets %d", status)
			}
		}
		if !seen[token] && len(seen) == 1 {
			for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT} {
				if err := syscall.Kill(i.attendant(path), s); err != nil {
					t.Fatal(err)
				}
			}
		}
		if seen[token] = true; time.Now().After(deadline) {
			t.Fatalf("%d tokens in two minutes", len(seen))
		}
		time.Sleep(time.Millisecond)
	}
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	if code, _ := p.wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	i.noTokenFiles()
}

// present presents a token to a resource and returns the status.
func present(t *testing.T, url, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// issuer is that of the provider "here".
func (i *installation) issuer() string {
	i.t.Helper()
	var shown providerDetail
	if err := json.Unmarshal([]byte(i.must("provider", "show", "here", "--json")), &shown); err != nil {
		i.t.Fatal(err)
	}
	for _, s := range shown.Settings {
		if s.Key == "issuer" {
			return s.Value
		}
	}
	i.t.Fatal("the provider has no issuer")
	return ""
}

// tokenFiles are the files with tokens that there are.
func (i *installation) tokenFiles() []string {
	i.t.Helper()
	files, err := filepath.Glob(filepath.Join(i.dir, "exec", "*", "AT"))
	if err != nil {
		i.t.Fatal(err)
	}
	return files
}

// noTokenFiles waits until all of them are gone, if no other test has any here.
func (i *installation) noTokenFiles() {
	i.t.Helper()
	eventually(i.t, "no file with a token is left", func() bool { return len(i.tokenFiles()) == 0 })
}

// attendant is the process that minds the file at path.
func (i *installation) attendant(path string) int {
	i.t.Helper()
	lock, err := os.Stat(filepath.Join(filepath.Dir(path), attendantLock))
	if err != nil {
		i.t.Fatal(err)
	}
	for _, pid := range processes(i.t) {
		fds, _ := filepath.Glob(filepath.Join("/proc", pid, "fd", "*"))
		for _, fd := range fds {
			if info, err := os.Stat(fd); err == nil && os.SameFile(info, lock) {
				n, _ := strconv.Atoi(pid)
				return n
			}
		}
	}
	i.t.Fatalf("nobody minds %s", path)
	return 0
}
