package cli

import (
	"strings"

	"github.com/usherauth/usher/internal/term"
)

// A canvas is what a page is laid out for: the size of the window, and what can
// be drawn in it.
type canvas struct {
	columns, rows int
	screen        *term.Screen // for styles
	big           []string     // the user code drawn large; nil: it cannot be
	qr            []string     // the QR code of the link; nil: none is shown
	qrAlways      bool         // even in a window that is too low for it
	noQR          string       // why there is none although it was asked for
}

// An arrangement is one way to lay out a page.
type arrangement struct {
	qr     bool
	beside bool // the words to the right of the QR code
	big    bool // the code drawn large
	airy   bool // empty lines between
	detail int
}

// The details of a page, each with those before it.
const (
	bare     = iota // link, code, and how it goes
	cautious        // what it is about, and the sentence against phishing
	whole           // who asked for what, and how to do without the link
)

// arrangements are in the order of preference. A window that is too low for one
// gets the next: what is given up first is the large code, then the QR code, then
// words. Link, code, how it goes and the keys always stay.
var arrangements = [...]arrangement{
	{qr: true, beside: true, big: true, airy: true, detail: whole},
	{qr: true, beside: true, big: true, detail: whole},
	{qr: true, beside: true, detail: whole},
	{qr: true, big: true, airy: true, detail: whole},
	{qr: true, airy: true, detail: whole},
	{qr: true, detail: whole},
	{big: true, airy: true, detail: whole},
	{airy: true, detail: whole},
	{detail: whole},
	{detail: cautious},
	{detail: bare},
}

// possible reports whether c has what the arrangement needs.
func (w arrangement) possible(c canvas) bool {
	switch {
	case w.qr && c.qr == nil, !w.qr && c.qr != nil && c.qrAlways:
		return false
	case w.big && c.big == nil:
		return false
	}
	return !w.beside || c.besideColumns() >= leastBeside
}

// Words beside a QR code need some room between, and enough of it to be readable.
const (
	gutter      = 2
	leastBeside = 36
)

// besideColumns is the room for words beside the QR code.
func (c canvas) besideColumns() int {
	if len(c.qr) == 0 {
		return 0
	}
	return c.columns - term.Width(c.qr[0]) - gutter
}

// lay returns the lines of the page in the best arrangement that fits.
func (p loginPage) lay(c canvas) []string {
	var lines []string
	for _, way := range arrangements {
		if !way.possible(c) {
			continue
		}
		s := sheet{columns: c.columns, airy: way.airy}
		p.arrange(&s, way, c)
		if !way.qr { // which has a border of its own
			s.gap()
		}
		p.layFoot(&s, way, c)
		lines = s.lines
		if !s.broken && s.rows() <= c.rows {
			break
		}
	}
	return lines
}

// arrange writes on s what stays as it is while the login is pending.
func (p loginPage) arrange(s *sheet, way arrangement, c canvas) {
	if way.beside {
		s.text(c.screen.Bold, p.title()+": "+p.openThis())
		p.layAsked(s)
		s.gap()
		p.layLink(s, c)
		s.gap()
		words := sheet{columns: c.besideColumns(), airy: true}
		p.layCode(&words, way, c)
		s.beside(c.qr, words)
	} else {
		if way.detail >= cautious {
			s.text(c.screen.Bold, p.title())
		}
		if way.detail >= whole {
			p.layAsked(s)
			s.gap()
			s.text(nil, capital(p.openThis())+":")
		}
		s.gap()
		p.layLink(s, c)
		s.gap()
		p.layCode(s, way, c)
		if way.qr {
			s.gap()
			s.raw(c.qr...)
		}
	}
}

// layFoot writes how the login goes, and what can be done about it. There is
// room for what may have to be told, so that the page stays as it is then.
func (p loginPage) layFoot(s *sheet, way arrangement, c canvas) {
	var style func(string) string
	if p.lastMinute() {
		style = c.screen.Warn
	}
	first := len(s.lines)
	s.text(style, p.live())
	for way.detail > bare && len(s.lines)-first < liveRows(s.columns) {
		s.raw("")
	}
	if len(p.keys) > 0 {
		s.text(c.screen.Faint, strings.Join(p.keys, "   "))
	}
}

// layAsked writes who asked for what. It stands before the link, so that nobody
// opens that without having seen it.
func (p loginPage) layAsked(s *sheet) {
	for _, text := range p.asked() {
		s.text(nil, text)
	}
}

// layLink writes the link, alone on its line, from the first column on and not
// wrapped, so that any terminal can select it whole.
func (p loginPage) layLink(s *sheet, c canvas) {
	link, err := p.link()
	if err != nil {
		s.text(c.screen.Warn, "warning: "+p.noLink(err))
		return
	}
	s.raw(c.screen.Link(link, link))
}

// layCode writes the user code, and how else to approve.
func (p loginPage) layCode(s *sheet, way arrangement, c canvas) {
	if code := p.code(); code != "" {
		if p.oddCode() {
			s.text(c.screen.Warn, "warning: the code is not made of letters and digits only; compare it with care")
		}
		s.text(func(line string) string {
			return strings.Replace(line, code, c.screen.Bold(code), 1)
		}, p.codeIs()+"  "+code)
	}
	if way.big {
		s.gap()
		s.raw(c.big...)
		s.gap()
	}
	if way.detail >= whole && p.elsewhere() != "" {
		s.text(nil, p.elsewhere())
	}
	if p.byCode() {
		s.text(nil, p.back())
	}
	if way.detail >= whole && p.tunnel != "" {
		s.gap()
		s.text(nil, tunnelIs)
		s.raw(p.tunnel)
	}
	if p.opened {
		s.gap()
		s.text(nil, "The link is open in a browser on this machine.")
	}
	if way.detail >= cautious {
		s.gap()
		s.text(nil, p.caution())
	}
	if c.noQR != "" {
		s.text(nil, c.noQR)
	}
}

// A sheet collects lines.
type sheet struct {
	columns int
	airy    bool
	lines   []string
	broken  bool // something is too wide or too high for where it stands
}

// text writes text, wrapped; style, unless nil, is put on each of its lines.
func (s *sheet) text(style func(string) string, text string) {
	for line := range strings.SplitSeq(term.Wrap(text, s.columns), "\n") {
		if style != nil {
			line = style(line)
		}
		s.raw(line)
	}
}

// raw writes lines as they are.
func (s *sheet) raw(lines ...string) { s.lines = append(s.lines, lines...) }

// gap writes an empty line where there is something to keep apart and room for it.
func (s *sheet) gap() {
	if n := len(s.lines); s.airy && n > 0 && s.lines[n-1] != "" {
		s.raw("")
	}
}

// beside writes words to the right of a picture.
func (s *sheet) beside(picture []string, words sheet) {
	s.broken = len(words.lines) > len(picture)
	for i, line := range picture {
		if i < len(words.lines) {
			s.broken = s.broken || term.Width(words.lines[i]) > words.columns
			line += strings.Repeat(" ", gutter) + words.lines[i]
		}
		s.raw(line)
	}
}

// rows is how much of the window the lines take: a terminal wraps those that are
// too wide.
func (s *sheet) rows() int {
	rows := 0
	for _, line := range s.lines {
		rows += 1 + max(term.Width(line)-1, 0)/s.columns
	}
	return rows
}

// capital is text with a capital letter at its beginning, which is ASCII.
func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
