package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/safetext"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/provider"
)

// pageOf is a page of a usual login, nine minutes before its end.
func pageOf(change func(*loginPage)) loginPage {
	p := loginPage{
		provider: provider.Provider{Name: "github", Title: "GitHub", Note: "Read this."},
		login: api.Login{
			Key: "github/work", Method: api.MethodDevice, Origin: "ada@box", Scopes: []string{"repo", "user"},
			UserCode: "BCDF-GHJK", VerificationURI: "https://example.com/d",
			VerificationURIComplete: "https://example.com/d?user_code=BCDF-GHJK",
			CreatedAt:               noon.Local(), ExpiresAt: noon.Add(10 * time.Minute), Interval: 5,
		},
		now:  noon.Add(time.Minute),
		keys: []string{"o open", "c copy link", "Esc cancel"},
	}
	if change != nil {
		change(&p)
	}
	return p
}

// canvasOf is a window without styles, in which a QR code of 33 by 17 and a large
// code can be drawn.
func canvasOf(columns, rows int) canvas {
	f := &fakeTerminal{columns: columns, rows: rows}
	c := canvas{
		columns: columns, rows: rows, screen: term.New(f, func(string) string { return "" }),
		big: []string{"BIG 1", "BIG 2", "BIG 3"},
	}
	c.screen.Plain()
	for range 17 {
		c.qr = append(c.qr, strings.Repeat("#", 33))
	}
	if columns < 33 {
		c.qr = nil
	}
	return c
}

