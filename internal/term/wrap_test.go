package term

import "testing"

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		columns    int
		text, want string
	}{
		{0, "no limit at all", "no limit at all"},
		{15, "it just fits in", "it just fits in"},
		{14, "it just fits in", "it just fits\nin"},
		{8, "two  blanks", "two \nblanks"},
		{10, "  an indented line", "  an\n  indented\n  line"},
		{10, "öffne mäßig", "öffne\nmäßig"},
		{10, "open https://example.com/d now", "open\nhttps://example.com/d\nnow"},
		{10, "one\n\nand the other", "one\n\nand the\nother"},
		{3, "", ""},
	} {
		if got := Wrap(c.text, c.columns); got != c.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}
