package e2e

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/e2e/terminal"
)

// hostile is what commands a terminal, or shows other than it is.
const hostile = "\x1b]0;owned\a\x1b]52;c;b3duZWQ=\a\x1b[2J\x1b[?1049h\x1b[31m\u009b31m\x1b]8;;https://evil.example/\x1b\\\r\n\x00\u202ekcatta\u2066\u200b"

// A provider that is hostile commands nobody's terminal, and its links are
// neither links nor copied where they are not ones to open.
func TestScreenOfHostileProvider(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code, link, plain string // what it sends; as usual if empty
		want              string // to be seen
		copied            string // the link that c copies; none if empty
	}{
		"user code":     {code: "AB" + hostile, want: `"AB\u{1b}]0;owned\u{7}`, copied: "https://login.example/device"},
		"complete link": {link: "https://login.example/" + hostile, want: "https://login.example/device", copied: "https://login.example/device"},
		"link":          {link: "-", plain: "https://login.example/" + hostile},
		"scheme":        {link: "-", plain: "javascript:alert(1)"},
		"not encrypted": {link: "-", plain: "http://login.example/device"},
		"homograph":     {link: "-", plain: "https://lоgin.example/device"}, // with a Cyrillic o
		"user in it":    {link: "-", plain: "https://login.example@evil.example/"},
		"punycode":      {link: "-", plain: "https://xn--lgin-55d.example/device", want: "https://xn--lgin-55d.example/device", copied: "https://xn--lgin-55d.example/device"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, 900, 300)
			s.hostile(c.code, c.link, c.plain)
			x := sit(t, s, look{name: "color", columns: 80, rows: 50, theme: terminal.Dark})
			if c.copied == "" { // a login that cannot be approved does not begin
				if code := x.Wait(); code != exitError || !x.Screen().Contains("verification_uri: link") {
					t.Errorf("exit %d:\n%s", code, x.Screen().Text())
				}
				x.wantHarmless()
				return
			}
			if screen := x.sees("left"); !screen.Contains(c.want) {
				t.Errorf("%q is not shown:\n%s", c.want, screen.Text())
			} else if screen.Contains(`""`) {
				t.Errorf("something is quoted twice:\n%s", screen.Text())
			}
			x.wantHarmless(c.copied)
			x.Type("c")
			x.sees("link copied")
			if diff := cmp.Diff([]string{"c;" + base64.StdEncoding.EncodeToString([]byte(c.copied))}, x.Screen().Clipboard); diff != "" {
				t.Errorf("copied (-want +got):\n%s", diff)
			}
			x.Type("\x1b")
			x.Wait()
			x.wantLeft(1)
		})
	}
}

// hostile makes the stage send something else than usual; "-" is nothing at all.
func (s *stage) hostile(code, link, plain string) {
	for name, value := range map[string]string{"user_code": code, "verification_uri_complete": link, "verification_uri": plain} {
		switch value {
		case "":
		case "-":
			s.says(name, nil)
		default:
			s.says(name, value)
		}
	}
}

// wantHarmless checks that every cell holds what people see, that nothing but the
// screen has changed, and that there are those links and no others.
func (x *seat) wantHarmless(links ...string) {
	x.t.Helper()
	s := x.Screen()
	x.rowsBefore(s)
	if s.Alternate || len(s.Title) > 0 || len(s.Clipboard) > 0 {
		x.t.Errorf("alternate screen %v, title %q, clipboard %q", s.Alternate, s.Title, s.Clipboard)
	}
	if got := slices.Sorted(maps.Keys(s.Links())); !slices.Equal(got, links) {
		x.t.Errorf("links to %q, want %q", got, links)
	}
	for i, line := range s.Lines {
		for _, cell := range line.Cells {
			if cell.Foreground == "1" {
				x.t.Errorf("line %d is red: %q", i, line.Text)
				break
			}
			if strings.ContainsFunc(cell.Text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				x.t.Errorf("line %d has the cell %q", i, cell.Text)
			}
		}
	}
}

// A title is text of people, of whatever script; it is counted as wide as it is
// drawn.
func TestScreenOfWideTitle(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{40, 80} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.provide(newStage(t, 900, 300), "日本語の長い名前を持つ認証サーバー e\u0301")
			x := h.sit(look{name: "color", columns: columns, rows: 40, theme: terminal.Dark})
			x.wantPage(x.sees("left"))
			x.Resize(60, 40)
			x.wantPage(x.seesPageOnce((*terminal.Screen).All))
			x.Type("\x1b")
			x.Wait()
			x.wantLeft(1)
		})
	}
}

// A title with what turns the direction of text is not taken.
func TestScreenOfHostileTitle(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := newStage(t, 900, 300)
	h.provide(s, "Here")
	file := filepath.Join(h.base, "providers", "here.toml")
	settings, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	evil := fmt.Sprintf("%q", "Here \u202e\u2066evil")
	changed := strings.ReplaceAll(strings.ReplaceAll(string(settings), `"Here"`, evil), `'Here'`, evil)
	if changed == string(settings) {
		t.Fatalf("no title in %s", settings)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	x := h.sit(look{name: "color", columns: 80, rows: 40, theme: terminal.Dark})
	if code := x.Wait(); code == exitOK || !x.Screen().Contains("title: must be") {
		t.Errorf("exit %d:\n%s", code, x.Screen().Text())
	}
	x.wantHarmless()
}
