package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/internal/term"
)

// However the login goes, nothing on the page moves, so that a phone can read it.
func TestPageStaysAsItIs(t *testing.T) {
	goes := map[string]func(*loginPage){
		"checked":   func(p *loginPage) { p.login.LastPolledAt = p.now.Add(-119 * time.Second) },
		"throttled": func(p *loginPage) { p.login.Throttled, p.login.Interval = true, 100 },
		"the last minute": func(p *loginPage) {
			p.now = p.login.ExpiresAt.Add(-time.Minute)
			p.login.LastPolledAt = p.now.Add(-119 * time.Second)
		},
		"copied": func(p *loginPage) { p.notice = "link copied" },
	}
	for trouble := range troubles {
		goes[trouble] = func(p *loginPage) {
			p.now = p.login.ExpiresAt.Add(-2 * time.Hour)
			p.login.Trouble, p.login.NextPollAt = trouble, p.now.Add(119*time.Second)
		}
	}
	for columns := 20; columns <= 130; columns++ {
		for _, rows := range []int{12, 20, 24, 30, 50} {
			c := canvasOf(columns, rows)
			calm := pageOf(nil).lay(c)
			if !strings.Contains(strings.Join(calm, " "), "If you did") {
				continue // there is no room for more than what has to be there
			}
			for name, change := range goes {
				lines := pageOf(change).lay(c)
				live := slices.IndexFunc(calm, func(line string) bool { return strings.HasPrefix(line, "waiting") })
				keys := len(calm) - strings.Count(term.Wrap(strings.Join(pageOf(nil).keys, "   "), columns), "\n") - 1
				if len(lines) != len(calm) || !slices.Equal(lines[:live], calm[:live]) || !slices.Equal(lines[keys:], calm[keys:]) {
					t.Fatalf("%s, %d by %d:\n%s\nand before:\n%s", name, columns, rows, strings.Join(lines, "\n"), strings.Join(calm, "\n"))
				}
			}
		}
	}
}
