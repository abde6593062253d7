package term

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// drawing is a block on a terminal of its own.
type drawing struct {
	t *testing.T
	w *terminal
	s *Screen
	b *Block
}

func newDrawing(t *testing.T, columns, rows int) *drawing {
	w := &terminal{columns: columns, rows: rows}
	s := New(w, noEnv)
	return &drawing{t, w, s, s.NewBlock()}
}

// set sets lines, which must write want.
func (d *drawing) set(want string, lines ...string) {
	d.t.Helper()
	d.wrote(want, func() { d.b.Set(lines) })
}

func (d *drawing) wrote(want string, do func()) {
	d.t.Helper()
	d.w.Reset()
	do()
	if diff := cmp.Diff(want, d.w.String()); diff != "" {
		d.t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestBlockWritesOnlyWhatChanged(t *testing.T) {
	d := newDrawing(t, 10, 10)
	d.set("one\r\ntwo\r\nthree\r", "one", "two", "three")
	d.set("", "one", "two", "three")
	d.set("\x1b[1A\rTWO\x1b[K\x1b[1B\r", "one", "TWO", "three")
	d.set("\rTHREE\x1b[K\r", "one", "TWO", "THREE")
	d.set("\x1b[2A\r1\x1b[K\x1b[2B\r3\x1b[K\r", "1", "TWO", "3")
	// A line that fills its row: there is nothing behind it to clear.
	d.set("\r0123456789\r", "1", "TWO", "0123456789")
	d.set("\r\n+\r", "1", "TWO", "0123456789", "+")
	d.set("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r\x1b[1A", "1", "TWO")
	d.wrote("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r", d.b.Erase)
	d.wrote("", d.b.Erase)
	d.set("again\r", "again")
}

// A line that wraps is drawn again only if it changes.
func TestBlockLeavesWrappedLinesAlone(t *testing.T) {
	link := "https://op.example/" // two rows of ten columns
	d := newDrawing(t, 10, 10)
	d.set("a\r\n"+link+"\r\nb\r", "a", link, "b")
	d.set("\rc\x1b[K\r", "a", link, "c")
	d.set("\x1b[3A\rd\x1b[K\x1b[3B\r", "d", link, "c")
	d.set("\x1b[2A\rhttps://op.example\x1b[K\x1b[1B\r", "d", link[:18], "c")
	// One row less: all that follows moves.
	d.set("\x1b[2A\r\x1b[K\x1b[C\x1b[J\rshort\r\nc\r", "d", "short", "c")
	d.set("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r"+link+"\x1b[1A\r", "d", link)
	d.wrote("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r", d.b.Erase)
}

func TestBlockFindsItselfAfterResize(t *testing.T) {
	d := newDrawing(t, 20, 10)
	d.set("0123456789abcde\r\nlast\r", "0123456789abcde", "last")
	d.w.columns = 10
	d.set("\x1b[2A\r\x1b[K\x1b[C\x1b[J\r0123456789abcde\r\nlast\r", "0123456789abcde", "last")
	d.w.columns = 20
	d.wrote("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r", d.b.Erase)
	// Where the terminal cuts lines off, they take the rows that they took.
	d.s.reflows = false
	d.set("0123456789abcde\r\nlast\r", "0123456789abcde", "last")
	d.w.columns = 10
	d.set("\x1b[1A\r\x1b[K\x1b[C\x1b[J\rshort\r", "short")
}

// What has scrolled away is not reached any more.
func TestBlockIsHigherThanTheWindow(t *testing.T) {
	d := newDrawing(t, 10, 3)
	d.set("1\r\n2\r\n3\r\n4\r\n5\r", "1", "2", "3", "4", "5")
	d.set("\x1b[2A\rC\x1b[K\x1b[2B\r", "A", "B", "C", "4", "5")
	d.w.rows = 4
	d.set("\x1b[2A\r\x1b[K\x1b[C\x1b[J\rB\r\nC\r\n4\r\n5\r", "A", "B", "C", "4", "5")
	d.wrote("\x1b[3A\r\x1b[K\x1b[C\x1b[J\r", d.b.Erase)
}

func TestTextGoesAboveTheBlock(t *testing.T) {
	d := newDrawing(t, 10, 10)
	d.set("a\r\nb\r", "a", "b")
	d.wrote("\x1b[1A\r\x1b[K\x1b[C\x1b[J\rsaid\na\r\nb\r", func() { fmt.Fprintln(d.s, "said") })
	d.wrote("\x1b[1A\r\x1b[K\x1b[C\x1b[J\rasked? ", func() { fmt.Fprint(d.s, "asked? ") })
	d.set("a\r\nb\r", "a", "b")
	d.wrote("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r\r\x1b[Klive", func() { d.s.Live("live") })
	d.set("\r\x1b[Ka\r", "a")
	d.wrote("\r\x1b[K\x1b[C\x1b[J\r", d.s.Erase)
}

func TestHiddenBlock(t *testing.T) {
	d := newDrawing(t, 10, 10)
	d.set("a\r\nb\r", "a", "b")
	d.wrote("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r", func() { d.s.hide(true) })
	d.set("", "c")
	d.wrote("", func() { d.s.Live("live") })
	d.wrote("said\n", func() { fmt.Fprintln(d.s, "said") })
	d.set("", "d")
	d.wrote("d\r", d.s.unhide)
	d.wrote("", func() { d.s.hide(false) })
	d.wrote("d\r", d.s.unhide)
	d.wrote("", func() { d.s.hide(false) })
	d.wrote("", d.b.Erase)
	d.wrote("", d.s.unhide)
}

func TestPlainDrawsNothing(t *testing.T) {
	d := newDrawing(t, 80, 50)
	d.s.Plain()
	d.set("", "a")
	d.wrote("", func() { d.s.Live("live") })
	d.wrote("", d.b.Erase)
	for name, got := range map[string]string{
		"bold": d.s.Bold("x"), "faint": d.s.Faint("x"), "warn": d.s.Warn("x"), "link": d.s.Link("https://op.example/", "x"),
	} {
		if got != "x" {
			t.Errorf("%s: %q", name, got)
		}
	}
	d.wrote("", func() {
		if d.s.Copy("x") {
			t.Error("copied")
		}
	})
	if _, err := d.s.QRCode(link, QROptions{Always: true}); err == nil || d.s.Big("AB") != nil {
		t.Error("something is drawn")
	}
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "plain": 5, "äöü": 3, "日本語": 6, "한국": 4, "ｗｉｄｅ": 8, "😀!": 3, "e\u0301": 1, "\u1100\u1161\u11a8": 2,
		"ก็": 1, "…—“": 3, "█▀": 2, "\x1b[1mbold\x1b[0m": 4, "\x1b[38;5;16;48;5;231m▀\x1b[0m": 1,
		"\x1b]8;id=usher;https://x/\x1b\\here\x1b]8;;\x1b\\": 4, "\x1b]0;title\ax": 1, "\x1b[1": 0, "\x1b]8;": 0,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q: width %d, want %d", text, got, want)
		}
	}
	for i := range wide[1:] {
		if wide[i][0] > wide[i][1] || wide[i][1] >= wide[i+1][0] {
			t.Errorf("the table is out of order at %X", wide[i])
		}
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		line string
		want int
	}{
		{"", 1}, {"0123456789", 1}, {"0123456789a", 2}, {strings.Repeat("x", 20), 2}, {strings.Repeat("x", 21), 3},
		{"\x1b[1m0123456789\x1b[0m", 1}, {"123456789日", 2}, {strings.Repeat("日", 5), 1},
	} {
		if got := rowsOf(c.line, 10); got != c.want {
			t.Errorf("%q: %d rows, want %d", c.line, got, c.want)
		}
	}
}
