package terminal_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/e2e/terminal"
	"github.com/usherauth/usher/internal/term"
)

// TestBlockOnARealTerminal does at random what a login does with the block of
// lines that it shows: sets them, writes above them, resizes the window. The
// terminal must always show the lines, below all that was written, and nothing
// else. What may scroll away for good is what cannot be checked: the windows are
// high enough for the lines at each width.
func TestBlockOnARealTerminal(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			draw := newDrawing(t, rand.New(rand.NewPCG(seed, 1)))
			for range 40 {
				draw.step()
			}
			draw.erase()
			draw.want()
		})
	}
}

type drawing struct {
	t       *testing.T
	random  *rand.Rand
	term    *terminal.Terminal
	screen  *term.Screen
	block   *term.Block
	said    []string // lines above the block
	lines   []string // of the block, as set last
	history []string // what was done
}

func newDrawing(t *testing.T, random *rand.Rand) *drawing {
	x := terminal.New(t, terminal.Options{Columns: 40, Rows: 40, Before: []string{"before"}})
	screen := term.New(x, func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] })
	return &drawing{t: t, random: random, term: x, screen: screen, block: screen.NewBlock(), said: []string{"before"}}
}

func (d *drawing) step() {
	d.t.Helper()
	switch d.random.IntN(8) {
	case 0:
		columns, rows := 20+d.random.IntN(60), 40+d.random.IntN(10)
		d.did("resize to %d, %d", columns, rows)
		d.term.Resize(columns, rows)
		d.block.Set(d.lines)
	case 1:
		d.did("say")
		d.said = append(d.said, "said "+d.text())
		fmt.Fprintln(d.screen, d.said[len(d.said)-1])
	case 2:
		d.erase()
	case 3, 4:
		d.lines = nil
		for range 1 + d.random.IntN(5) {
			d.lines = append(d.lines, d.text())
		}
		d.did("set %q", d.lines)
		d.block.Set(d.lines)
	default:
		if len(d.lines) > 0 {
			d.lines = append([]string(nil), d.lines...)
			d.lines[d.random.IntN(len(d.lines))] = d.text()
			d.did("change to %q", d.lines)
			d.block.Set(d.lines)
		}
	}
	d.want()
}

func (d *drawing) erase() {
	d.did("erase")
	d.block.Erase()
	d.lines = nil
}

// text is a line of up to three rows, some of it wide, and some of it empty.
func (d *drawing) text() string {
	n := d.random.IntN(50)
	if d.random.IntN(3) == 0 {
		return strings.Repeat("日本", n/8) + strings.Repeat("x", n%8)
	}
	return strings.Repeat("abcdefghij", 5)[:n]
}

func (d *drawing) did(format string, args ...any) {
	d.history = append(d.history, fmt.Sprintf(format, args...))
}

// want checks what the terminal shows.
func (d *drawing) want() {
	d.t.Helper()
	want := append(append([]string{}, d.said...), d.lines...)
	got := d.term.Screen().Logical()
	for len(got) > 0 && got[len(got)-1] == "" {
		got = got[:len(got)-1]
	}
	for len(want) > 0 && want[len(want)-1] == "" {
		want = want[:len(want)-1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Fatalf("after\n%s\nthe terminal shows (-want +got):\n%s", strings.Join(d.history, "\n"), diff)
	}
}
