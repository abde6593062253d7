package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/usherauth/usher/api"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestWhen(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0:                                 "0 s ago",
		-time.Second:                      "1 s ago",
		-119 * time.Second:                "119 s ago",
		-2 * time.Minute:                  "2 min ago",
		-49 * time.Hour:                   "2 d ago",
		100 * time.Millisecond:            "in 1 s",
		59*time.Minute + 59*time.Second:   "in 59 min",
		3599*time.Second + 1:              "in 60 min",
		119 * time.Minute:                 "in 119 min",
		26 * time.Hour:                    "in 26 h",
		400 * 24 * time.Hour:              "in 400 d",
		time.Minute + 58*time.Second + 10: "in 119 s",
	} {
		if got := when(noon.Add(after), noon); got != want {
			t.Errorf("when(%s) = %q, want %q", after, got, want)
		}
	}
	if got := when(time.Time{}, noon); got != "-" {
		t.Errorf("when(zero) = %q, want -", got)
	}
}

func TestSpanAndClock(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		-time.Hour:            {"0 seconds", "0:00"},
		time.Second:           {"1 second", "0:01"},
		59 * time.Minute:      {"59 minutes", "59:00"},
		2 * time.Hour:         {"2 hours", "120:00"},
		599500e6:              {"9 minutes", "10:00"},
		30 * 24 * time.Hour:   {"30 days", "43200:00"},
		61*time.Second + 1e6:  {"61 seconds", "1:02"},
		9*time.Minute + 41e9:  {"9 minutes", "9:41"},
		100 * time.Nanosecond: {"0 seconds", "0:01"},
	} {
		if got := [2]string{span(d), clock(d)}; got != want {
			t.Errorf("span, clock of %s = %q, want %q", d, got, want)
		}
	}
}

func TestLifetime(t *testing.T) {
	for _, c := range []struct {
		expires, needsLogin time.Duration // 0: not known
		want                string
	}{
		{0, 0, "the token lasts until it is revoked"},
		{time.Hour - time.Second/2, 0, "the token lasts 60 minutes and renews itself"},
		{time.Hour, time.Hour, "the token lasts 60 minutes, then log in again"},
		{-time.Minute, 0, "the token has ended and renews itself"},
		{time.Hour, 720 * time.Hour, "the token lasts 60 minutes and renews itself for 30 days"},
		// What storing took does not count.
		{8*time.Hour - 2100*time.Millisecond, 30*24*time.Hour - 2100*time.Millisecond, "the token lasts 8 hours and renews itself for 30 days"},
		{8*time.Hour - 11*time.Second, 0, "the token lasts 7 hours and renews itself"},
		{2*time.Minute - 3*time.Second, 0, "the token lasts 2 minutes and renews itself"},
		{58*time.Second + 1, 0, "the token lasts 59 seconds and renews itself"},
	} {
		cred := api.Credential{}
		if c.expires != 0 {
			cred.ExpiresAt = noon.Add(c.expires)
		}
		if c.needsLogin != 0 {
			cred.NeedsLoginBy = noon.Add(c.needsLogin)
		}
		if got := lifetime(cred, noon); got != c.want {
			t.Errorf("lifetime = %q, want %q", got, c.want)
		}
	}
}

func TestStatusLines(t *testing.T) {
	creds := []api.Credential{
		{Key: "github", State: api.StateActive, Alias: "acct-ab12cd", ExpiresAt: noon.Add(58 * time.Minute), RefreshedAt: noon.Add(-2 * time.Minute)},
		{Key: "github/work", State: api.StateActive},
		{Key: "google", State: api.StateNeedsLogin, Cause: "refresh_refused", ExpiresAt: noon.Add(-3 * time.Hour)},
		{Key: "old", State: api.StateActive, ExpiresAt: noon.Add(-time.Hour), NeedsLoginBy: noon.Add(-time.Hour)},
	}
	pending := []api.Login{{Key: "qwen-oauth", ExpiresAt: noon.Add(10 * time.Minute), Origin: "ada@box"}}
	wide := []string{
		"KEY          STATE        EXPIRES     REFRESHED  ACCOUNT",
		"github       active       in 58 min   2 min ago  acct-ab12cd",
		"github/work  active       -           -          -",
		"google       needs login  3 h ago     -          -",
		"old          needs login  60 min ago  -          -",
		"",
		"PENDING LOGIN  EXPIRES    ASKED BY",
		"qwen-oauth     in 10 min  ada@box",
	}
	narrow := []string{
		"KEY          STATE        EXPIRES",
		"github       active       in 58 min",
		"github/work  active       -",
		"google       needs login  3 h ago",
		"old          needs login  60 min ago",
		"",
		"PENDING LOGIN  EXPIRES    ASKED BY",
		"qwen-oauth     in 10 min  ada@box",
	}
	for columns, want := range map[int][]string{0: wide, 80: wide, 40: narrow} {
		if diff := cmp.Diff(want, statusLines(creds, pending, noon, columns)); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
	}
}

// What cannot be found in the help does not exist for a newcomer.
func TestHelpIsComplete(t *testing.T) {
	i := install(t)
	a := &app{getenv: func(name string) string { return i.env[name] }}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		if c.Long == "" {
			t.Errorf("%s has no help", c.CommandPath())
		}
		for n, line := range strings.Split(c.Long, "\n") {
			if len(line) > 80 {
				t.Errorf("%s: line %d of the help has %d columns", c.CommandPath(), n+1, len(line))
			}
		}
		if c.Runnable() && !strings.Contains(c.Long, "usage: "+c.CommandPath()) {
			t.Errorf("the help of %s has no usage line", c.CommandPath())
		}
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" && !strings.Contains(c.Long, "--"+f.Name) {
				t.Errorf("the help of %s does not mention --%s", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(a.root())
	for _, args := range [][]string{{"help", "login"}, {"login", "--help"}, {"help", "exit-codes"}, {"--help"}, {"provider", "add", "-h"}} {
		if r := i.run(args...); r.code != 0 || r.err != "" || len(strings.Split(r.out, "\n")) < 5 {
			t.Errorf("usher %v: exit %d, stdout %q, stderr %q", args, r.code, r.out, r.err)
		}
	}
}
