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
	for _, c := range []struct {
		color    bool
		shade    Shade
		drawDark bool // what is drawn is dark
	}{{true, Unknown, true}, {true, Light, true}, {false, Unknown, false}, {false, Dark, false}, {false, Light, true}} {
		color := c.color
		lines := q.Lines(color, c.shade)
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
					got := drawn(t, cell, half) == c.drawDark
					if got != want.Black(x, y) {
						t.Errorf("%+v: module (%d, %d) is dark: %v, want %v", c, x, y, got, want.Black(x, y))
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
		name    string
		w       *terminal
		env     map[string]string
		text    string
		options QROptions
		want    string // why not
	}{
		{"fits exactly", &terminal{columns: columns, rows: rows + 4}, nil, link, QROptions{Spare: 4}, ""},
		{"too narrow", &terminal{columns: columns - 1, rows: rows + 4}, nil, link, QROptions{Always: true}, "it takes 33 columns, and the window has 32"},
		{"too low", &terminal{columns: columns, rows: rows + 3}, nil, link, QROptions{Spare: 4}, "it takes 21 lines, and the window has 20"},
		{"too low, and wanted", &terminal{columns: columns, rows: rows + 3}, nil, link, QROptions{Spare: 4, Always: true}, ""},
		{"dumb", &terminal{columns: 80, rows: 50}, map[string]string{"TERM": "dumb"}, link, QROptions{}, "this terminal shows plain text only"},
		{"locale without blocks", &terminal{columns: 80, rows: 50}, map[string]string{"LC_ALL": "C"}, link, QROptions{}, "this terminal has no block characters, as its locale is not UTF-8"},
		{"locale with blocks", &terminal{columns: 80, rows: 50}, map[string]string{"LANG": "de_DE.utf8"}, link, QROptions{}, ""},
		{"no text is that long", &terminal{columns: 9999, rows: 9999}, nil, strings.Repeat("x", 5000), QROptions{}, "the link is too long for one"},
	} {
		s := New(c.w, func(name string) string { return c.env[name] })
		lines, err := s.QRCode(c.text, c.options)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want || (lines == nil) != (err != nil) {
			t.Errorf("%s: %d lines, %q, want %q", c.name, len(lines), got, c.want)
		}
	}
	if _, err := New(&strings.Builder{}, noEnv).QRCode(link, QROptions{}); err == nil {
		t.Error("shown on what is no terminal")
	}
	plain, err := New(&terminal{columns: 80, rows: 50}, func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] }).QRCode(link, QROptions{})
	if err != nil || strings.Contains(strings.Join(plain, ""), "\x1b") {
		t.Errorf("NO_COLOR: %q, %v, want a code without escapes", plain, err)
	}
}
