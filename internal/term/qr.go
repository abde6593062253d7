package term

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the width of the light border, in modules. The standard asks for 4;
// readers are content with 2, and a terminal has few lines to give.
const quiet = 2

// The escapes of the two colours, as fixed entries of the 256-colour palette:
// themes redefine the first 16.
const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	reset        = "\x1b[0m"
)

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
// own colours are. Without, the terminal is taken to be light on dark; on
// others the code comes out inverted, which most readers understand too.
func (q QR) Lines(color bool) []string {
	columns, rows := q.Size()
	lines := make([]string, 0, rows)
	for row := range rows {
		var b strings.Builder
		if color {
			b.WriteString(blackOnWhite)
		}
		for column := range columns {
			top := q.dark(column, 2*row)
			bottom := q.dark(column, 2*row+1)
			if !color {
				top, bottom = !top, !bottom
			}
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

// QR returns the lines of a QR code of text, or none if it cannot be shown: s
// is not a terminal or cannot draw blocks, or the code and spare more lines do
// not fit.
func (s *Screen) QR(text string, spare int) []string {
	if !s.Terminal() || s.dumb || !s.utf8 {
		return nil
	}
	q, err := NewQR(text)
	if err != nil {
		return nil // too long; the link itself is shown in any case
	}
	columns, rows := s.size()
	if w, h := q.Size(); w > columns || h+spare > rows {
		return nil
	}
	return q.Lines(s.color)
}
