package terminal

import (
	"slices"
	"strings"
)

// A Screen is what a terminal shows at one moment.
type Screen struct {
	Columns, Rows int
	// Base is how many lines have scrolled out of the window.
	Base int
	// Cursor is where it stands in the window, from 0.
	Cursor struct{ Column, Row int }
	// Alternate tells that the program switched to the alternate screen, and
	// Bracketed that it asked for pastes to be marked.
	Alternate, Bracketed bool
	// Title are the titles that the program gave the window, and Clipboard what
	// it copied, as the text of OSC 52.
	Title, Clipboard []string
	// Lines are all rows, those that scrolled away first.
	Lines []Line
}

// A Line is a row of a screen.
type Line struct {
	Text    string // without blanks at the end
	Wrapped bool   // it goes on with the line above
	Cells   []Cell
}

// A Cell is a place on a screen.
type Cell struct {
	Text  string // empty if nothing was written there, or to the right of a wide one
	Width int
	// Foreground and Background are empty for the default colour, a number of the
	// palette, or #rrggbb.
	Foreground, Background string
	Style                  string // such as "bold underline"
	Link                   string // where it leads (OSC 8)
}

// Window are the lines that are to be seen.
func (s *Screen) Window() []Line { return s.Lines[s.Base:min(s.Base+s.Rows, len(s.Lines))] }

// Text is what is to be seen, without blanks at the ends of lines and empty
// lines at the end of the window.
func (s *Screen) Text() string { return text(s.Window()) }

// All is the same of all lines, with those that scrolled away.
func (s *Screen) All() string { return text(s.Lines) }

func text(lines []Line) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight(line.Text, " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// Logical are the lines as a program wrote them, and as a mouse copies them:
// rows that the terminal wrapped are one.
func (s *Screen) Logical() []string {
	var lines []string
	for _, line := range s.Lines {
		if line.Wrapped && len(lines) > 0 {
			lines[len(lines)-1] += line.Text
		} else {
			lines = append(lines, line.Text)
		}
	}
	return lines
}

// Link is the last line that begins with prefix, as a person selects it by
// clicking three times; empty if there is none.
func (s *Screen) Link(prefix string) string {
	for _, line := range slices.Backward(s.Logical()) {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

// Links are the addresses that cells lead to, and the text of those cells.
func (s *Screen) Links() map[string]string {
	links := map[string]string{}
	for _, line := range s.Lines {
		for _, cell := range line.Cells {
			if cell.Link != "" {
				links[cell.Link] += cell.Text
			}
		}
	}
	return links
}

// Contains reports whether text is to be seen, wherever its lines are broken.
func (s *Screen) Contains(text string) bool {
	return strings.Contains(strings.Join(strings.Fields(s.Text()), " "), text)
}
