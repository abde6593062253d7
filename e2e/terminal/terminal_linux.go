package terminal

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/internal/ptytest"
)

// The themes of terminals: light text on a dark background, and the reverse.
const (
	Dark  = "dark"
	Light = "light"
)

// Options are those of a terminal.
type Options struct {
	Columns, Rows int    // default 80, 24
	Theme         string // Dark (default) or Light
	// Mute makes the terminal answer no queries.
	Mute bool
	// Before are lines that it shows already, such as those of a shell.
	Before []string
}

// A Terminal is a terminal with one program in it, or none.
type Terminal struct {
	t        testing.TB
	emulator *emulator
	id       int

	// The program; nil without one.
	cmd    *exec.Cmd
	person *os.File // the end of the pseudo-terminal that the emulator has
	wait   func() error

	mu            sync.Mutex
	columns, rows int
	output        []byte        // everything that the program wrote
	changed       chan struct{} // closed and replaced when there is more on the screen
	ended         chan struct{} // closed when the program has ended
	drained       chan struct{} // closed when nobody can write any more, and all is shown
}

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// New opens a terminal without a program, for what is written to it.
func New(t testing.TB, o Options) *Terminal {
	t.Helper()
	o.setDefaults()
	x := &Terminal{t: t, emulator: theEmulator(t), columns: o.Columns, rows: o.Rows, changed: make(chan struct{})}
	var err error
	if x.id, err = x.emulator.open(o, x.reply); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.emulator.close(x.id) })
	for _, line := range o.Before {
		x.show([]byte(line + "\r\n"))
	}
	return x
}

