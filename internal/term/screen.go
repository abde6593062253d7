// Package term is what the command line knows about terminals: whether it
// writes to one, how large that is, one live line that is erased again, QR
// codes and tables that fit. Start with [New].
//
// The rules it serves: results go to standard output and nothing else does;
// talk goes to standard error; only what is of no use later goes to the
// terminal alone, and is erased. Only [Screen.Ask] waits for input.
package term

import (
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Screen is a writer that may be a terminal. It is safe for concurrent use.
type Screen struct {
	w     io.Writer
	size  func() (columns, rows int) // nil: not a terminal
	color bool
	utf8  bool
	dumb  bool

	mu   sync.Mutex
	live string // the live line that is shown
}

// Sized is a writer that is a terminal by its own word, such as a test's.
type Sized interface {
	io.Writer
	Size() (columns, rows int)
}

// New returns the screen that w is. It is a terminal if w is an *os.File that
// is one, or a [Sized]. The environment that getenv reads says what the
// terminal can do: TERM=dumb cannot move its cursor, NO_COLOR wants no colour,
// and a locale that names a charset other than UTF-8 has no block characters.
func New(w io.Writer, getenv func(string) string) *Screen {
	s := &Screen{w: w}
	switch w := w.(type) {
	case Sized:
		s.size = w.Size
	case *os.File:
		if fd := int(w.Fd()); term.IsTerminal(fd) {
			s.size = func() (int, int) {
				columns, rows, err := term.GetSize(fd)
				if err != nil || columns <= 0 || rows <= 0 {
					return 80, 24 // such as a serial line, which does not know
				}
				return columns, rows
			}
			enableEscapes(w)
		}
	}
	s.dumb = getenv("TERM") == "dumb"
	s.color = getenv("NO_COLOR") == ""
	s.utf8 = isUTF8(getenv)
	return s
}

// isUTF8 reports whether the locale allows for more than ASCII. Where nothing
// is set, as in many containers, the terminal at the far end decides, and today
// that is a UTF-8 one.
func isUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(getenv(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return true
}

// Terminal reports whether a person sees what is written, at once.
func (s *Screen) Terminal() bool { return s.size != nil }

// Columns is the width to fit into; 0 if there is none because s is not a
// terminal.
func (s *Screen) Columns() int {
	if s.size == nil {
		return 0
	}
	columns, _ := s.size()
	return columns
}

// CanLive reports whether [Screen.Live] shows anything.
func (s *Screen) CanLive() bool { return s.Terminal() && !s.dumb }

// Write writes p as lines above the live line, which is erased; the next
// [Screen.Live] brings it back.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
	return s.w.Write(p)
}

// Live shows text, one line, in place of the live line so far. It is cut to
// the width, since a wrapped line could not be erased. On anything but a
// terminal that can move its cursor it does nothing.
func (s *Screen) Live(text string) {
	if !s.CanLive() {
		return
	}
	if limit := s.Columns() - 1; len(text) > limit {
		text = cut(text, limit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == s.live {
		return
	}
	// What cannot be written is of no use later either.
	_, _ = io.WriteString(s.w, "\r\x1b[K"+text)
	s.live = text
}

// Erase removes the live line.
func (s *Screen) Erase() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
}

func (s *Screen) eraseLocked() {
	if s.live != "" {
		_, _ = io.WriteString(s.w, "\r\x1b[K")
		s.live = ""
	}
}

// Bold is text in bold, where that can be shown.
func (s *Screen) Bold(text string) string {
	if !s.Terminal() || s.dumb || !s.color {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// cut returns the first limit runes of text.
func cut(text string, limit int) string {
	runes := []rune(text)
	if limit < 0 {
		limit = 0
	}
	if len(runes) > limit {
		runes = runes[:limit]
	}
	return string(runes)
}
