package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/e2e/terminal"
)

var updateScreens = flag.Bool("screens.update", false, "write testdata/screens anew")

// A look is a kind of terminal that a person may have.
type look struct {
	name          string
	columns, rows int
	theme         string
	plain, bare   bool // --plain; NO_COLOR
}

// A seat is a person at a terminal, who has typed usher login.
type seat struct {
	*terminal.Terminal
	t      *testing.T
	look   look
	before []string // the lines that were there before
	album  strings.Builder
}

// sit logs in to the provider "Here" at a new terminal that has seen use.
func sit(t *testing.T, s *stage, l look) *seat {
	t.Helper()
	h := newHome(t)
	h.provide(s, "Here")
	return h.sit(l)
}

func (h *home) sit(l look) *seat {
	h.t.Helper()
	args := []string{"login", "here"}
	if l.plain {
		args = append(args, "--plain")
	}
	cmd := h.command(binary, args...)
	cmd.Env = append(cmd.Env, "TZ=UTC", "TERM_PROGRAM=WezTerm", "SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22")
	if l.bare {
		// Where the terminal takes too long to tell its background, this does.
		background := map[string]string{terminal.Dark: "15;0", terminal.Light: "0;15"}[l.theme]
		cmd.Env = append(cmd.Env, "NO_COLOR=1", "COLORFGBG="+background)
	}
	x := &seat{t: h.t, look: l}
	for i := range l.rows + 5 {
		x.before = append(x.before, fmt.Sprintf("line %d of what was there before", i+1))
	}
	x.before = append(x.before, "$ usher login here")
	onHost(h.t, "workstation", func() {
		x.Terminal = terminal.Start(h.t, cmd, terminal.Options{
			Columns: l.columns, Rows: l.rows, Theme: l.theme, Before: x.before,
		})
	})
	return x
}

// onHost calls start on a machine of that name, as far as the processes that it
// starts can tell: who asks for a login is on every screen. It takes root.
func onHost(t *testing.T, name string, start func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		defer close(done)      // also when start ends the test's goroutine
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
			done <- fmt.Errorf("giving the machine another name takes root: %w", err)
			return
		}
		if err := unix.Sethostname([]byte(name)); err != nil {
			done <- err
			return
		}
		start()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// settled reports whether the page is drawn whole: the cursor is at its end.
func settled(s *terminal.Screen) bool {
	rows := strings.Count(s.Text(), "\n")
	return s.Cursor.Column == 0 && s.Cursor.Row <= rows && s.Cursor.Row >= rows-2
}

// sees waits until the page has what matches pattern, and returns the screen.
func (x *seat) sees(pattern string) *terminal.Screen {
	x.t.Helper()
	match := regexp.MustCompile(pattern).MatchString
	return x.Await(pattern, func(s *terminal.Screen) bool {
		return (x.look.plain || settled(s)) && match(strings.Join(strings.Fields(s.Text()), " "))
	})
}

// changing is what differs from one run to the next; what replaces it is as wide.
var changing = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\b1[45]:\d\d left`), "14:59 left"},
	{regexp.MustCompile(`\b0:\d\d\b`), "0:54"},
	{regexp.MustCompile(`checked \d s ago`), "checked 1 s ago"},
	{regexp.MustCompile(`trying again in \d+ s$`), "trying again in 5 s"},
	{regexp.MustCompile(`^(again )?in \d+ s$`), "${1}in 5 s"},
	{regexp.MustCompile(`at \d\d:\d\d\b`), "at 12:00"},
	{regexp.MustCompile(`acct-[a-z0-9]{6}`), "acct-ab12cd"},
}

// keep puts what is on the screen below the lines from before into the album.
func (x *seat) keep(name string, s *terminal.Screen) {
	x.t.Helper()
	page := picture(s.Lines[x.rowsBefore(s):])
	if x.look.plain { // it says once when it tries again, if that is known by then
		page = strings.ReplaceAll(page, "trying again\n", "trying again in 5 s\n")
	}
	fmt.Fprintf(&x.album, "-- %s --\n%s", name, page)
}

// compare compares the album with the file name of testdata/screens.
func (x *seat) compare(name string) {
	x.t.Helper()
	path := filepath.Join("testdata", "screens", fmt.Sprintf("%s-%d-%s.txt", name, x.look.columns, x.look.name))
	if *updateScreens {
		if err := os.WriteFile(path, []byte(x.album.String()), 0o644); err != nil {
			x.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		x.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), x.album.String()); diff != "" {
		x.t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// rowsBefore checks that what was on the terminal before is there unchanged, and
// returns how many rows it takes.
func (x *seat) rowsBefore(s *terminal.Screen) int {
	x.t.Helper()
	rows, logical := 0, s.Logical()
	for i, want := range x.before {
		if i >= len(logical) || logical[i] != want {
			x.t.Fatalf("line %d from before has changed:\n%s", i+1, s.All())
		}
		rows += (len(want)-1)/s.Columns + 1
	}
	return rows
}

// left is what of ours the terminal shows in the end, as lines that may be
// wrapped. Everything else must be as it was before.
func (x *seat) left() []string {
	x.t.Helper()
	s := x.Screen()
	x.rowsBefore(s)
	lines := s.Logical()[len(x.before):]
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// picture is lines as text, and how they are drawn.
func picture(lines []terminal.Line) string {
	var text strings.Builder
	var styles []string
	first := 0 // of the lines that are drawn as the one before
	for i, line := range lines {
		text.WriteString(strings.TrimRight(unchanging(line.Text), " ") + "\n")
		how := strings.Join(runs(line.Cells), "; ")
		if n := len(styles); n > 0 && i > 0 && how != "" && strings.HasSuffix(styles[n-1], ": "+how) {
			styles[n-1] = fmt.Sprintf("%d-%d: %s", first+1, i+1, how)
		} else if first = i; how != "" {
			styles = append(styles, fmt.Sprintf("%d: %s", i+1, how))
		}
	}
	out := strings.TrimRight(text.String(), "\n") + "\n"
	if len(styles) > 0 {
		out += "======== line: how its columns are drawn\n" + strings.Join(styles, "\n") + "\n"
	}
	return out
}

// unchanging is text with what changes from run to run replaced.
func unchanging(text string) string {
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.by)
	}
	return text
}

// runs are the neighbouring cells that are drawn alike and not like plain text.
func runs(cells []terminal.Cell) (out []string) {
	for start := 0; start < len(cells); {
		how := drawn(cells[start])
		end := start + 1
		for end < len(cells) && drawn(cells[end]) == how {
			end++
		}
		if how != "" {
			out = append(out, fmt.Sprintf("%d-%d %s", start+1, end, how))
		}
		start = end
	}
	return out
}

func drawn(c terminal.Cell) string {
	var how []string
	if c.Style != "" {
		how = append(how, c.Style)
	}
	if c.Foreground != "" || c.Background != "" {
		how = append(how, strings.TrimSuffix("color "+c.Foreground+" on "+c.Background, " on "))
	}
	if c.Link != "" {
		how = append(how, "link to "+c.Link)
	}
	return strings.Join(how, ", ")
}
