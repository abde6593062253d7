package term

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain runs this program as another one, if it is told to.
func TestMain(m *testing.M) {
	ctx := context.Background()
	switch role := os.Getenv("TERM_TEST_ROLE"); role {
	case "":
		os.Exit(m.Run())
	case "minding signals":
		var stop func()
		ctx, stop = signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM)
		defer stop()
		readKeys(ctx)
	case "keys":
		readKeys(ctx)
	default:
		role, careful := strings.CutPrefix(role, "careful ")
		runShell(strings.TrimPrefix(role, "shell of "), careful)
	}
}

// runShell is a shell with job control for one job, this program in another
// role. It leaves the terminal's mode to its job, unless it is careful, as most
// shells are.
func runShell(role string, careful bool) {
	var mode *unix.Termios
	if careful {
		mode, _ = unix.IoctlGetTermios(0, unix.TCGETS)
	}
	job := exec.Command("/proc/self/exe")
	job.Stdin, job.Stdout, job.Stderr = os.Stdin, os.Stdout, os.Stderr
	job.Env = append(os.Environ(), "TERM_TEST_ROLE="+role)
	job.SysProcAttr = &syscall.SysProcAttr{Foreground: true}
	if err := job.Start(); err != nil {
		fmt.Println(err)
		return
	}
	signal.Ignore(unix.SIGTTOU)
	waitForJob(job.Process.Pid, mode)
	for {
		command, err := readLine(os.Stdin)
		switch {
		case err != nil:
			return
		case command == "continue":
			_ = unix.Kill(-job.Process.Pid, unix.SIGCONT)
		case command == "foreground", command == "fg":
			_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, job.Process.Pid)
			if command == "fg" {
				_ = unix.Kill(-job.Process.Pid, unix.SIGCONT)
			}
			waitForJob(job.Process.Pid, mode)
			continue
		}
		fmt.Printf("shell: did %q\n", command)
	}
}

// waitForJob waits until the job has ended or is stopped, and takes its place,
// with mode unless that is nil.
func waitForJob(pid int, mode *unix.Termios) {
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, unix.Getpgrp())
	if mode != nil {
		_ = unix.IoctlSetTermios(0, unix.TCSETS, mode)
	}
	unread, _ := unix.IoctlGetInt(0, unix.TIOCINQ)
	switch {
	case status.Stopped():
		fmt.Println("shell: stopped")
	case status.Signaled():
		fmt.Printf("shell: ended by %v, %d bytes unread\n", status.Signal(), unread)
	default:
		fmt.Printf("shell: ended with %d, %d bytes unread\n", status.ExitStatus(), unread)
	}
}

// readKeys shows a block and tells of each key until q.
func readKeys(ctx context.Context) {
	s := New(os.Stderr, os.Getenv)
	k, err := s.Keys(ctx, os.Stdin)
	if err != nil {
		fmt.Fprintln(s, "refused:", err)
		return
	}
	defer k.Close()
	s.NewBlock().Set([]string{fmt.Sprintf("process %d", os.Getpid()), "ready"})
	for {
		select {
		case key, ok := <-k.Events():
			if !ok {
				s.Erase()
				fmt.Fprintln(s, "no more keys")
				return
			}
			fmt.Fprintf(s, "key %q, paste %q\n", key.Rune, key.Paste.Reveal())
			switch key.Rune {
			case 'q':
				return
			case 'b':
				fmt.Fprintf(s, "background %v\n", s.Background(ctx, k))
			case 'p':
				panic("on purpose")
			}
		case <-k.Continued():
			fmt.Fprintln(s, "again")
		}
	}
}

// A console is the person's end of a terminal.
type console struct {
	t      *testing.T
	person *os.File
	raw    syscall.RawConn
	before unix.Termios

	mu      sync.Mutex
	shown   bytes.Buffer
	changed chan struct{}
}

func openConsole(t *testing.T) (_ *console, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := person.SyscallConn() // Fd would make Close wait for a read
	if err != nil {
		t.Fatal(err)
	}
	c := &console{t: t, person: person, raw: raw, changed: make(chan struct{})}
	number := 0
	c.control(func(fd int) error {
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		size := &unix.Winsize{Row: 24, Col: 80}
		return errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size))
	})
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
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

