// Package term is what the command line knows about terminals: whether it
// writes to one and how large that is, a live line or a [Block] of lines that is
// erased again, single keys, links, QR codes and tables that fit. Start with
// [New].
//
// The rules it serves: results go to standard output and nothing else does;
// talk goes to standard error; only what is of no use later goes to the
// terminal alone, and is erased. Only [Screen.Ask] and a [Keyboard] read.
package term

import (
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// eraseBelow erases everything from the beginning of a row on. The last step
// begins one column later: tmux takes erasing a whole window at once for the end
// of something that is worth keeping, and puts that into the scrollback.
const eraseBelow = "\x1b[K\x1b[C\x1b[J\r"

// Screen is a writer that may be a terminal. It is safe for concurrent use.
type Screen struct {
	w     io.Writer
	size  func() (columns, rows int) // nil: not a terminal
	color bool
	utf8  bool
	dumb  bool
	// reflows tells that the terminal fits wrapped lines to a new width.
	reflows bool
	getenv  func(string) string

	mu     sync.Mutex
	live   string // the live line that is shown
	block  *Block // the block that is shown
	hidden bool   // somebody else has the terminal; nothing is drawn
	keys   int    // keyboards, with which what is typed is not shown
	echoed bool   // the cursor stands behind what the terminal shows of what was typed
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
	s := &Screen{w: w, getenv: getenv}
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
	s.reflows = reflows(getenv)
	return s
}

// reflows reports whether the terminal fits wrapped lines to a new width, as
// most do. xterm, the console of Linux and GNU screen cut them off.
func reflows(getenv func(string) string) bool {
	if getenv("TMUX") != "" {
		return true
	}
	return getenv("STY") == "" && getenv("XTERM_VERSION") == "" && getenv("TERM") != "linux"
}

// Plain makes a terminal one that only gets lines of text: nothing is drawn,
// moved, erased, coloured or linked. It is called before anything is shown.
func (s *Screen) Plain() { s.dumb = true }

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

// Rows is the height to fit into; 0 if there is none because s is not a
// terminal.
func (s *Screen) Rows() int {
	if s.size == nil {
		return 0
	}
	_, rows := s.size()
	return rows
}

// CanLive reports whether [Screen.Live] shows anything.
func (s *Screen) CanLive() bool { return s.Terminal() && !s.dumb }

// Write writes p as lines above the block or live line that is shown. The block
// is drawn again below, the live line with the next [Screen.Live].
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.block
	s.eraseLocked()
	if s.echoed {
		s.echoed = false
		_, _ = io.WriteString(s.w, "\n")
	}
	n, err := s.w.Write(p)
	if b != nil && err == nil {
		s.block = b
		if len(p) > 0 && p[len(p)-1] == '\n' {
			b.draw()
		}
	}
	return n, err
}

// Interrupted tells that a person has typed Ctrl-C, which a terminal shows as ^C
// wherever its cursor is: the next [Screen.Write] begins on the line below. What is
// drawn is erased together with it, and a [Keyboard] keeps it from being shown.
func (s *Screen) Interrupted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.echoed = s.Terminal() && s.block == nil && s.live == "" && s.keys == 0
}

// reads counts the keyboards that read for s.
func (s *Screen) reads(more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys += more
}

// Live shows text, one line, in place of the live line or block so far. It is
// cut to the width, since a wrapped line could not be erased. On anything but a
// terminal that can move its cursor it does nothing.
func (s *Screen) Live(text string) {
	if !s.CanLive() {
		return
	}
	text = cut(text, s.Columns()-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == s.live || s.hidden {
		return
	}
	if s.block != nil {
		s.eraseLocked()
	}
	// What cannot be written is of no use later either.
	_, _ = io.WriteString(s.w, "\r\x1b[K"+text)
	s.live = text
}

// Erase removes the live line or block.
func (s *Screen) Erase() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
}

func (s *Screen) eraseLocked() {
	if s.live != "" && !s.hidden {
		_, _ = io.WriteString(s.w, "\r\x1b[K")
	}
	if s.block != nil && !s.hidden {
		s.block.erase()
	}
	s.live, s.block = "", nil
}

// hide stops drawing, since the terminal goes to somebody else. What is drawn is
// removed if it may still be written to.
func (s *Screen) hide(erase bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.block
	if erase {
		s.eraseLocked()
	}
	s.hidden, s.live, s.block = true, "", b
	if b != nil {
		b.drawn = nil
	}
}

// unhide draws again, below what the others have left.
func (s *Screen) unhide() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = false
	if s.block != nil {
		s.block.draw()
	}
}
