package term

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// terminal is a terminal of a certain size.
type terminal struct {
	bytes.Buffer
	columns, rows int
}

func (t *terminal) Size() (columns, rows int) { return t.columns, t.rows }

func noEnv(string) string { return "" }

func TestLiveLineIsErased(t *testing.T) {
	w := &terminal{columns: 10, rows: 5}
	s := New(w, noEnv)
	s.Live("one")
	s.Live("one") // nothing new, nothing written
	s.Live("longer than the line")
	fmt.Fprintln(s, "said")
	s.Live("two")
	s.Erase()
	s.Erase()
	const erase = "\r\x1b[K"
	want := erase + "one" + erase + "longer th" + erase + "said\n" + erase + "two" + erase
	if diff := cmp.Diff(want, w.String()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

// What is said after Ctrl-C does not stand behind the ^C that the terminal shows.
func TestLinesBeginBelowAnInterrupt(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*Screen)
		want string
	}{
		{"nothing is drawn", (*Screen).Interrupted, "\nsaid\nand\n"},
		{"a keyboard shows none", func(s *Screen) { s.reads(1); s.Interrupted(); s.reads(-1) }, "said\nand\n"},
		{"no more keyboard", func(s *Screen) { s.reads(1); s.reads(-1); s.Interrupted() }, "\nsaid\nand\n"},
		{"erased with what is drawn", func(s *Screen) { s.Live("x"); s.Interrupted() }, "\r\x1b[Kx\r\x1b[Ksaid\nand\n"},
		{"a question ends its line", func(s *Screen) {
			s.Plain()
			s.Interrupted()
			s.unask("Well? ", "", false)
		}, "\nsaid\nand\n"},
	} {
		f := &terminal{columns: 20, rows: 24}
		s := New(f, noEnv)
		tt.do(s)
		_, _ = io.WriteString(s, "said\n")
		_, _ = io.WriteString(s, "and\n")
		if got := f.String(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	var b strings.Builder
	s := New(&b, noEnv)
	s.Interrupted()
	if _, _ = io.WriteString(s, "said\n"); b.String() != "said\n" {
		t.Errorf("where no terminal is: %q", b.String())
	}
}

func TestNoEscapesWithoutTerminal(t *testing.T) {
	dumb := &terminal{columns: 80, rows: 24}
	pipe := &bytes.Buffer{}
	for name, s := range map[string]*Screen{
		"pipe": New(pipe, noEnv),
		"dumb": New(dumb, func(name string) string { return map[string]string{"TERM": "dumb"}[name] }),
	} {
		s.Live("live")
		fmt.Fprint(s, s.Bold("bold"))
		s.Erase()
		if s.CanLive() {
			t.Errorf("%s: can show a live line", name)
		}
	}
	if pipe.String() != "bold" || dumb.String() != "bold" {
		t.Errorf("written %q and %q, want the text alone", pipe, dumb)
	}
	if New(pipe, noEnv).Terminal() || !New(dumb, noEnv).Terminal() {
		t.Error("what is a terminal is mistaken")
	}
}

func TestTableFits(t *testing.T) {
	table := Table{
		Header: []string{"KEY", "STATE", "EXPIRES", "ACCOUNT"},
		Rows: [][]string{
			{"github/work", "active", "in 58 min", "acct-ab12cd"},
			{"ä", "needs login", "-", "-"},
		},
		Drop: []int{3, 2},
	}
	for _, c := range []struct {
		columns int
		want    []string
	}{
		{0, []string{
			"KEY          STATE        EXPIRES    ACCOUNT",
			"github/work  active       in 58 min  acct-ab12cd",
			"ä            needs login  -          -"}},
		{48, []string{
			"KEY          STATE        EXPIRES    ACCOUNT",
			"github/work  active       in 58 min  acct-ab12cd",
			"ä            needs login  -          -"}},
		{47, []string{
			"KEY          STATE        EXPIRES",
			"github/work  active       in 58 min",
			"ä            needs login  -"}},
		{10, []string{
			"KEY          STATE",
			"github/work  active",
			"ä            needs login"}},
	} {
		if diff := cmp.Diff(c.want, table.Lines(c.columns)); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", c.columns, diff)
		}
	}
}

func TestTableWrapsProse(t *testing.T) {
	table := Table{
		Header: []string{"SETTING", "SOURCE", "VALUE"},
		Rows: [][]string{
			{"title", "yours", "short"},
			{"note", "built in", "a sentence that is longer than what a narrow screen has room for"},
		},
		Drop: []int{1}, Prose: true,
	}
	for columns, want := range map[int][]string{
		0: {
			"SETTING  SOURCE    VALUE",
			"title    yours     short",
			"note     built in  a sentence that is longer than what a narrow screen has room for"},
		51: {
			"SETTING  SOURCE    VALUE",
			"title    yours     short",
			"note     built in  a sentence that is longer than\n" +
				"                   what a narrow screen has room\n" +
				"                   for"},
		41: {
			"SETTING  VALUE",
			"title    short",
			"note     a sentence that is longer than\n" +
				"         what a narrow screen has room\n" +
				"         for"},
		30: {
			"SETTING  VALUE",
			"title    short",
			"note     a sentence that is longer than what a narrow screen has room for"},
	} {
		if diff := cmp.Diff(want, table.Lines(columns)); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
	}
}

func TestCutKeepsRunesWhole(t *testing.T) {
	w := &terminal{columns: 4, rows: 5}
	New(w, noEnv).Live("äöüß")
	if !strings.HasSuffix(w.String(), "äöü") {
		t.Errorf("written %q, want the first three letters", w)
	}
}