// Start starts cmd in a new terminal, as the leader of a session of its own.
// Whichever of its standard streams are nil become the terminal. TERM is
// xterm-256color unless cmd.Env says otherwise. What is left of it is killed at
// the end of the test.
func Start(t testing.TB, cmd *exec.Cmd, o Options) *Terminal {
	t.Helper()
	x := New(t, o)
	var program *os.File
	x.person, program = ptytest.Open(t, x.columns, x.rows)
	x.cmd, x.ended, x.drained = cmd, make(chan struct{}), make(chan struct{})
	cmd.Env = append([]string{"TERM=xterm-256color", "LANG=C.UTF-8"}, cmd.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: attach(t, cmd, program)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = program.Close() // cmd has it
	go x.read()
	x.wait = sync.OnceValue(cmd.Wait)
	go func() {
		_ = x.wait()
		close(x.ended)
	}()
	t.Cleanup(x.close)
	return x
}

// reply sends the program what the terminal answers it.
func (x *Terminal) reply(text string) {
	if x.person != nil {
		_, _ = io.WriteString(x.person, text)
	}
}

// Write shows p, as if a program had written it; a line break goes to the
// beginning of the next line.
func (x *Terminal) Write(p []byte) (int, error) {
	x.show(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")))
	return len(p), nil
}

// Size is that of the window.
func (x *Terminal) Size() (columns, rows int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.columns, x.rows
}

func (o *Options) setDefaults() {
	if o.Columns == 0 {
		o.Columns, o.Rows = 80, 24
	}
	if o.Theme == "" {
		o.Theme = Dark
	}
}

// attach gives cmd the terminal for its streams that it has none for, and
// returns the number of one of them.
func attach(t testing.TB, cmd *exec.Cmd, program *os.File) (ctty int) {
	t.Helper()
	ctty = -1
	if cmd.Stderr == nil {
		cmd.Stderr, ctty = program, 2
	}
	if cmd.Stdout == nil {
		cmd.Stdout, ctty = program, 1
	}
	if cmd.Stdin == nil {
		cmd.Stdin, ctty = program, 0
	}
	if ctty < 0 {
		t.Fatal("the program has no stream left for the terminal")
	}
	return ctty
}

// read shows what the program writes.
func (x *Terminal) read() {
	defer close(x.drained)
	buf := make([]byte, 4096)
	for {
		n, err := x.person.Read(buf)
		if n > 0 {
			x.show(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func (x *Terminal) show(p []byte) {
	x.mu.Lock()
	x.output = append(x.output, p...)
	x.mu.Unlock()
	err := x.emulator.do(map[string]any{"command": "write", "terminal": x.id, "data": base64.StdEncoding.EncodeToString(p)}, nil)
	if err != nil {
		x.t.Error(err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.changed)
	x.changed = make(chan struct{})
}

// Output is everything that the program has written, with its escapes.
func (x *Terminal) Output() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.output)
}

// Type has the person type text. Escapes are what keys send.
func (x *Terminal) Type(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.person, text); err != nil {
		x.t.Fatal(err)
	}
}

// Paste has the person paste text, marked as a paste if the program asked for
// that.
func (x *Terminal) Paste(text string) {
	x.t.Helper()
	if x.Screen().Bracketed {
		text = "\x1b[200~" + text + "\x1b[201~"
	}
	x.Type(text)
}

// Resize gives the window another size. The terminal fits its lines to it before
// the program learns of it.
func (x *Terminal) Resize(columns, rows int) {
	x.t.Helper()
	err := x.emulator.do(map[string]any{"command": "resize", "terminal": x.id, "columns": columns, "rows": rows}, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	x.mu.Lock()
	x.columns, x.rows = columns, rows
	x.mu.Unlock()
	if x.person != nil {
		ptytest.SetSize(x.t, x.person, columns, rows)
	}
}

// Screen is what the terminal shows now.
func (x *Terminal) Screen() *Screen {
	x.t.Helper()
	var raw struct {
		Screen
		Kinds []Cell
		Lines []struct {
			Line
			Cells []int
		}
	}
	if err := x.emulator.do(map[string]any{"command": "read", "terminal": x.id}, &raw); err != nil {
		x.t.Fatal(err)
	}
	s := raw.Screen
	s.Lines = nil
	for _, line := range raw.Lines {
		l := line.Line
		for _, kind := range line.Cells {
			l.Cells = append(l.Cells, raw.Kinds[kind])
		}
		s.Lines = append(s.Lines, l)
	}
	return &s
}

// Await waits until the screen is as ready says, and returns it. It fails the
// test if that does not come in a minute, or the program ends without it.
func (x *Terminal) Await(what string, ready func(*Screen) bool) *Screen {
	x.t.Helper()
	late := time.After(patience)
	for ended := x.ended; ; {
		x.mu.Lock()
		changed := x.changed
		x.mu.Unlock()
		s := x.Screen()
		if ready(s) {
			return s
		}
		select {
		case <-changed:
		case <-ended:
			ended = nil // what it wrote last is still to be read
			late = time.After(patience / 10)
		case <-late:
			x.t.Fatalf("waited in vain for %s; the screen is:\n%s", what, s.Text())
		}
	}
}

// QR is what a phone reads off the window, on a background of that theme; empty
// if there is no QR code. With invert it may be light on dark.
func (x *Terminal) QR(theme string, invert bool) string {
	x.t.Helper()
	var text string
	err := x.emulator.do(map[string]any{"command": "qr", "terminal": x.id, "theme": theme, "invert": invert}, &text)
	if err != nil {
		x.t.Fatal(err)
	}
	return text
}

// Mode is the mode of the terminal, such as whether it shows what is typed.
func (x *Terminal) Mode() unix.Termios { return ptytest.Mode(x.t, x.person) }

// Pid is the program's.
func (x *Terminal) Pid() int { return x.cmd.Process.Pid }

// Signal sends the program a signal.
func (x *Terminal) Signal(sig os.Signal) {
	x.t.Helper()
	if err := x.cmd.Process.Signal(sig); err != nil {
		x.t.Fatal(err)
	}
}

// Wait waits for the end of the program, and until all that it wrote is shown,
// and returns its exit code; -1 if a signal ended it.
func (x *Terminal) Wait() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(patience):
		x.t.Fatalf("the program did not end; the screen is:\n%s", x.Screen().Text())
	}
	select {
	case <-x.drained:
	case <-time.After(patience):
		x.t.Fatal("the program left somebody behind who has the terminal")
	}
	return x.cmd.ProcessState.ExitCode()
}

func (x *Terminal) close() {
	_ = syscall.Kill(-x.cmd.Process.Pid, syscall.SIGKILL)
	_ = x.wait()
	if x.t.Failed() {
		x.t.Logf("%v; the screen is:\n%s", x.cmd.Args, x.Screen().Text())
	}
	_ = x.person.Close()
}