func TestPageBesideQRCode(t *testing.T) {
	got := strings.Join(pageOf(nil).lay(canvasOf(80, 24)), "\n") + "\n"
	picture := strings.Repeat("#", 33)
	at := noon.Local().Format("15:04")
	want := strings.ReplaceAll(`Log in to GitHub (github/work): open this link on any device
asked by ada@box at `+at+`, to get: repo user
note: Read this.
https://example.com/d?user_code=BCDF-GHJK
QR  It shows this code:  BCDF-GHJK
QR
QR  BIG 1
QR  BIG 2
QR  BIG 3
QR
QR  Or enter it at https://example.com/d
QR
QR  If you did not start this, press Esc.
QR
QR
QR
QR
QR
QR
QR
QR
waiting for approval, 9:00 left
o open   c copy link   Esc cancel
`, "QR", picture)
	if diff := cmp.Diff(want, strings.ReplaceAll(got, picture+"  \n", picture+"\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPageBelow(t *testing.T) {
	got := strings.Join(pageOf(nil).lay(canvasOf(40, 24)), "\n") + "\n"
	at := noon.Local().Format("15:04")
	want := `Log in to GitHub (github/work)
asked by ada@box at ` + at + `, to get: repo
user
note: Read this.

Open this link on any device:

https://example.com/d?user_code=BCDF-GHJK

It shows this code:  BCDF-GHJK

BIG 1
BIG 2
BIG 3

Or enter it at https://example.com/d

If you did not start this, press Esc.

waiting for approval, 9:00 left

o open   c copy link   Esc cancel
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is needed most stays longest, the link stands alone, and nothing but the
// link is wider than the window.
func TestPageFits(t *testing.T) {
	for name, change := range map[string]func(*loginPage){
		"device": nil,
		"joined": func(p *loginPage) { p.login.Attached = true },
		"without a complete link": func(p *loginPage) {
			p.login.VerificationURIComplete = ""
		},
		"code": func(p *loginPage) {
			p.login.Method, p.pasting = api.MethodCode, true
			p.login.AuthorizationURI = "https://example.com/authorize?" + strings.Repeat("x", 300)
			p.tunnel = "ssh -N -L 1234:127.0.0.1:1234 ada@box"
		},
	} {
		p := pageOf(change)
		link, err := p.link()
		if err != nil {
			t.Fatal(err)
		}
		for columns := 20; columns <= 130; columns += 5 {
			last := 0
			for rows := 4; rows <= 60; rows++ {
				lines := p.lay(canvasOf(columns, rows))
				at := fmt.Sprintf("%s, %d by %d", name, columns, rows)
				sheet := sheet{columns: columns, lines: lines}
				if n := sheet.rows(); n > rows && n > bareRows(p, columns) {
					t.Fatalf("%s: %d rows:\n%s", at, n, strings.Join(lines, "\n"))
				} else if n < last && rows > 30 {
					t.Fatalf("%s: %d rows, and %d in a lower window", at, n, last)
				} else {
					last = n
				}
				if !slices.Contains(lines, link) {
					t.Fatalf("%s: no link of its own:\n%s", at, strings.Join(lines, "\n"))
				}
				text := strings.Join(lines, " ")
				if !strings.Contains(text, "waiting for") || !strings.HasSuffix(text, "cancel") || p.code() != "" && !strings.Contains(text, p.code()) {
					t.Fatalf("%s: not all that is needed:\n%s", at, strings.Join(lines, "\n"))
				}
				for _, line := range lines {
					if term.Width(line) > columns && line != link && line != p.tunnel && strings.Contains(strings.TrimSpace(line), " ") {
						t.Fatalf("%s: too wide: %q", at, line)
					}
				}
			}
		}
	}
}

// A code that is none to compare is quoted once, and warned of where it stands: the
// link follows what says to open it.
func TestPageOfOddCode(t *testing.T) {
	p := pageOf(func(p *loginPage) {
		p.login.UserCode, _ = safetext.UserCode("AB\x1b[2J") // as it comes in
	})
	got := strings.Join(p.lay(canvasOf(100, 24)), "\n")
	for _, want := range []string{
		"\nnote: Read this.\nhttps://example.com/d?", "#  warning: the code is not made of letters and digits only;", `#  It shows this code:  "AB\u{1b}[2J"` + "\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if got := strings.Join(p.lay(canvasOf(40, 50)), "\n"); !strings.Contains(got, "any device:\n\nhttps://") || strings.Contains(got, `""`) {
		t.Errorf("the link does not follow, or the code is quoted twice:\n%s", got)
	}
}

// bareRows is how much the page takes at least.
func bareRows(p loginPage, columns int) int {
	s := sheet{columns: columns, lines: p.lay(canvas{columns: columns, screen: canvasOf(columns, 1).screen})}
	return s.rows()
}

// The order in which things are given up in a window of 80 columns.
func TestPageGivesUpInOrder(t *testing.T) {
	p := pageOf(nil)
	has := func(rows int, part string) bool {
		return strings.Contains(strings.Join(p.lay(canvasOf(80, rows)), "\n"), part)
	}
	least := func(part string) int {
		for rows := range 100 {
			if has(rows, part) {
				return rows
			}
		}
		return 100
	}
	got := fmt.Sprint(least("https://example.com/d?"), least("BCDF-GHJK\n"), least("press Esc"), least("asked by"), least("####"), least("BIG"))
	if want := "0 0 6 10 23 20"; got != want {
		t.Errorf("link, code, caution, context, QR code and large code from %s rows on, want %s", got, want)
	}
	c := canvasOf(80, 10)
	if c.qrAlways = true; !strings.Contains(strings.Join(p.lay(c), "\n"), "####") {
		t.Error("no QR code in a low window, although one was asked for")
	}
	c = canvasOf(80, 24)
	c.qr, c.noQR = nil, "There is no QR code: why."
	if !strings.Contains(strings.Join(p.lay(c), "\n"), "\nThere is no QR code: why.\n") {
		t.Error("that there is no QR code is not said")
	}
}

func TestPageTexts(t *testing.T) {
	// A phone that opens a link to loopback asks itself.
	for _, host := range []string{"localhost:9400", "127.0.0.1", "[::1]:1"} {
		p := pageOf(func(p *loginPage) { p.login.VerificationURIComplete = "http://" + host + "/device" })
		if got := p.openThis(); got != "open this link in a browser on this machine" {
			t.Errorf("link to %s: %q", host, got)
		}
	}
	joined := pageOf(func(p *loginPage) { p.login.Attached, p.provider.Title = true, "github/work" })
	if got := joined.title() + " " + joined.caution(); got != "Joined the pending login to github/work If you do not know who started it, do not approve." {
		t.Errorf("joined: %q", got)
	}
	plain := pageOf(func(p *loginPage) { p.login.VerificationURIComplete = "" })
	if link, _ := plain.link(); link != "https://example.com/d" || plain.codeIs() != "Enter this code:" || plain.elsewhere() != "" {
		t.Errorf("without a complete link: %q, %q, %q", link, plain.codeIs(), plain.elsewhere())
	}
	if got := pageOf(func(p *loginPage) { p.keys = nil }).caution(); got != "If you did not start this, press Ctrl-C." {
		t.Errorf("without keys: %q", got)
	}
	code := pageOf(func(p *loginPage) {
		p.login.ID, p.login.Method, p.login.AuthorizationURI = "id", api.MethodCode, "https://example.com/a"
	})
	if link, _ := code.link(); link != "https://example.com/a" || code.code() != "" || code.oddCode() ||
		code.back() != "When it ends on a page that cannot be shown, hand over its address with: usher login complete id" {
		t.Errorf("by code: %q, %q, %v, %q", link, code.code(), code.oddCode(), code.back())
	}
}

// Nothing that a provider sends commands the terminal or looks like a link to
// open when it is none.
func TestPageOfHostileProvider(t *testing.T) {
	const esc = "\x1b[2J\x1b]0;x\a\x9b1m\u202e\u200b"
	for _, link := range []string{"javascript:alert(1)" + esc, "https://\u0430pple.example/", "http://example.com/", "https://ada@example.com/", "file:///etc/passwd", ""} {
		p := pageOf(func(p *loginPage) {
			p.provider = provider.Provider{Title: "T" + esc, Note: esc}
			p.login = api.Login{Key: "x", Origin: esc, Scopes: []string{"a" + esc}, UserCode: "A" + esc, VerificationURI: link, Trouble: esc}
		})
		for _, size := range [][2]int{{80, 24}, {40, 24}, {40, 8}} {
			got := strings.Join(p.lay(canvasOf(size[0], size[1])), "\n")
			for _, r := range got {
				if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x200b {
					t.Errorf("%q shown: %q", r, got)
				}
			}
			if text := strings.ReplaceAll(got, "\n", " "); !strings.Contains(text, "warning: the provider's link is not one to open") || !strings.Contains(text, "warning: the code is not made of letters and digits only") {
				t.Errorf("%q: no warnings: %s", link, got)
			}
			if link != "" && slices.Contains(strings.Split(got, "\n"), link) {
				t.Errorf("%q stands there as if it were one to open:\n%s", link, got)
			}
		}
	}
	p := pageOf(func(p *loginPage) { p.login.VerificationURIComplete = "https://xn--pple-43d.example/" })
	if got, err := p.link(); got != "https://xn--pple-43d.example/" || err != nil {
		t.Errorf("an internationalized host is shown as %q, %v", got, err)
	}
}

func TestLiveLine(t *testing.T) {
	for want, change := range map[string]func(*loginPage){
		"waiting for approval, 9:00 left":                         nil,
		"waiting for approval, 9:00 left, checked 3 s ago":        func(p *loginPage) { p.login.LastPolledAt = p.now.Add(-3 * time.Second) },
		"waiting for approval, 9:00 left, checked just now":       func(p *loginPage) { p.login.LastPolledAt = p.now.Add(time.Second) },
		"9:00 left; the provider wants a slower pace: every 10 s": func(p *loginPage) { p.login.Throttled, p.login.Interval = true, 10 },
		"9:00 left; the provider cannot be reached, trying again in 12 s": func(p *loginPage) {
			p.login.Trouble, p.login.NextPollAt, p.login.Throttled = "provider_unreachable", p.now.Add(12*time.Second), true
		},
		"9:00 left; the provider asks to wait, trying again":   func(p *loginPage) { p.login.Trouble = "rate_limited" },
		"9:00 left; trouble: new\\u{1b}word, trying again":     func(p *loginPage) { p.login.Trouble = "new\x1bword" },
		"0:59 left; the provider asks to wait, trying again":   func(p *loginPage) { p.login.Trouble, p.now = "rate_limited", p.login.ExpiresAt.Add(-59*time.Second) },
		"9:00 left; link copied":                               func(p *loginPage) { p.notice, p.login.Trouble = "link copied", "rate_limited" },
		"waiting for approval, less than a minute left (1:00)": func(p *loginPage) { p.now = p.login.ExpiresAt.Add(-time.Minute) },
		"waiting for approval, less than a minute left (0:00), checked 5 s ago": func(p *loginPage) {
			p.now = p.login.ExpiresAt.Add(time.Second)
			p.login.LastPolledAt = p.now.Add(-5 * time.Second)
		},
	} {
		if got := pageOf(change).live(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	// In words and in colour.
	c := canvasOf(80, 24)
	c.screen = term.New(&fakeTerminal{columns: 80, rows: 24}, func(string) string { return "" })
	last := pageOf(func(p *loginPage) { p.now = p.login.ExpiresAt.Add(-time.Minute) })
	if got := strings.Join(last.lay(c), "\n"); !strings.Contains(got, "m"+last.live()+"\x1b[0m") {
		t.Errorf("the last minute has no colour: %q", got)
	}
}

func TestNewsForThoseWithoutALiveLine(t *testing.T) {
	p := pageOf(nil)
	for _, step := range []struct {
		name   string
		change func(*api.Login)
		want   string
	}{
		{"nothing", func(*api.Login) {}, "[]"},
		{"a poll", func(l *api.Login) { l.LastPolledAt = noon }, "[]"},
		{"trouble", func(l *api.Login) { l.Trouble = "provider_unreachable" }, "[the provider cannot be reached, trying again]"},
		{"the same", func(l *api.Login) { l.NextPollAt = noon.Add(time.Hour) }, "[]"},
		{"slower, behind it", func(l *api.Login) { l.Throttled, l.Interval = true, 10 }, "[]"},
		{"no trouble", func(l *api.Login) { l.Trouble = "" }, "[the provider wants a slower pace: every 10 s]"},
		{"trouble with a time", func(l *api.Login) { l.Trouble, l.NextPollAt = "rate_limited", p.now.Add(14*time.Second) }, "[the provider asks to wait, trying again in 14 s]"},
		{"other trouble", func(l *api.Login) { l.Trouble, l.NextPollAt = "provider_error", time.Time{} }, "[the provider answers with errors, trying again]"},
		{"well again", func(l *api.Login) { l.Trouble, l.Throttled = "", false }, "[the provider answers again]"},
		{"the last minute", func(l *api.Login) { l.ExpiresAt = p.now.Add(time.Minute) }, "[less than a minute left]"},
		{"and on", func(l *api.Login) { l.ExpiresAt = p.now.Add(time.Second) }, "[]"},
	} {
		was, l := p, p.login
		step.change(&l)
		p.follow(l, p.now)
		if got := fmt.Sprint(p.news(was)); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}

// What a login was when it was shown, it stays: answers about it are for
// everybody, and lack the link and the code.
func TestPageKeepsWhatItShows(t *testing.T) {
	p := pageOf(func(p *loginPage) { p.login.Attached = true })
	before := p.login
	l := p.login.Public()
	l.Attached, l.Trouble = false, "provider_error"
	p.follow(l, p.now)
	before.Trouble = "provider_error"
	if diff := cmp.Diff(before, p.login); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnswerTrouble(t *testing.T) {
	for want, err := range map[string]error{
		"that is not the address that the browser ended on; paste all of it": api.Errorf(api.CodeInvalidRequest, "redirected_url: no URL"),
		"the answer does not belong to this login":                           api.Errorf(api.CodeStateMismatch, "the answer does not belong to this login"),
		"a\\u{1b}b": errors.New("a\x1bb"),
	} {
		if got := answerTrouble(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
