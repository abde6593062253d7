package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/internal/term"
)

// talker is an app whose talk is kept.
func talker() (*app, *bytes.Buffer) {
	var err bytes.Buffer
	getenv := func(string) string { return "" }
	return &app{out: term.New(&bytes.Buffer{}, getenv), err: term.New(&err, getenv), getenv: getenv}, &err
}

func TestReport(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{errors.New("unknown flag: --x"), 2, "usher: unknown flag: --x\nhint: see: usher --help\n"},
		{runError{usagef("no")}, 2, "usher: no\nhint: see: usher --help\n"},
		{runError{api.Errorf(api.CodeLoginNeeded, "login needed for x").WithHint("run: usher login x")}, 3,
			"usher: login needed for x\nhint: run: usher login x\n"},
		{runError{fmt.Errorf("deep: %w", api.Errorf(api.CodeAccessDenied, "denied"))}, 4, "usher: denied\n"},
		{runError{&filestore.Error{Op: "reading", Path: "/x", Err: fs.ErrPermission}}, 7,
			"usher: reading in /x: permission denied\nhint: make the folder writable for this user, or set USHER_HOME to one that is\n"},
		{runError{fmt.Errorf("x: %w", context.Canceled)}, 130, "usher: interrupted\n"},
		{runError{errors.New("boo")}, 1, "usher: boo\n"},
		// Two errors joined stay one line, two hints are two, and neither
		// commands the terminal.
		{runError{api.Errorf(api.CodeInternal, "one\ntwo \x1b[2J").WithHint("first\nsecond \x9b")}, 1,
			"usher: one; two \\u{1b}[2J\nhint: first\nhint: second \\u{fffd}\n"},
	} {
		a, said := talker()
		if got := a.report(&cobra.Command{Use: "usher"}, c.err); got != c.code {
			t.Errorf("%v: exit %d, want %d", c.err, got, c.code)
		}
		if got := said.String(); got != c.want {
			t.Errorf("%v: said %q, want %q", c.err, got, c.want)
		}
	}
}

func TestEndsOfLogin(t *testing.T) {
	for _, c := range []struct {
		status string
		code   api.Code
		exit   int
	}{
		{api.LoginDenied, api.CodeAccessDenied, 4},
		{api.LoginExpired, api.CodeExpired, 5},
		{api.LoginFailed, api.CodeStoreFailure, 7},
		{api.LoginFailed, api.CodeInvalidGrant, 1},
		{api.LoginFailed, "", 1},
		{api.LoginCancelled, api.CodeCancelled, 1},
	} {
		l := api.Login{Key: "x/y", Status: c.status}
		if c.code != "" {
			l.Error = &api.Failure{Code: c.code, Hint: "because"}
		}
		e := endError(l)
		if e.Code.Exit() != c.exit || e.Hint != "run: usher login x/y" {
			t.Errorf("%s, %s: exit %d, hint %q", c.status, c.code, e.Code.Exit(), e.Hint)
		}
		told := c.status != api.LoginFailed || c.code == ""
		if strings.HasSuffix(e.Message, ": because") == told {
			t.Errorf("%s, %s: message %q, is the reason told without: %t", c.status, c.code, e.Message, told)
		}
	}
}

func TestTellLogout(t *testing.T) {
	for _, c := range []struct {
		done api.Logout
		exit int
		said string
	}{
		{api.Logout{Revocation: api.RevocationNothing}, 0, "Not logged in to x"},
		{api.Logout{Removed: true, Revocation: api.RevocationRevoked}, 0, "the provider revoked the tokens"},
		{api.Logout{Removed: true, Revocation: api.RevocationUnsupported}, 0, "offers no revocation"},
		{api.Logout{Removed: true, Revocation: api.RevocationKept}, 0, "not revoked, as asked"},
		{api.Logout{Removed: true, Revocation: api.RevocationNothing}, 0, "no token to revoke"},
		{api.Logout{CancelledLogin: "id", Revocation: api.RevocationNothing}, 0, "Cancelled the pending login"},
		{api.Logout{Removed: true, Revocation: api.RevocationFailed, Error: &api.Failure{Code: api.CodeProviderUnreachable, Hint: "away"}}, 6, ""},
		{api.Logout{Removed: true, Revocation: api.RevocationFailed, Error: &api.Failure{Code: api.CodeRevocationLost, Hint: "no"}}, 1, ""},
		{api.Logout{Removed: true, Revocation: api.RevocationFailed}, 1, ""},
	} {
		a, said := talker()
		c.done.Key = "x"
		err := a.tellLogout(c.done)
		if got := a.report(&cobra.Command{Use: "usher"}, asRun(err)); got != c.exit {
			t.Errorf("%+v: exit %d, want %d", c.done, got, c.exit)
		}
		if !strings.Contains(said.String(), c.said) || said.Len() == 0 {
			t.Errorf("%+v: said %q, want %q in it", c.done, said, c.said)
		}
	}
}

func asRun(err error) error {
	if err == nil {
		return nil
	}
	return runError{err}
}

func TestUsageErrors(t *testing.T) {
	i := install(t)
	for _, c := range []struct{ args, want string }{
		{"nonsense", `unknown command "nonsense"`},
		{"logn x", "unknown command \"logn\" for \"usher\"\nhint: did you mean login?\nhint: see: usher --help\n"},
		{"help logn", `unknown command "logn"`},
		{"help login x", "no help about login x"},
		{"login", "login to what? Ready are: "},
		{"login a b", "only KEY is expected"},
		{"login UPPER", "invalid key"},
		{"login nosuch", `unknown provider "nosuch"`},
		{"login sandbox --timeout -1s", "must not be negative"},
		{"login sandbox --timeout x", "invalid argument"},
		{"login github", "client_id"},
		{"token", "KEY is missing"},
		{"token x --min-ttl -1s", "--min-ttl"},
		{"logout", "KEY is missing"},
		{"version x", "no argument is expected"},
		{"provider", "which command?"},
		{"provider nonsense", "unknown command nonsense"},
		{"provider add x", "nothing is given"},
		{"provider add x --issuer https://example.com", "client_id"},
		{"provider add x --client-id a", ""},
		{"provider add x --issuer http://example.com --client-id a", "https"},
		{"provider show nosuch", "unknown provider"},
		{"provider remove github", "preset"},
		{"serve --listen nonsense", "host:port"},
		{"serve --listen 0.0.0.0:0 --no-auth", "loopback"},
		{"serve --listen localhost:0 --no-auth", "write 127.0.0.1"},
		{"serve --no-auth --token-file x", "exclude"},
		{"serve --max-logins -1", "1 or more"},
		{"serve --max-logins 0", "1 or more"},
		{"serve --token-file /nonexistent", "--token-file"},
		{"sandbox --listen 0.0.0.0:0", "loopback"},
		{"sandbox --listen example.com:0", "loopback"},
		{"sandbox --approve perhaps --listen 127.0.0.1:0", "perhaps"},
		{"sandbox --faults /nonexistent", "fault plan"},
		{"sandbox --clients /nonexistent", "clients"},
		{"demo --faults /nonexistent", "fault plan"},
	} {
		r := i.run(strings.Fields(c.args)...)
		if r.code != 2 || r.out != "" || !strings.HasPrefix(r.err, "usher: ") || !strings.Contains(r.err, c.want) {
			t.Errorf("usher %s: exit %d, stdout %q, stderr %q, want exit 2 and %q", c.args, r.code, r.out, r.err, c.want)
		}
		if !strings.Contains(r.err, "\nhint: ") {
			t.Errorf("usher %s: no hint in %q", c.args, r.err)
		}
	}
}
