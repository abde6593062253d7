package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/usherauth/usher/e2e/terminal"
)

// sizes are those of a phone, of a terminal as it opens, and of a large one.
var sizes = [][2]int{{40, 30}, {80, 24}, {120, 40}}

// kinds are the kinds of terminals that a login is shown on.
var kinds = []look{
	{name: "color", theme: terminal.Dark},
	{name: "nocolor", theme: terminal.Dark, bare: true},
	{name: "plain", theme: terminal.Dark, plain: true},
}

// onAllTerminals runs a test on terminals of all sizes and of some kinds.
func onAllTerminals(t *testing.T, kinds []look, test func(t *testing.T, l look)) {
	for _, size := range sizes {
		for _, l := range kinds {
			l.columns, l.rows = size[0], size[1]
			t.Run(fmt.Sprintf("%d columns, %s, %s", l.columns, l.name, l.theme), func(t *testing.T) {
				t.Parallel()
				test(t, l)
			})
		}
	}
}

// cancel is the key that gives up.
func (l look) cancel() string {
	if l.plain {
		return "\x03"
	}
	return "\x1b"
}

// wantPage checks what holds for every screen with a pending login: the link can
// be copied whole, it is the only line that is wider than the window, a phone
// reads it off the QR code, and what was there before is untouched.
func (x *seat) wantPage(s *terminal.Screen) {
	x.t.Helper()
	if got := s.Link("https://login.example/device?"); got != stageLink {
		x.t.Errorf("the link that is copied from the screen is %q, want %q", got, stageLink)
	}
	x.rowsBefore(s)
	if wide := tooWide(s); len(wide) > 0 {
		x.t.Errorf("beyond the width: %q", wide)
	}
	for address, text := range s.Links() {
		if address != stageLink || text != stageLink {
			x.t.Errorf("%q is a link to %s", text, address)
		}
	}
	if s.Alternate || len(s.Title) > 0 {
		x.t.Errorf("alternate screen: %v, titles: %q", s.Alternate, s.Title)
	}
}

// tooWide are the rows that the terminal had to wrap, but for those of the link.
func tooWide(s *terminal.Screen) (rows []string) {
	for _, line := range s.Window() {
		if line.Wrapped && !strings.HasSuffix(stageLink, line.Text) {
			rows = append(rows, line.Text)
		}
	}
	return rows
}

// wantQR checks that the QR code on the screen is the link. In colour it looks
// the same on any background.
func (x *seat) wantQR() {
	x.t.Helper()
	themes := []string{x.look.theme}
	if !x.look.bare {
		themes = []string{terminal.Dark, terminal.Light}
	}
	want := stageLink
	if x.look.plain {
		want = ""
	}
	for _, theme := range themes {
		if got := x.QR(theme, false); got != want {
			x.t.Errorf("a phone reads %q on a %s background, want %q", got, theme, want)
		}
	}
}

// wantEnd checks how a login ends: with an exit code and so many lines.
func (x *seat) wantEnd(name string, exit, lines int) {
	x.t.Helper()
	if code := x.Wait(); code != exit {
		x.t.Errorf("exit %d, want %d", code, exit)
	}
	s := x.Screen()
	x.keep(name, s)
	if x.look.plain { // which leaves all that it said
		return
	}
	x.wantLeft(lines)
	if s.Bracketed || s.Cursor.Column != 0 {
		x.t.Errorf("the terminal is left in another state: marks pastes: %v, cursor %+v", s.Bracketed, s.Cursor)
	}
}

// wantLeft checks that so many lines of ours are left, wrapped where they are too
// wide, and all that was there before.
func (x *seat) wantLeft(lines int) {
	x.t.Helper()
	left := x.left()
	whole := strings.Join(left, " ")
	if whole == "" || len(left) > lines+len(whole)/x.look.columns {
		x.t.Errorf("%d lines are left of it, want %d: %q", len(left), lines, left)
	}
}

func TestScreenOfPendingLogin(t *testing.T) {
	t.Parallel()
	light := []look{
		{name: "color", theme: terminal.Light},
		{name: "nocolor-light", theme: terminal.Light, bare: true},
	}
	onAllTerminals(t, append(light, kinds...), func(t *testing.T, l look) {
		x := sit(t, newStage(t, 900, 300), l)
		screen := x.sees(`1[45]:\d\d left|15 minutes left`)
		x.wantPage(screen)
		x.wantQR()
		x.keep("pending", screen)
		if !l.plain {
			x.Type("c")
			x.wantPage(x.sees("link copied"))
			if got := x.Screen().Clipboard; len(got) != 1 {
				t.Errorf("copied %q", got)
			}
		}
		x.Type(l.cancel())
		x.wantEnd("cancelled", exitInterrupted, 1)
		x.compare("pending")
	})
}

