package term

import "strings"

// Wrap breaks the lines of text at blanks so that they fit into columns, 0 for
// no limit. What follows a break is indented as its line is. Words are never
// broken: half a link is no link.
func Wrap(text string, columns int) string {
	if columns <= 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = wrapLine(line, columns)
	}
	return strings.Join(lines, "\n")
}

func wrapLine(line string, columns int) string {
	if Width(line) <= columns {
		return line
	}
	words := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(words)]
	var b strings.Builder
	width := 0
	for i, word := range strings.Split(words, " ") {
		n := Width(word)
		switch {
		case i == 0:
			b.WriteString(indent)
			width = len(indent)
		case width+1+n > columns:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String()
}
