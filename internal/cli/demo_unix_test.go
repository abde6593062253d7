//go:build unix

package cli

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/api"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env["TMPDIR"] = filepath.Dir(i.dir)
	p := i.start("demo", "--auto")
	code, out := p.wait()
	if code != 0 || !strings.Contains(out, "granted 1 refresh for 5 readers") {
		t.Fatalf("exit %d, stdout %q", code, out)
	}
	if !strings.Contains(p.err.String(), "All 7 steps passed") {
		t.Errorf("said: %s", p.err.String())
	}
	nothingLeft(t, i)
}

// nothingLeft checks that a demo has thrown its folder away.
func nothingLeft(t *testing.T, i *installation) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(i.env["TMPDIR"], "usher-demo-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(i.dir); !os.IsNotExist(err) {
		t.Errorf("the demo touched the person's own data folder: %v", err)
	}
}

func TestDemoNamesTheStepThatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		faults, step string
		code         int
	}{
		"denied":             {`[{"endpoint":"token.device","calls":[2],"do":{"deny":true}}]`, "step 4 (wait for the approval)", api.ExitDenied},
		"revocation refused": {`[{"endpoint":"revoke","do":{"status":500,"body":"no"}}]`, "step 7 (log out)", api.ExitError},
		"refresh answered in vain": {`[{"endpoint":"token.refresh","do":{"oauth_error":"invalid_grant"}}]`,
			"step 6 (let the token expire and read it again)", api.ExitLoginNeeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.env["TMPDIR"] = filepath.Dir(i.dir)
			file := filepath.Join(i.env["TMPDIR"], "faults.json")
			write(t, file, c.faults)
			p := i.start("demo", "--faults", file)
			if code, out := p.wait(); code != c.code || out != "" {
				t.Errorf("exit %d, stdout %q, want %d", code, out, c.code)
			}
			if !strings.Contains(p.err.String(), "usher: "+c.step+" failed: ") {
				t.Errorf("said %q, want %q in it", p.err.String(), c.step)
			}
			nothingLeft(t, i)
		})
	}
}

// The children of a demo that is killed end by themselves.
func TestDemoDoesNotLeaveChildren(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]os.Signal{"killed": syscall.SIGKILL, "interrupted": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.env["TMPDIR"] = filepath.Dir(i.dir)
			p := i.start("demo", "--auto")
			eventually(t, "the login starts", func() bool { return strings.Contains(p.err.String(), "3. start a login") })
			urls := addresses(p.err.String())
			if len(urls) < 2 {
				t.Fatalf("no addresses in %q", p.err.String())
			}
			p.signal(s)
			if code, _ := p.wait(); s == os.Interrupt && code != api.ExitInterrupted {
				t.Errorf("exit %d, want 130", code)
			}
			goAway(t, urls)
			if s == os.Interrupt {
				nothingLeft(t, i)
			}
		})
	}
}

// goAway waits until nobody listens at urls any more.
func goAway(t *testing.T, urls []string) {
	t.Helper()
	for _, url := range urls {
		eventually(t, url+" goes away", func() bool {
			resp, err := http.Get(url + "/health")
			if err == nil {
				_ = resp.Body.Close()
			}
			return err != nil
		})
	}
}

// The demo and its children end with the program that started it, as with go
// run.
func TestDemoEndsWithItsParent(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env["TMPDIR"] = filepath.Dir(i.dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(i.env["TMPDIR"], "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	// The shell has to come back for the second command, so it stays.
	shell := exec.Command("/bin/sh", "-c", `"$0" demo --auto; true`, self)
	shell.Env = append(os.Environ(), asUsher+"=1", "TMPDIR="+i.env["TMPDIR"])
	shell.Stderr = said
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	text := func() string {
		text, err := os.ReadFile(said.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	eventually(t, "the login starts", func() bool { return strings.Contains(text(), "3. start a login") })
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shell.Wait() // it was killed
	eventually(t, "the demo ends", func() bool { return strings.Contains(text(), "usher: interrupted at step ") })
	urls := addresses(text())
	if len(urls) < 2 {
		t.Fatalf("no addresses in %q", text())
	}
	goAway(t, urls)
}

// addresses returns the first two addresses in text: the server's and the
// daemon's.
func addresses(text string) (urls []string) {
	for _, word := range strings.Fields(text) {
		if port, ok := strings.CutPrefix(word, "http://127.0.0.1:"); ok && len(urls) < 2 {
			if _, err := strconv.Atoi(port); err == nil {
				urls = append(urls, word)
			}
		}
	}
	return urls
}
