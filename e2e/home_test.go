package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/apispec"
)

// Exit codes of the command line, as documented.
const (
	exitOK          = 0
	exitError       = 1
	exitLoginNeeded = 3
	exitDenied      = 4
	exitInterrupted = 130
)

// A home is one person's account on a machine: a data folder and a
// configuration of its own, with or without a daemon.
type home struct {
	t      *testing.T
	dir    string   // USHER_HOME
	base   string   // holds dir, config.toml and HOME
	flags  []string // of usher serve
	built  string   // the program of the daemon instead of binary
	daemon *process
	tcp    *apispec.Proxy // in front of the daemon, as long as the home lasts
	socket *apispec.Proxy // the same for its socket, as long as the daemon lasts
	name   string         // of the socket
}

func newHome(t *testing.T) *home {
	t.Helper()
	// Short, because the daemon's socket is inside and its path is bounded.
	base, err := os.MkdirTemp("", "ue")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	return &home{t: t, base: base, dir: filepath.Join(base, "data")}
}

func (h *home) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + h.base,
		"USHER_HOME=" + h.dir,
		"USHER_CONFIG=" + filepath.Join(h.base, "config.toml"),
	}
	return cmd
}

// A result is what a finished command left.
type result struct {
	stdout, stderr string
	code           int
}

// usher runs a command to its end.
func (h *home) usher(args ...string) result {
	h.t.Helper()
	p := h.start(h.command(binary, args...))
	p.rest()
	return p.wait()
}

// must runs a command that has to succeed and returns its stdout.
func (h *home) must(args ...string) string {
	h.t.Helper()
	r := h.usher(args...)
	if r.code != exitOK {
		h.t.Fatalf("usher %s: exit %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// copyTo copies the data folder, as a backup would.
func (h *home) copyTo(to string) {
	h.t.Helper()
	if out, err := exec.Command("cp", "-a", h.dir, to).CombinedOutput(); err != nil {
		h.t.Fatalf("copying the data folder: %v\n%s", err, out)
	}
}

// A process is a running command whose stdout is read line by line.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner

	mu     sync.Mutex
	stdout bytes.Buffer // what was read of it
	stderr bytes.Buffer
	eof    chan struct{}
}

func (h *home) start(cmd *exec.Cmd) *process {
	h.t.Helper()
	p := &process{t: h.t, cmd: cmd, eof: make(chan struct{})}
	cmd.Stderr = &p.stderr
	// A child that keeps stderr open must not hold Wait up.
	cmd.WaitDelay = 5 * time.Second
	// A group of its own, so that signals reach a daemon behind a tracer too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	h.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			p.kill()
			io.Copy(io.Discard, out)
			cmd.Wait()
		}
		if h.t.Failed() {
			h.t.Logf("%v\nstderr: %s", cmd.Args, p.stderr.String())
		}
	})
	return p
}

// line returns the next line of stdout, which must be there.
func (p *process) line() string {
	p.t.Helper()
	if !p.lines.Scan() {
		close(p.eof)
		r := p.wait()
		p.t.Fatalf("%v ended (exit %d) where a line was expected\nstdout: %s\nstderr: %s", p.cmd.Args, r.code, r.stdout, r.stderr)
	}
	p.keep()
	return p.lines.Text()
}

// rest reads stdout to its end.
func (p *process) rest() {
	for p.lines.Scan() {
		p.keep()
	}
	close(p.eof)
}

func (p *process) keep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stdout.WriteString(p.lines.Text() + "\n")
}

// terminate asks the process group to end. A tracer ignores that and ends with
// the program it traces.
func (p *process) terminate() {
	p.t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		p.t.Fatalf("signalling %v: %v", p.cmd.Args, err)
	}
}

func (p *process) kill() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// wait waits for the end of a process whose stdout is read or being read to
// its end.
func (p *process) wait() result {
	p.t.Helper()
	select {
	case <-p.eof:
	case <-time.After(90 * time.Second):
		p.kill()
		<-p.eof
		p.t.Errorf("%v did not end in 90 s", p.cmd.Args)
	}
	err := p.cmd.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		p.t.Errorf("%v: %v", p.cmd.Args, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return result{p.stdout.String(), p.stderr.String(), p.cmd.ProcessState.ExitCode()}
}

// decode reads a line of JSON.
func decode[T any](t *testing.T, line string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("reading %q: %v", line, err)
	}
	return v
}
