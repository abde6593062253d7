package cli

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/usherauth/usher/internal/ptytest"
)

// openTerminal returns both ends of a new terminal: the one that a person has
// before them, and the one that a program writes to.
func openTerminal(t *testing.T, columns int) (person, program *os.File) {
	t.Helper()
	person, program = ptytest.Open(t, columns, 60)
	t.Cleanup(func() { _ = person.Close() })
	return person, program
}

// seat is a process whose terminal a person sits at. Its standard output is a
// pipe, as in $(usher token KEY).
type seat struct {
	*process
	person  *os.File
	columns int
	raw     *safeBuffer
}

// atTerminal starts the program in a session of its own, with a new terminal.
func (i *installation) atTerminal(columns int, args ...string) *seat {
	i.t.Helper()
	return i.seated(columns, exec.Command(self(i.t), args...))
}

func (i *installation) seated(columns int, cmd *exec.Cmd) *seat {
	i.t.Helper()
	person, program := openTerminal(i.t, columns)
	defer program.Close() // the child has it
	// A robot that runs these tests is not what they are about.
	cmd.Env = append([]string{"TERM=xterm", "LANG=C.UTF-8", "NO_COLOR=1", "CI="}, cmd.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	cmd.Stdin = program
	s := &seat{person: person, columns: columns, raw: &safeBuffer{}}
	s.process = i.launchAt(cmd, program)
	go func() { _, _ = io.Copy(watched{s.raw, person}, person) }()
	return s
}

// watched is what a terminal does with what is written to it: it shows it, and
// answers when it is asked what it is.
type watched struct {
	shown  io.Writer
	answer io.Writer
}

func (w watched) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("\x1b[c")) {
		_, _ = io.WriteString(w.answer, "\x1b[?62c")
	}
	return w.shown.Write(p)
}

// types has the person type text.
func (s *seat) types(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.person, text); err != nil {
		s.t.Fatal(err)
	}
}

// awaits waits until the person sees text, wherever its lines are broken.
func (s *seat) awaits(text string) {
	s.t.Helper()
	eventually(s.t, "the terminal shows "+text, func() bool {
		return strings.Contains(strings.Join(strings.Fields(s.screen()), " "), text)
	})
}

// screen is what the person sees.
func (s *seat) screen() string { return screenOf(s.raw.String(), s.columns) }

// escape is an escape sequence, with its number and its final character: a
// command to move or erase, and others that change no cell.
var escape = regexp.MustCompile(`^\x1b(?:\[\??(\d*)(?:;\d+)*([A-Za-z])|\][^\a\x1b]*(?:\a|\x1b\\))`)

// screenOf is what a terminal of so many columns shows after raw. It knows the
// escapes that this program uses.
func screenOf(raw string, columns int) string {
	lines, row, column := [][]rune{nil}, 0, 0
	for len(raw) > 0 {
		if found := escape.FindStringSubmatch(raw); found != nil {
			raw = raw[len(found[0]):]
			n, _ := strconv.Atoi(found[1])
			switch n = max(n, 1); found[2] {
			case "A":
				row = max(row-n, 0)
			case "B":
				row = min(row+n, len(lines)-1)
			case "K", "J":
				lines[row] = lines[row][:min(column, len(lines[row]))]
				if found[2] == "J" {
					lines = lines[:row+1]
				}
			}
			continue
		}
		if raw[0] == '\x1b' || !utf8.FullRuneInString(raw) {
			break // the rest is still to come
		}
		r, size := utf8.DecodeRuneInString(raw)
		raw = raw[size:]
		switch {
		case r == '\r':
			column = 0
			continue
		case r == '\n' || column == columns:
			row++
			if row == len(lines) {
				lines = append(lines, nil)
			}
		}
		if r == '\n' {
			continue // a terminal that is not raw sends \r before it
		}
		if column == columns {
			column = 0
		}
		for len(lines[row]) <= column {
			lines[row] = append(lines[row], ' ')
		}
		lines[row][column] = r
		column++
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// userCodes finds the codes of the sandbox.
var userCodes = regexp.MustCompile(`\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b`)

func TestScreenOf(t *testing.T) {
	for raw, want := range map[string]string{
		"one\r\ntwo\r\n":                       "one\ntwo\n",
		"abcdefg\r\nh":                         "abcde\nfg\nh\n",
		"abcde\r\nf":                           "abcde\nf\n",
		"a\r\nbcdefg\r\n\x1b[A\x1b[A\r\x1b[Jx": "a\nx\n",
		"abc▀\x1b[":                            "abc▀\n",
		"abc\xe2\x96":                          "abc\n",
		"abc\r\x1b[Kd":                         "d\n",
		"a\r\nb\r\nc\x1b[2A\rx\x1b[2B\ry":      "x\nb\ny\n",
		"\x1b[?2004h\x1b]52;c;eA==\aa\x1b]11;?\x1b\\\x1b[cb\x1b[1;33mc\x1b[0m": "abc\n",
	} {
		if got := screenOf(raw, 5); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
