package term

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

// Block is several lines at the end of what is shown, which are drawn again as
// they change and erased when they are of no use any more. A screen shows one
// block or one live line at a time. It is safe for concurrent use.
//
// While a block is shown the cursor stands at the beginning of its last line.
// A terminal that fits its lines to a new width keeps the cursor in its line,
// whatever else moves, and so the block is found again.
type Block struct {
	s     *Screen
	lines []string // what is to be seen

	drawn         []string // what the terminal shows of it, without what scrolled away
	columns, rows int      // the window that it was drawn in
}

// NewBlock returns a block without lines. [Block.Set] draws it.
func (s *Screen) NewBlock() *Block { return &Block{s: s} }

// Set shows lines in place of those so far. It writes only what has changed, so
// that what the person has selected stays selected. A line that is wider than
// the window is left to the terminal to wrap, which keeps it one line for
// whoever selects it. When the window has another size, the next Set draws all
// lines anew.
//
// A block that is higher than the window scrolls out of it at the top, and what
// has scrolled away is not drawn again. On anything but a terminal that can move
// its cursor Set does nothing. Lines contain no line breaks, and foreign text in
// them has been through safetext.
func (b *Block) Set(lines []string) {
	if !b.s.CanLive() {
		return
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.block != b {
		b.s.eraseLocked()
		b.s.block = b
	}
	b.lines = slices.Clone(lines)
	b.draw()
}

// Erase removes the block and leaves the cursor where it began.
func (b *Block) Erase() {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if b.s.block == b {
		b.s.eraseLocked()
	}
}

// draw makes the terminal show the lines.
func (b *Block) draw() {
	if b.s.hidden {
		return
	}
	columns, rows := b.s.size()
	fitting := tail(b.lines, columns, rows)
	p := &pen{columns: columns}
	switch {
	case len(b.drawn) == 0:
		p.lines(b.lines)
	case columns == b.columns && rows == b.rows:
		p.replace(b.drawn, fitting)
	default:
		b.clear(p)
		p.lines(fitting)
	}
	b.drawn, b.columns, b.rows = fitting, columns, rows
	// What cannot be written is of no use later either.
	_, _ = io.WriteString(b.s.w, p.String())
}

// erase removes what is drawn.
func (b *Block) erase() {
	if len(b.drawn) > 0 {
		columns, _ := b.s.size()
		p := &pen{columns: columns}
		b.clear(p)
		_, _ = io.WriteString(b.s.w, p.String())
	}
	b.drawn = nil
}

// clear moves p to where the block begins and erases from there on. The window
// may have another width by now than when the block was drawn.
func (b *Block) clear(p *pen) {
	columns := p.columns
	if !b.s.reflows {
		columns = b.columns
	}
	p.to(-rowsOfAll(b.drawn[:len(b.drawn)-1], columns))
	p.WriteString(eraseBelow)
	p.row = 0
}

// tail is what of lines fits into the window, from the end; the last one in any
// case.
func tail(lines []string, columns, rows int) []string {
	first := len(lines)
	for first > 0 && (first == len(lines) || rowsOfAll(lines[first-1:], columns) <= rows) {
		first--
	}
	return lines[first:]
}

// rowsOfAll is how many rows the lines take.
func rowsOfAll(lines []string, columns int) (rows int) {
	for _, line := range lines {
		rows += rowsOf(line, columns)
	}
	return rows
}

// A pen draws lines and knows in which row it is.
type pen struct {
	strings.Builder
	columns int
	row     int  // of the cursor, as seen from where the pen began
	start   bool // the cursor is sure to be at the beginning of the row
}

// lines draws lines from the cursor on, and ends at the beginning of the last.
func (p *pen) lines(lines []string) {
	for i, line := range lines {
		if i > 0 {
			p.WriteString("\r\n")
			p.row++
		}
		p.write(line)
	}
	if len(lines) > 0 {
		p.to(p.row - rowsOf(lines[len(lines)-1], p.columns) + 1)
	}
}

// write writes a line, and ends wherever it does.
func (p *pen) write(line string) {
	p.WriteString(line)
	p.row += rowsOf(line, p.columns) - 1
	p.start = false
}

// replace draws lines in place of old ones. It begins and ends at the beginning
// of the last of them. Lines that take as many rows as the old ones did are
// rewritten if they differ; from the first other one on, all are.
func (p *pen) replace(old, lines []string) {
	p.row = rowsOfAll(old[:len(old)-1], p.columns)
	bottom := rowsOfAll(old, p.columns) - 1
	at := 0
	for i := 0; i < max(len(old), len(lines)); i++ {
		if i >= len(old) || i >= len(lines) || rowsOf(old[i], p.columns) != rowsOf(lines[i], p.columns) {
			p.below(at, bottom)
			p.lines(lines[min(i, len(lines)):])
			break
		}
		if old[i] != lines[i] {
			p.to(at)
			p.overwrite(lines[i])
		}
		at += rowsOf(lines[i], p.columns)
	}
	if len(lines) > 0 && p.Len() > 0 {
		p.to(rowsOfAll(lines[:len(lines)-1], p.columns))
	}
}

// below moves to row, of which everything is erased from there on. It may be the
// first one below the bottom, which the terminal has to make.
func (p *pen) below(row, bottom int) {
	if row > bottom {
		p.to(bottom)
		p.WriteString("\n")
		p.row++
		return
	}
	p.to(row)
	p.WriteString(eraseBelow)
}

// overwrite writes a line over one of as many rows.
func (p *pen) overwrite(line string) {
	p.write(line)
	// At the right edge the cursor stands on the last character.
	if width := Width(line); width == 0 || width%p.columns != 0 {
		p.WriteString("\x1b[K")
	}
}

// to moves to the beginning of row. The window's edges stop it.
func (p *pen) to(row int) {
	switch {
	case row < p.row:
		p.WriteString("\x1b[" + strconv.Itoa(p.row-row) + "A")
	case row > p.row:
		p.WriteString("\x1b[" + strconv.Itoa(row-p.row) + "B")
	}
	if !p.start {
		p.WriteString("\r")
	}
	p.row, p.start = row, true
}
