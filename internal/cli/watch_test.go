package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
)

// paper is a terminal of a width that keeps what is written.
type paper struct {
	bytes.Buffer
	columns int
}

func (p *paper) Size() (columns, rows int) { return p.columns, 24 }

func TestEventLine(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 5, 7, 0, time.Local)
	login := func(t string, l api.Login) api.Event {
		l.Key = "github/work"
		return api.Event{ID: "a-2", Time: at, Type: t, Login: &l}
	}
	cred := func(t string, c api.Credential) api.Event {
		c.Key = "github/work"
		return api.Event{ID: "a-2", Time: at, Type: t, Credential: &c}
	}
	for _, tt := range []struct {
		e    api.Event
		want string
	}{
		{login(api.EventLoginStarted, api.Login{Origin: "ada@box"}), "github/work: a login was started by ada@box and waits for approval"},
		{login(api.EventLoginStarted, api.Login{Origin: "ada\x1b[2J"}), `github/work: a login was started by ada\u{1b}[2J and waits for approval`},
		{login(api.EventLoginThrottled, api.Login{Interval: 10}), "github/work: the provider wants to be asked less often: every 10 s now"},
		{login(api.EventLoginAuthorized, api.Login{}), "github/work: the login was approved"},
		{login(api.EventLoginDenied, api.Login{}), "github/work: the login was denied"},
		{login(api.EventLoginExpired, api.Login{}), "github/work: the login expired before it was approved"},
		{login(api.EventLoginFailed, api.Login{Error: &api.Failure{Hint: "the disk is full"}}), "github/work: the login failed: the disk is full"},
		{login(api.EventLoginCancelled, api.Login{}), "github/work: the login was cancelled"},
		{login("login.dreamt", api.Login{}), "github/work: login.dreamt"},
		{cred(api.EventCredentialStored, api.Credential{Alias: "acct-ab12cd", ExpiresAt: at.Add(time.Hour)}), "github/work: logged in as acct-ab12cd; the token lasts 60 minutes and renews itself"},
		{cred(api.EventCredentialRefreshed, api.Credential{ExpiresAt: at.Add(8 * time.Hour)}), "github/work: renewed; the token lasts 8 hours and renews itself"},
		{cred(api.EventCredentialNeedsLogin, api.Credential{Cause: "refresh_refused"}), "github/work: a login is needed, as the provider refused to renew it; run: usher login github/work"},
		{cred(api.EventCredentialAccountChanged, api.Credential{Alias: "acct-ab12cd"}), "github/work: this is another account than before: acct-ab12cd"},
		{cred(api.EventCredentialRemoved, api.Credential{}), "github/work: logged out; its tokens are gone from this machine"},
		{cred(api.EventCredentialShareRestored, api.Credential{ShareWith: "qwen"}), "github/work: the file shared with qwen had been removed and is back"},
		{api.Event{ID: "a-7", Time: at, Type: api.EventStreamResync}, "events may be missing before this; usher status shows how things are"},
		{api.Event{ID: "b-0", Time: at, Type: api.EventStreamResync}, "the daemon was restarted, so events may be missing before this; usher status shows how things are"},
		{api.Event{ID: "a-2", Time: at, Type: "weather.changed"}, "weather.changed"},
	} {
		a := &app{out: term.New(&bytes.Buffer{}, func(string) string { return "" })}
		if got, want := a.eventLine(tt.e, "a-1", at), "09:05:07  "+tt.want; got != want {
			t.Errorf("%s: got  %q\nwant %q", tt.e.Type, got, want)
		}
		for _, columns := range []int{40, 80, 120} {
			a := &app{out: term.New(&paper{columns: columns}, func(string) string { return "" })}
			got := a.eventLine(tt.e, "a-1", at)
			plain := strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "", "\x1b[22m", "", "\x1b[m", "").Replace(got)
			for line := range strings.Lines(plain) {
				if len(strings.TrimRight(line, "\n")) > columns {
					t.Errorf("%s: wider than %d: %q", tt.e.Type, columns, line)
				}
			}
			if joined := strings.Join(strings.Fields(plain), " "); joined != "09:05:07 "+tt.want {
				t.Errorf("%s at %d columns: %q", tt.e.Type, columns, got)
			}
			if bold := strings.Contains(got, "\x1b["); bold != needsPerson(tt.e) {
				t.Errorf("%s: in bold: %t", tt.e.Type, bold)
			}
		}
	}
}

func TestEventLineOfAnotherDayAndWrapped(t *testing.T) {
	at := time.Date(2026, 11, 21, 23, 59, 59, 0, time.Local)
	e := api.Event{ID: "a-2", Time: at, Type: api.EventCredentialRefreshed, Credential: &api.Credential{Key: "github", ExpiresAt: at.Add(time.Hour)}}
	for columns, want := range map[int]string{
		70: "2026-11-21 23:59:59  github: renewed; the token lasts 60 minutes and\n                     renews itself",
		40: "2026-11-21 23:59:59  github: renewed;\n  the token lasts 60 minutes and renews\n  itself",
	} {
		a := &app{out: term.New(&paper{columns: columns}, func(string) string { return "" })}
		if diff := cmp.Diff(want, a.eventLine(e, "a-1", at.Add(2*time.Second))); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
	}
}

// Every type of event that there is has words of its own, and can be asked for.
func TestEventTypesAreAll(t *testing.T) {
	for _, name := range eventTypes() {
		e := api.Event{Type: name, Login: &api.Login{}}
		if strings.HasPrefix(name, "credential.") {
			e = api.Event{Type: name, Credential: &api.Credential{}}
		}
		if eventText(e, "") == name {
			t.Errorf("%s has no words", name)
		}
	}
}
