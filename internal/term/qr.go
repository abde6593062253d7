package term

import (
	"errors"
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the light border, in modules. The standard asks for 4;
// readers are content with 2, and a terminal has few lines to give.
const quiet = 2

// blackOnWhite sets the two colours, as fixed entries of the 256-colour palette:
// themes redefine the first 16.
const blackOnWhite = "\x1b[38;5;16;48;5;231m"

// QR is a QR code to be drawn with half blocks, two modules to a character.
type QR struct{ code *qr.Code }

// NewQR encodes text at the lowest level of redundancy, which makes the
// smallest code: a screen does not get dirty.
func NewQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return QR{}, fmt.Errorf("encoding QR code: %w", err)
	}
	return QR{code}, nil
}

// Size is the room that the code takes, border included.
func (q QR) Size() (columns, rows int) {
	n := q.code.Size + 2*quiet
	return n, (n + 1) / 2
}

// Lines draws the code. In colour it is black on white whatever the terminal's
// own colours are. Without, the terminal is taken to be dark unless it is known
// to be light: what is drawn is light then, and dark on a light one.
func (q QR) Lines(color bool, shade Shade) []string {
	columns, rows := q.Size()
	drawDark := color || shade == Light
	lines := make([]string, 0, rows)
	for row := range rows {
		var b strings.Builder
		if color {
			b.WriteString(blackOnWhite)
		}
		for column := range columns {
			top := q.dark(column, 2*row) == drawDark
			bottom := q.dark(column, 2*row+1) == drawDark
			b.WriteRune(block(top, bottom))
		}
		if color {
			b.WriteString(reset)
		}
		lines = append(lines, b.String())
	}
	return lines
}

// dark reports whether the module is dark; the border is light.
func (q QR) dark(column, row int) bool { return q.code.Black(column-quiet, row-quiet) }

// block is the character whose halves are drawn or not.
func block(top, bottom bool) rune {
	switch {
	case top && bottom:
		return '█'
	case top:
		return '▀'
	case bottom:
		return '▄'
	default:
		return ' '
	}
}

// QROptions say how a QR code is to be shown.
type QROptions struct {
	// Spare is how many more lines must fit into the window.
	Spare int
	// Always shows the code although it does not fit into the height of the
	// window. One that is wider is not readable and never shown.
	Always bool
	// Shade is the background that it is drawn for, where there is no colour.
	Shade Shade
}

// QRCode returns the lines of a QR code of text. The error says in a few words
// why it cannot be shown here.
func (s *Screen) QRCode(text string, o QROptions) ([]string, error) {
	switch {
	case !s.Terminal():
		return nil, errors.New("this is no terminal")
	case s.dumb:
		return nil, errors.New("this terminal shows plain text only")
	case !s.utf8:
		return nil, errors.New("this terminal has no block characters, as its locale is not UTF-8")
	}
	q, err := NewQR(text)
	if err != nil {
		return nil, errors.New("the link is too long for one")
	}
	columns, rows := s.size()
	switch w, h := q.Size(); {
	case w > columns:
		return nil, fmt.Errorf("it takes %d columns, and the window has %d", w, columns)
	case h+o.Spare > rows && !o.Always:
		return nil, fmt.Errorf("it takes %d lines, and the window has %d", h+o.Spare, rows)
	}
	return q.Lines(s.color, o.Shade), nil
}
