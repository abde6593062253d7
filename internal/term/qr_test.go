package term

import (
	"strings"
	"testing"

	"rsc.io/qr"
)

const link = "http://127.0.0.1:9400/device?user_code=BCDF-GHJK"

// The modules that the drawn halves stand for must be those of the encoder,
// within a light border.
func TestQRLinesAreTheModules(t *testing.T) {
	want, err := qr.Encode(link, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	q, err := NewQR(link)
	if err != nil {
		t.Fatal(err)
	}
	for _, color := range []bool{true, false} {
		lines := q.Lines(color)
		columns, rows := q.Size()
		if len(lines) != rows {
			t.Fatalf("%d lines, Size says %d", len(lines), rows)
		}
		dark := 0
		for row, line := range lines {
			if color {
				body, ok := strings.CutPrefix(line, "\x1b[38;5;16;48;5;231m")
				body, end := strings.CutSuffix(body, "\x1b[0m")
				if !ok || !end {
					t.Fatalf("line %d does not set and reset both colours: %q", row, line)
				}
				line = body
			}
			if strings.Contains(line, "\x1b") {
				t.Fatalf("escape within line %d: %q", row, line)
			}
			cells := []rune(line)
			if len(cells) != columns {
				t.Fatalf("line %d has %d cells, want %d", row, len(cells), columns)
			}
			for column, cell := range cells {
				for half := range 2 {
					x, y := column-2, 2*row+half-2
					got := drawn(t, cell, half) == color
					if got != want.Black(x, y) {
						t.Errorf("colour %v: module (%d, %d) is dark: %v, want %v", color, x, y, got, want.Black(x, y))
					}
					if got {
						dark++
					}
				}
			}
		}
		if dark == 0 {
			t.Error("nothing is dark")
		}
	}
}

// drawn reports whether the upper (0) or lower (1) half of cell is drawn.
func drawn(t *testing.T, cell rune, half int) bool {
	t.Helper()
	switch cell {
	case '█':
		return true
	case '▀':
		return half == 0
	case '▄':
		return half == 1
	case ' ':
		return false
	}
	t.Fatalf("unexpected character %q", cell)
	return false
}

func TestScreenShowsQROnlyWhereItCan(t *testing.T) {
	q, err := NewQR(link)
	if err != nil {
		t.Fatal(err)
	}
	columns, rows := q.Size()
	for _, c := range []struct {
		name  string
		w     *terminal
		env   map[string]string
		text  string
		shown bool
	}{
		{"fits exactly", &terminal{columns: columns, rows: rows + 4}, nil, link, true},
		{"too narrow", &terminal{columns: columns - 1, rows: rows + 4}, nil, link, false},
		{"too low", &terminal{columns: columns, rows: rows + 3}, nil, link, false},
		{"dumb", &terminal{columns: 80, rows: 50}, map[string]string{"TERM": "dumb"}, link, false},
		{"locale without blocks", &terminal{columns: 80, rows: 50}, map[string]string{"LC_ALL": "C"}, link, false},
		{"locale with blocks", &terminal{columns: 80, rows: 50}, map[string]string{"LANG": "de_DE.utf8"}, link, true},
		{"no text is that long", &terminal{columns: 9999, rows: 9999}, nil, strings.Repeat("x", 5000), false},
	} {
		s := New(c.w, func(name string) string { return c.env[name] })
		if got := s.QR(c.text, 4) != nil; got != c.shown {
			t.Errorf("%s: shown %v, want %v", c.name, got, c.shown)
		}
	}
	if New(&strings.Builder{}, func(string) string { return "" }).QR(link, 0) != nil {
		t.Error("shown on what is no terminal")
	}
	plain := New(&terminal{columns: 80, rows: 50}, func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }).QR(link, 4)
	if plain == nil || strings.Contains(strings.Join(plain, ""), "\x1b") {
		t.Errorf("NO_COLOR: %q, want a code without escapes", plain)
	}
}