func TestScreenOfWaiting(t *testing.T) {
	t.Parallel()
	onAllTerminals(t, kinds, func(t *testing.T, l look) {
		s := newStage(t, 900, 2)
		x := sit(t, s, l)
		shows := func(name, pattern, plain string) {
			t.Helper()
			if l.plain {
				pattern = plain
			}
			screen := x.sees(pattern)
			x.wantPage(screen)
			x.keep(name, screen)
		}
		if !l.plain {
			shows("waiting", `checked [12] s ago`, "")
		}
		s.answers("slow_down")
		shows("throttled", "a slower pace: every 7 s", "a slower pace: every 7 s")
		s.fails(http.StatusServiceUnavailable)
		shows("trouble", `trying again in \d+ s`, "answers with errors, trying again")
		x.wantQR() // as it was: nothing has moved
		x.Type(l.cancel())
		x.wantEnd("cancelled", exitInterrupted, 1)
		x.compare("waiting")
	})
}

func TestScreenOfExpiry(t *testing.T) {
	t.Parallel()
	onAllTerminals(t, kinds, func(t *testing.T, l look) {
		s := newStage(t, 58, 2)
		x := sit(t, s, l)
		screen := x.sees("less than a minute left")
		x.wantPage(screen)
		x.keep("the last minute", screen)
		s.answers("expired_token")
		x.keep("expired", x.sees("Enter|Start over"))
		s.answers("authorization_pending")
		s.says("expires_in", 900)
		x.Type("\n")
		x.wantPage(x.sees(`1[45]:\d\d left|15 minutes left`))
		s.answers("access_denied")
		x.wantEnd("denied", exitDenied, 2)
		x.compare("expiry")
	})
}

func TestScreenOfSuccess(t *testing.T) {
	t.Parallel()
	onAllTerminals(t, kinds, func(t *testing.T, l look) {
		s := newStage(t, 900, 1)
		x := sit(t, s, l)
		x.wantPage(x.sees(`1[45]:\d\d left|15 minutes left`))
		s.answers("")
		x.wantEnd("authorized", exitOK, 1)
		x.compare("success")
	})
}

// A window that changes its size while a login is pending shows the page that a
// login in a window of that size begins with, once, and nothing else.
func TestScreenResized(t *testing.T) {
	t.Parallel()
	for _, l := range []look{
		{name: "color", theme: terminal.Dark},
		{name: "nocolor", theme: terminal.Light, bare: true},
	} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			stage, want := newStage(t, 900, 300), map[[2]int]string{}
			for _, size := range [][2]int{{40, 60}, {120, 60}, {60, 50}, {80, 60}} {
				l.columns, l.rows = size[0], size[1]
				x := sit(t, stage, l)
				want[size] = x.page(x.sees("left"))
				x.Type(l.cancel())
				x.Wait()
			}
			x := sit(t, stage, l) // 80 columns
			x.sees("left")
			for _, size := range [][2]int{{40, 60}, {120, 60}, {60, 50}, {40, 60}, {80, 60}} {
				x.Resize(size[0], size[1])
				x.wantPage(x.Await("the page at its new size", func(s *terminal.Screen) bool {
					return settled(s) && x.page(s) == want[size]
				}))
				x.wantQR()
			}
			x.Type(l.cancel())
			x.Wait()
			x.wantLeft(1)
		})
	}
}

// In a window that becomes too small for what it showed, some of that scrolls
// away, where nobody can erase it. What is to be seen is right all the same.
func TestScreenResizedToLittle(t *testing.T) {
	t.Parallel()
	x := sit(t, newStage(t, 900, 300), look{columns: 80, rows: 24, theme: terminal.Dark})
	x.sees("left")
	for _, size := range [][2]int{{40, 24}, {80, 12}, {40, 12}, {80, 24}} {
		x.Resize(size[0], size[1])
		s := x.seesPageOnce((*terminal.Screen).Text)
		if got := s.Link("https://login.example/device?"); got != stageLink || len(tooWide(s)) > 0 {
			t.Errorf("the link is %q, beyond the width is %q", got, tooWide(s))
		}
		x.rowsBefore(s)
	}
	x.Await("the QR code", func(*terminal.Screen) bool { return x.QR(terminal.Dark, false) == stageLink })
	x.Type("\x1b")
	if x.Wait(); x.Screen().Contains("Log in to") {
		t.Error("something of the page is left")
	}
}

// seesPageOnce waits until the page stands in that part of the screen once, and
// nothing of another width.
func (x *seat) seesPageOnce(part func(*terminal.Screen) string) *terminal.Screen {
	x.t.Helper()
	return x.Await("the page, once", func(s *terminal.Screen) bool {
		text := part(s)
		return settled(s) && len(tooWide(s)) == 0 &&
			strings.Count(text, "shows this code") == 1 && strings.Count(text, "Esc cancel") == 1
	})
}

// page is what is below the lines from before.
func (x *seat) page(s *terminal.Screen) string { return picture(s.Lines[x.rowsBefore(s):]) }
