package term

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/internal/ptytest"
)

// A console is the person's end of a terminal.
type console struct {
	t      *testing.T
	person *os.File
	before unix.Termios

	mu      sync.Mutex
	shown   bytes.Buffer
	changed chan struct{}
}

func openConsole(t *testing.T) (_ *console, program *os.File) {
	t.Helper()
	person, program := ptytest.Open(t, 80, 24)
	c := &console{t: t, person: person, changed: make(chan struct{})}
	t.Cleanup(func() {
		program.Close()
		person.Close()
		if t.Failed() {
			t.Logf("shown: %q", c.text())
		}
	})
	c.before = c.mode()
	go c.read()
	return c, program
}

// mode is the mode of the program's end.
func (c *console) mode() unix.Termios {
	c.t.Helper()
	return ptytest.Mode(c.t, c.person)
}

func (c *console) read() {
	buf := make([]byte, 4096)
	for {
		n, err := c.person.Read(buf)
		c.mu.Lock()
		c.shown.Write(buf[:n])
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown.String()
}

// awaits waits until text is shown, and forgets what was shown up to it.
func (c *console) awaits(text string) {
	c.t.Helper()
	late := time.After(time.Minute)
	for {
		c.mu.Lock()
		changed := c.changed
		if _, rest, ok := strings.Cut(c.shown.String(), text); ok {
			c.shown.Reset()
			c.shown.WriteString(rest)
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			c.t.Fatalf("%q is not shown", text)
		}
	}
}

func (c *console) types(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.person, text); err != nil {
		c.t.Fatal(err)
	}
}

// wantMode checks that the terminal has its mode back, or not.
func (c *console) wantMode(what string, restored bool) {
	c.t.Helper()
	if got := c.mode(); (got == c.before) != restored {
		c.t.Errorf("%s: mode %+v, before it was %+v", what, got, c.before)
	}
}

// shell runs this program in a role, in a shell with job control.
func (c *console) shell(program *os.File, role string) {
	c.t.Helper()
	c.run(program, "shell of "+role, "/proc/self/exe")
}

// run starts a program in the terminal, as the leader of a session.
func (c *console) run(program *os.File, role, name string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.Env = append(os.Environ(), "TERM=xterm", "TERM_TEST_ROLE="+role, "PS1=prompt> ", "COLORFGBG=0;15")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		// Its jobs get SIGHUP with it, and those that are stopped end as well.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// pid is the job's, which it has just shown.
func (c *console) pid() (pid int) {
	c.t.Helper()
	c.awaits("process ")
	if _, err := fmt.Sscan(c.text(), &pid); err != nil {
		c.t.Fatal(err)
	}
	return pid
}

// self is this program.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
