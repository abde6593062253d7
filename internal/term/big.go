package term

import "strings"

// bigRows is how many rows a large character takes, of two pixels each.
const bigRows = 3

// Big is code drawn large, in three lines, or nil where it cannot be: it is too
// wide, or has other characters than capital letters, digits and dashes. Small
// letters are not drawn as capitals, since they may differ from them.
func (s *Screen) Big(code string) []string {
	if !s.CanLive() || !s.utf8 || code == "" {
		return nil
	}
	var lines [bigRows]strings.Builder
	width := 0
	for i, r := range code {
		pixels := strings.Fields(glyph(r))
		if len(pixels) != 2*bigRows {
			return nil
		}
		if i > 0 {
			width++
			for row := range lines {
				lines[row].WriteByte(' ')
			}
		}
		width += len(pixels[0])
		for row := range lines {
			for x := range pixels[0] {
				lines[row].WriteRune(block(pixels[2*row][x] == '#', pixels[2*row+1][x] == '#'))
			}
		}
	}
	if width > s.Columns() {
		return nil
	}
	var big []string
	for row := range lines {
		big = append(big, strings.TrimRight(lines[row].String(), " "))
	}
	return big
}

// glyph is a character in pixels, row by row; empty if there is none. They are
// narrow, so that a usual code fits on a phone, and no two are alike: 0 has a
// stroke, 8 is rounder than B, and 1 has a foot.
func glyph(r rune) string {
	switch r {
	case '-':
		return "... ... ### ... ... ..."
	case '0':
		return ".##. #..# #.## ##.# #..# .##."
	case '1':
		return ".#. ##. .#. .#. .#. ###"
	case '2':
		return "##. ..# ..# .#. #.. ###"
	case '3':
		return "##. ..# .#. ..# ..# ##."
	case '4':
		return "#.# #.# ### ..# ..# ..#"
	case '5':
		return "### #.. ##. ..# ..# ##."
	case '6':
		return ".## #.. ### #.# #.# ###"
	case '7':
		return "### ..# ..# .#. .#. .#."
	case '8':
		return ".#. #.# .#. #.# #.# .#."
	case '9':
		return "### #.# ### ..# ..# ##."
	case 'A':
		return ".#. #.# #.# ### #.# #.#"
	case 'B':
		return "##. #.# ##. #.# #.# ##."
	case 'C':
		return ".## #.. #.. #.. #.. .##"
	case 'D':
		return "##. #.# #.# #.# #.# ##."
	case 'E':
		return "### #.. ##. #.. #.. ###"
	case 'F':
		return "### #.. ##. #.. #.. #.."
	case 'G':
		return ".### #... #... #.## #..# .###"
	case 'H':
		return "#.# #.# ### #.# #.# #.#"
	case 'I':
		return "### .#. .#. .#. .#. ###"
	case 'J':
		return "..# ..# ..# ..# #.# .#."
	case 'K':
		return "#.# #.# ##. ##. #.# #.#"
	case 'L':
		return "#.. #.. #.. #.. #.. ###"
	case 'M':
		return "#...# ##.## #.#.# #.#.# #...# #...#"
	case 'N':
		return "#..# ##.# ##.# #.## #.## #..#"
	case 'O':
		return ".##. #..# #..# #..# #..# .##."
	case 'P':
		return "##. #.# #.# ##. #.. #.."
	case 'Q':
		return ".##. #..# #..# #..# #.#. .#.#"
	case 'R':
		return "##. #.# #.# ##. #.# #.#"
	case 'S':
		return ".## #.. .#. ..# ..# ##."
	case 'T':
		return "### .#. .#. .#. .#. .#."
	case 'U':
		return "#.# #.# #.# #.# #.# ###"
	case 'V':
		return "#.# #.# #.# #.# .#. .#."
	case 'W':
		return "#...# #...# #.#.# #.#.# ##.## #...#"
	case 'X':
		return "#.# #.# .#. .#. #.# #.#"
	case 'Y':
		return "#.# #.# #.# .#. .#. .#."
	case 'Z':
		return "### ..# .#. .#. #.. ###"
	}
	return ""
}