func (c *console) control(do func(fd int) error) {
	c.t.Helper()
	var done error
	asked := c.raw.Control(func(fd uintptr) { done = do(int(fd)) })
	if err := errors.Join(asked, done); err != nil {
		c.t.Fatal(err)
	}
}

// mode is the mode of the program's end.
func (c *console) mode() (mode unix.Termios) {
	c.t.Helper()
	c.control(func(fd int) error {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			mode = *m
		}
		return err
	})
	return mode
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

func TestKeyboard(t *testing.T) {
	t.Parallel()
	c, program := openConsole(t)
	c.shell(program, "keys")
	c.awaits("ready")
	c.wantMode("while keys are read", false)
	if m := c.mode(); m.Lflag&unix.ISIG == 0 || m.Oflag&unix.OPOST == 0 {
		t.Error("Ctrl-C is no signal, or output is not processed")
	}
	c.types("o")
	c.awaits(`key 'o', paste ""`)
	c.types("\x1b[A\x1b")
	c.awaits(`key '\x1b', paste ""`)
	c.types("\x1b[200~https://x/?code=1\x1b[201~")
	c.awaits(`key '\x00', paste "https://x/?code=1"`)
	c.types("\x04")
	c.awaits(`key '\x04'`)
	c.types("q")
	c.awaits(`key 'q'`)
	c.awaits(unmarkPastes)
	c.awaits("shell: ended with 0, 0 bytes unread")
	c.wantMode("after the end", true)
}

// However the process ends, the terminal has its mode back.
func TestModeIsRestored(t *testing.T) {
	send := func(sig unix.Signal) func(*console, int) {
		return func(c *console, pid int) {
			if err := unix.Kill(pid, sig); err != nil {
				c.t.Error(err)
			}
		}
	}
	type_ := func(text string) func(*console, int) { return func(c *console, _ int) { c.types(text) } }
	for name, c := range map[string]struct {
		role string
		end  func(c *console, pid int)
		want string
	}{
		"SIGTERM":              {"keys", send(unix.SIGTERM), "ended by terminated"},
		"SIGTERM, handled":     {"minding signals", send(unix.SIGTERM), "ended with 0"},
		"SIGHUP":               {"keys", send(unix.SIGHUP), "ended by hangup"},
		"SIGHUP beside others": {"minding signals", send(unix.SIGHUP), "ended by hangup"},
		"Ctrl-C":               {"keys", type_("\x03"), "ended by interrupt"},
		"Ctrl-C, handled":      {"minding signals", type_("\x03"), "ended with 0"},
		"Ctrl-backslash":       {"keys", type_("\x1c"), "ended with 2"}, // as the runtime does
		"a panic":              {"keys", type_("p"), "ended with 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, program := openConsole(t)
			x.shell(program, c.role)
			pid := x.pid()
			x.awaits("ready")
			x.wantMode("while keys are read", false)
			c.end(x, pid)
			x.awaits("shell: " + c.want)
			x.wantMode("after the end", true)
		})
	}
}

// Ctrl-Z and fg, several times: others have the terminal as it was, and the
// program its keys.
func TestStopAndContinue(t *testing.T) {
	t.Parallel()
	c, program := openConsole(t)
	c.shell(program, "keys")
	for range 3 {
		c.awaits("ready")
		c.types("o")
		c.awaits("key 'o'")
		c.wantMode("while keys are read", false)
		c.types("\x1a")
		c.awaits("shell: stopped")
		c.wantMode("while it is stopped", true)
		c.types("fg\n")
	}
	c.awaits("ready")
	c.types("q")
	c.awaits("shell: ended with 0")
	c.wantMode("after the end", true)
}

