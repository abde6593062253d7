package term

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Width is the number of cells that text takes on one line. East Asian wide
// characters and emoji take two, combining marks and escape sequences none.
// Terminals differ on sequences that are joined into one character, which
// safetext does not let through.
func Width(text string) int {
	width := 0
	for piece := range cells(text) {
		width += piece.width
	}
	return width
}

// A cell is a piece of text that is drawn as one, and the width it takes.
type cell struct {
	text  string
	width int
}

// cells yields the pieces of text: escape sequences, which have no width, and
// characters.
func cells(text string) func(yield func(cell) bool) {
	return func(yield func(cell) bool) {
		for len(text) > 0 {
			n, width := escapeLength(text), 0
			if n == 0 {
				var r rune
				r, n = utf8.DecodeRuneInString(text)
				width = runeWidth(r)
			}
			if !yield(cell{text[:n], width}) {
				return
			}
			text = text[n:]
		}
	}
}

// escapeLength is the length of the escape sequence that text begins with, 0 if
// it begins with none. It knows those that this program writes: CSI, and OSC
// with its two ends.
func escapeLength(text string) int {
	switch {
	case strings.HasPrefix(text, "\x1b["):
		end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			return len(text)
		}
		return 2 + end + 1
	case strings.HasPrefix(text, "\x1b]"):
		end := strings.IndexAny(text[2:], "\a\x1b")
		switch {
		case end < 0:
			return len(text)
		case strings.HasPrefix(text[2+end:], "\x1b\\"):
			return 2 + end + 2
		}
		return 2 + end + 1
	}
	return 0
}

// runeWidth is the number of cells of a character.
func runeWidth(r rune) int {
	switch {
	case r < ' ' || r == 0x7f:
		return 0
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) || r >= 0x1160 && r <= 0x11ff:
		return 0 // the second half of a Hangul syllable joins the first one
	}
	i := sort.Search(len(wide), func(i int) bool { return wide[i][1] >= r })
	if i < len(wide) && wide[i][0] <= r {
		return 2
	}
	return 1
}

// wide are the characters that take two cells: East_Asian_Width W and F of
// Unicode 14, with the unassigned ones between them. A table of our own, since
// it needs no work when the program starts.
var wide = [...][2]rune{
	{0x1100, 0x115F}, {0x231A, 0x231B}, {0x2329, 0x232A}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0},
	{0x23F3, 0x23F3}, {0x25FD, 0x25FE}, {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267F, 0x267F},
	{0x2693, 0x2693}, {0x26A1, 0x26A1}, {0x26AA, 0x26AB}, {0x26BD, 0x26BE}, {0x26C4, 0x26C5},
	{0x26CE, 0x26CE}, {0x26D4, 0x26D4}, {0x26EA, 0x26EA}, {0x26F2, 0x26F3}, {0x26F5, 0x26F5},
	{0x26FA, 0x26FA}, {0x26FD, 0x26FD}, {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728},
	{0x274C, 0x274C}, {0x274E, 0x274E}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797},
	{0x27B0, 0x27B0}, {0x27BF, 0x27BF}, {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55},
	{0x2E80, 0x303E}, {0x3041, 0x3247}, {0x3250, 0x4DBF}, {0x4E00, 0xA4C6}, {0xA960, 0xA97C},
	{0xAC00, 0xD7A3}, {0xF900, 0xFAD9}, {0xFE10, 0xFE19}, {0xFE30, 0xFE6B}, {0xFF01, 0xFF60},
	{0xFFE0, 0xFFE6}, {0x16FE0, 0x18D08}, {0x1AFF0, 0x1B2FB}, {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF},
	{0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F265}, {0x1F300, 0x1F320}, {0x1F32D, 0x1F335},
	{0x1F337, 0x1F37C}, {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA}, {0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0},
	{0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F43E}, {0x1F440, 0x1F440}, {0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D},
	{0x1F54B, 0x1F54E}, {0x1F550, 0x1F567}, {0x1F57A, 0x1F57A}, {0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4},
	{0x1F5FB, 0x1F64F}, {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2}, {0x1F6D5, 0x1F6DF},
	{0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC}, {0x1F7E0, 0x1F7F0}, {0x1F90C, 0x1F93A}, {0x1F93C, 0x1F945},
	{0x1F947, 0x1F9FF}, {0x1FA70, 0x1FAF6}, {0x20000, 0x2EBE0}, {0x2F800, 0x2FA1D}, {0x30000, 0x3134A},
}

// rowsOf is how many rows of a window a line takes, 1 at least: the terminal
// breaks it wherever the next character does not fit.
func rowsOf(line string, columns int) int {
	rows, column := 1, 0
	for piece := range cells(line) {
		if column+piece.width > columns {
			rows++
			column = 0
		}
		column += piece.width
	}
	return rows
}

// cut returns the beginning of text that fits into columns.
func cut(text string, columns int) string {
	n, column := 0, 0
	for piece := range cells(text) {
		if column+piece.width > columns {
			break
		}
		column += piece.width
		n += len(piece.text)
	}
	return text[:n]
}
