package terminal_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/e2e/terminal"
)

// shell starts a script in a terminal.
func shell(t *testing.T, script string, o terminal.Options) *terminal.Terminal {
	t.Helper()
	return terminal.Start(t, exec.Command("sh", "-c", script), o)
}

func shows(text string) func(*terminal.Screen) bool {
	return func(s *terminal.Screen) bool { return s.Contains(text) }
}

func TestScreen(t *testing.T) {
	t.Parallel()
	x := shell(t, `printf 'plain \033[1mbold\033[0m \033[38;5;16;48;5;231m\342\226\200\033[0m\n'
printf '\033]8;;https://op.example/\033\\here\033]8;;\033\\\n\033]52;c;YQ==\a\033[?2004hend'`,
		terminal.Options{Columns: 40, Rows: 5, Before: []string{"before"}})
	if code := x.Wait(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	s := x.Screen()
	if diff := cmp.Diff("before\nplain bold ▀\nhere\nend\n", s.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if c := s.Lines[1].Cells[6]; c.Text != "b" || c.Style != "bold" || c.Foreground != "" {
		t.Errorf("a bold cell: %+v", c)
	}
	if c := s.Lines[1].Cells[11]; c.Text != "▀" || c.Foreground != "16" || c.Background != "231" {
		t.Errorf("a cell in colour: %+v", c)
	}
	if diff := cmp.Diff(map[string]string{"https://op.example/": "here"}, s.Links()); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if s.Cursor.Row != 3 || s.Cursor.Column != 3 || !s.Bracketed || s.Alternate || len(s.Clipboard) != 1 || s.Clipboard[0] != "c;YQ==" {
		t.Errorf("the screen: cursor %+v, bracketed %v, clipboard %q", s.Cursor, s.Bracketed, s.Clipboard)
	}
}

// A line that is wider than the window is one when it is selected, at whatever
// width, and lines that scrolled away are still there.
func TestWrappedLinesStayOne(t *testing.T) {
	t.Parallel()
	link := "https://op.example/" + strings.Repeat("x", 60)
	x := shell(t, `echo one; echo `+link+`; echo two; stty size; read answer; stty size; echo three`,
		terminal.Options{Columns: 80, Rows: 5})
	x.Await("the link", shows("two 5 80"))
	for _, columns := range []int{40, 20, 120} {
		x.Resize(columns, 5)
		if got := x.Screen().Link("https://"); got != link {
			t.Errorf("at %d columns the link is %q", columns, got)
		}
	}
	x.Type("\n")
	x.Wait()
	s := x.Screen()
	if !strings.HasPrefix(s.All(), "one\nhttps://") || !s.Contains("5 120 three") || s.Base == 0 {
		t.Errorf("the screen, scrolled by %d:\n%s", s.Base, s.All())
	}
}

// What a program asks is answered in the order of its questions.
func TestQueriesAreAnswered(t *testing.T) {
	t.Parallel()
	const ask = `stty raw -echo; printf '\033]11;?\033\\\033[c'; dd bs=1 count=%s 2>/dev/null | od -An -c | tr -d ' \n'; stty sane`
	for theme, want := range map[string]string{
		terminal.Dark:  `033]11;rgb:1e1e/1e1e/1e1e033\033[?1;2c`,
		terminal.Light: `033]11;rgb:ffff/ffff/ffff033\033[?1;2c`,
	} {
		t.Run(theme, func(t *testing.T) {
			t.Parallel()
			x := shell(t, strings.Replace(ask, "%s", "32", 1), terminal.Options{Theme: theme})
			if x.Wait(); !strings.Contains(x.Output(), want) {
				t.Errorf("answered %q, want %q", x.Output(), want)
			}
		})
	}
}
