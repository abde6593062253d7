package term

import (
	"slices"
	"strings"
)

// Table is rows of short texts under a header. Rows may be shorter than the
// header.
type Table struct {
	Header []string
	Rows   [][]string
	// Drop are the columns, by index, to leave out when the table is too wide,
	// the least important one first. Others are never left out, and nothing is
	// ever cut off: half a key is no key.
	Drop []int
	// Prose tells that the last column holds sentences. It is wrapped rather
	// than being the reason to leave others out.
	Prose bool
}

// proseWidth is the width that a column of sentences should have at least.
const proseWidth = 24

// Lines lays the table out for a width of columns, 0 for no limit. Lines have
// no trailing blanks.
func (t Table) Lines(columns int) []string {
	widths, last := t.widths(), len(t.Header)-1
	need := slices.Clone(widths)
	if t.Prose {
		need[last] = min(need[last], proseWidth)
	}
	hidden := map[int]bool{}
	for _, c := range t.Drop {
		if columns <= 0 || total(need, hidden) <= columns {
			break
		}
		hidden[c] = true
	}
	before := total(widths, hidden) - widths[last] // the columns before the last
	lines := make([]string, 0, len(t.Rows)+1)
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		var b strings.Builder
		for c, text := range row {
			if hidden[c] {
				continue
			}
			if t.Prose && c == last && columns-before >= proseWidth {
				text = strings.ReplaceAll(Wrap(text, columns-before), "\n", "\n"+strings.Repeat(" ", before))
				b.WriteString(text)
				continue
			}
			b.WriteString(text)
			b.WriteString(strings.Repeat(" ", widths[c]-Width(text)+gap))
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// gap is the space between two columns.
const gap = 2

func (t Table) widths() []int {
	widths := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for c, text := range row {
			widths[c] = max(widths[c], Width(text))
		}
	}
	return widths
}

func total(widths []int, hidden map[int]bool) int {
	n := -gap
	for c, w := range widths {
		if !hidden[c] {
			n += w + gap
		}
	}
	return n
}
