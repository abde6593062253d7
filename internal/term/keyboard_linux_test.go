package term

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"testing"

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
		c.awaits(eraseBelow + unmarkPastes)
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

// A terminal whose number select cannot name is refused, not a panic.
func TestKeysOfAHighNumber(t *testing.T) {
	t.Parallel()
	_, program := openConsole(t)
	n, err := unix.FcntlInt(program.Fd(), unix.F_DUPFD_CLOEXEC, unix.FD_SETSIZE)
	if err != nil {
		t.Fatal(err)
	}
	high := os.NewFile(uintptr(n), "terminal")
	defer high.Close()
	if k, err := New(high, func(string) string { return "" }).Keys(t.Context(), high); err == nil {
		k.Close()
		t.Error("single keys can be read")
	}
}
