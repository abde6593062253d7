package term

import (
	"strings"
	"testing"
)

const glyphs = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func TestBig(t *testing.T) {
	s := New(&terminal{columns: 40, rows: 24}, noEnv)
	want := "" +
		"█   █ █▀▄   █ █▀▄     █▄ ▄█   █ █ █ ▀█▀\n" +
		"█ █ █ █ █   █ █▀▄ ▀▀▀ █ █ █   █ █▀█  █\n" +
		"█▀ ▀█ █▄▀ ▀▄▀ █▄▀     █   █ ▀▄▀ █ █  █"
	if got := strings.Join(s.Big("WDJB-MJHT"), "\n"); got != want {
		t.Errorf("drawn:\n%s\nwant:\n%s", got, want)
	}
	for _, code := range []string{"", "wdjb", "AB CD", "ÄB", "A\x1b", "WWWW-WWWW"} {
		if got := s.Big(code); got != nil {
			t.Errorf("%q is drawn:\n%s", code, strings.Join(got, "\n"))
		}
	}
	if New(&terminal{columns: 40, rows: 24}, environment("LC_ALL=C")).Big("AB") != nil || New(&strings.Builder{}, noEnv).Big("AB") != nil {
		t.Error("drawn where it cannot be")
	}
}

// Characters that people take for one another look different.
func TestGlyphsDiffer(t *testing.T) {
	seen := map[string]rune{}
	for _, r := range glyphs {
		rows := strings.Fields(glyph(r))
		if len(rows) != 2*bigRows {
			t.Fatalf("%c has %d rows", r, len(rows))
		}
		for _, row := range rows {
			if len(row) != len(rows[0]) || strings.Trim(row, "#.") != "" {
				t.Errorf("%c has the row %q", r, row)
			}
		}
		if other, ok := seen[glyph(r)]; ok {
			t.Errorf("%c and %c are alike", other, r)
		}
		seen[glyph(r)] = r
	}
}