// The same with a signal that another process sends, and in a shell that sets
// the mode itself.
func TestStopAndContinueInBash(t *testing.T) {
	t.Parallel()
	c, program := openConsole(t)
	c.run(program, "keys", "bash", "--norc", "--noprofile", "--noediting", "-i")
	c.awaits("prompt> ")
	c.types("stty -a > /dev/null; " + self(t) + "\n")
	for range 2 {
		pid := c.pid()
		c.awaits("ready")
		if err := unix.Kill(pid, unix.SIGTSTP); err != nil {
			t.Fatal(err)
		}
		c.awaits("Stopped")
		c.awaits("prompt> ")
		c.wantMode("while it is stopped", true)
		c.types("fg\n")
	}
	c.awaits("ready")
	c.types("q")
	c.awaits("key 'q'")
	c.awaits("prompt> ")
	c.wantMode("after the end", true)
}

// In the background a program neither reads nor draws, and goes on once it is in
// the foreground, whether it is told of that or not.
func TestBackground(t *testing.T) {
	for _, command := range []string{"fg", "foreground"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			c, program := openConsole(t)
			c.shell(program, "keys")
			c.awaits("ready")
			c.types("\x1a")
			c.awaits("shell: stopped")
			c.types("continue\n")
			c.awaits(`shell: did "continue"`)
			c.types("a line of the shell\n")
			c.awaits(`shell: did "a line of the shell"`)
			if shown := c.text(); strings.Contains(shown, "ready") {
				t.Errorf("it draws in the background: %q", shown)
			}
			c.wantMode("in the background", true)
			c.types(command + "\n")
			c.awaits("ready")
			c.types("o")
			c.awaits("key 'o'")
			c.types("q")
			c.awaits("shell: ended with 0")
			c.wantMode("after the end", true)
		})
	}
}

// A stop that the program cannot prepare for: what it shows and the mode are
// there again after it.
func TestStopWithoutWarning(t *testing.T) {
	t.Parallel()
	c, program := openConsole(t)
	c.run(program, "careful shell of keys", "/proc/self/exe")
	pid := c.pid()
	c.awaits("ready")
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.awaits("shell: stopped")
	c.types("fg\n")
	c.awaits("ready")
	c.types("o")
	c.awaits("key 'o'")
	c.wantMode("while keys are read", false)
	c.types("q")
	c.awaits("shell: ended with 0")
	c.wantMode("after the end", true)
}

// Where no shell could continue it, Ctrl-Z stops nothing.
func TestCtrlZWithoutShell(t *testing.T) {
	t.Parallel()
	c, program := openConsole(t)
	c.run(program, "keys", "/proc/self/exe")
	c.awaits("ready")
	c.types("\x1ao")
	c.awaits("key 'o'")
	c.types("q")
	c.awaits("key 'q'")
}

// A process in the background cannot begin to read.
func TestKeysAreRefused(t *testing.T) {
	t.Parallel()
	c, program := openConsole(t)
	c.run(program, "keys", "bash", "--norc", "--noprofile", "--noediting", "-i")
	c.awaits("prompt> ")
	c.types(self(t) + " & wait\n")
	c.awaits("refused: single keys cannot be read here")
	if _, err := New(&terminal{columns: 80, rows: 24}, noEnv).Keys(t.Context(), strings.NewReader("o")); err == nil {
		t.Error("keys come from what is no terminal")
	}
}

// The answer to a query is no key, and none is left for who reads next.
func TestBackgroundColorIsAsked(t *testing.T) {
	for name, c := range map[string]struct{ answer, late, want string }{
		"light":      {"\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?1;2c", "", "light"},
		"dark":       {"\x1b]11;rgb:00/00/00\a\x1b[?62c", "", "dark"},
		"no colours": {"\x1b[?1;2c", "", "light"}, // as the environment says
		"too late":   {"", "\x1b]11;rgb:0/0/0\x1b\\\x1b[?1c", "light"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, program := openConsole(t)
			x.shell(program, "keys")
			x.awaits("ready")
			x.types("b")
			x.awaits(askBackground + askAttributes)
			x.types(c.answer)
			x.awaits("background " + c.want)
			x.types("q" + c.late)
			x.awaits("shell: ended with 0, 0 bytes unread")
			x.wantMode("after the end", true)
		})
	}
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
