package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/provider"
	"github.com/usherauth/usher/sandbox"
)

// fakeTerminal is a terminal of a certain size.
type fakeTerminal struct {
	bytes.Buffer
	columns, rows int
}

func (f *fakeTerminal) Size() (columns, rows int) { return f.columns, f.rows }

// shown is what showLogin says on a terminal of a size, or none.
func shown(l api.Login, p provider.Provider, columns, rows int, env map[string]string) string {
	getenv := func(name string) string { return env[name] }
	if columns == 0 {
		var b bytes.Buffer
		(&app{err: term.New(&b, getenv)}).showLogin(l, p, true)
		return b.String()
	}
	f := &fakeTerminal{columns: columns, rows: rows}
	(&app{err: term.New(f, getenv)}).showLogin(l, p, true)
	return f.String()
}

func TestShowLogin(t *testing.T) {
	p := provider.Provider{Name: "github", Title: "GitHub", Note: "Read this."}
	l := api.Login{
		Key: "github/work", Origin: "ada@box", Scopes: []string{"repo", "user"},
		UserCode: "BCDF-GHJK", VerificationURI: "https://example.com/d",
		VerificationURIComplete: "https://example.com/d?user_code=BCDF-GHJK",
	}
	want := `Log in to GitHub (github/work)
for ada@box, to get: repo user
note: Read this.

On any device, open https://example.com/d
and enter the code, or open this link, which brings it along:

https://example.com/d?user_code=BCDF-GHJK

It shows this code:  BCDF-GHJK

If you did not start this, press Ctrl-C.
`
	if diff := cmp.Diff(want, shown(l, p, 0, 0, nil)); diff != "" {
		t.Errorf("without a terminal (-want +got):\n%s", diff)
	}
	narrow := strings.NewReplacer(
		"open https://", "open\nhttps://", "link, which brings", "link,\nwhich brings",
	).Replace(want)
	for columns, want := range map[int]string{80: want, 40: narrow} {
		got := shown(l, p, columns, 24, map[string]string{"NO_COLOR": "1"})
		text, code, _ := strings.Cut(got, "Ctrl-C.\n")
		if diff := cmp.Diff(want, text+"Ctrl-C.\n"); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
		if n := strings.Count(code, "\n"); n < 15 || n > 20 || strings.Contains(got, "\x1b") {
			t.Errorf("%d columns: QR code of %d lines in %q", columns, n, got)
		}
	}
	if got := shown(l, p, 20, 24, map[string]string{"NO_COLOR": "1"}); !slices.Equal(strings.Fields(got), strings.Fields(want)) {
		t.Errorf("20 columns: %q, want the text alone", got)
	}
	if got := shown(l, p, 80, 24, nil); !strings.Contains(got, "\x1b[1mBCDF-GHJK\x1b[0m") {
		t.Errorf("in colour the code is not bold: %q", got)
	}

	// A phone that opens a link to loopback asks itself.
	for _, host := range []string{"localhost:9400", "127.0.0.1", "[::1]:1"} {
		local := l
		local.VerificationURI = "http://" + host + "/device"
		if got := shown(local, p, 0, 0, nil); !strings.Contains(got, "\nIn a browser on this machine, open http://"+host+"/device\n") {
			t.Errorf("link to %s: %q", host, got)
		}
	}

	l.Attached, l.VerificationURIComplete = true, ""
	got := shown(l, provider.Provider{Name: "x", Title: "github/work"}, 0, 0, nil)
	for _, part := range []string{
		"A login to github/work is pending already; joining it.\n", "\nhttps://example.com/d\n", "Enter this code:  BCDF-GHJK\n",
		"\nOn any device, open this link:\n", "If you do not know who started it, do not approve.\n",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("joined, without a complete link: %q not in %q", part, got)
		}
	}
}

// Nothing that a provider sends commands the terminal or looks like a link to
// open when it is none.
func TestShowLoginOfHostileProvider(t *testing.T) {
	l := api.Login{
		Key: "x", Origin: "ada@box\x1b[2J", Scopes: []string{"a\u202eb"}, UserCode: "A\x1b]0;x\aB",
		VerificationURI: "javascript:alert(1)\x1b[1m",
	}
	got := shown(l, provider.Provider{Title: "T\x9b1m"}, 0, 0, nil)
	for _, r := range got {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e {
			t.Errorf("%q shown: %q", r, got)
		}
	}
	if strings.Contains(got, "any device") || !strings.Contains(got, "warning: the provider's link is not one to open") {
		t.Errorf("shown: %s", got)
	}
}

func TestProgress(t *testing.T) {
	l := api.Login{ExpiresAt: noon.Add(9*time.Minute + 41*time.Second)}
	if got, want := progressLine(l, noon), "waiting for approval, 9:41 left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	l.Trouble = "provider_unreachable"
	if got, want := progressLine(l, noon), "waiting for approval, 9:41 left; the provider cannot be reached; trying again"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := troubleLine("new\x1bword"), "usher: trouble: new\\u{1b}word"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLoginJSON(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(auto)
	lines := strings.Split(strings.TrimSpace(i.must("login", "here/work", "--json", "--scope", "openid")), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	var began, ended api.Login
	for n, l := range []*api.Login{&began, &ended} {
		if err := json.Unmarshal([]byte(lines[n]), l); err != nil {
			t.Fatal(err)
		}
	}
	if began.Status != api.LoginPending || began.UserCode == "" || began.VerificationURIComplete == "" || began.Origin == "" {
		t.Errorf("first: %+v", began)
	}
	if ended.ID != began.ID || ended.Status != api.LoginAuthorized || ended.UserCode != "" || ended.Credential == nil {
		t.Fatalf("last: %+v", ended)
	}
	if diff := cmp.Diff([]string{"openid"}, ended.Credential.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	var c api.Credential
	if err := json.Unmarshal([]byte(i.must("status", "here/work", "--json")), &c); err != nil || c.State != api.StateActive || !strings.HasPrefix(c.Alias, "acct-") {
		t.Errorf("status: %+v, %v", c, err)
	}
	var token api.Token
	if err := json.Unmarshal([]byte(i.must("token", "here/work", "--json")), &token); err != nil || token.AccessToken == "" || token.ExpiresAt.IsZero() {
		t.Errorf("token: expires %s, %v", token.ExpiresAt, err)
	}
	if r := i.run("token", "here/work", "--min-ttl", "24h"); r.code != 0 || !strings.Contains(r.err, "warning: the token ends in ") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("a token that cannot be had: exit %d, %q", r.code, r.err)
	}
}

func TestLoginEnds(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  sandbox.Config
		exit int
	}{
		"denied":  {sandbox.Config{Approve: sandbox.ApproveDeny, AutoAfterPolls: -1}, api.ExitDenied},
		"expired": {sandbox.Config{CodeLifetime: 2 * time.Second}, api.ExitExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.sandbox(c.cfg)
			r := i.run("login", "here")
			if r.code != c.exit || r.out != "" || !strings.Contains(r.err, "hint: run: usher login here\n") {
				t.Errorf("exit %d, stdout %q, stderr %q", r.code, r.out, r.err)
			}
			if r := i.run("token", "here"); r.code != api.ExitLoginNeeded || r.out != "" {
				t.Errorf("token: exit %d, stdout %q", r.code, r.out)
			}
		})
	}
}

func TestLoginWithAnotherAccountWarns(t *testing.T) {
	t.Parallel()
	i := install(t)
	cfg := auto
	cfg.Subject = "ada"
	i.sandbox(cfg)
	if r := i.run("login", "here"); r.code != 0 || strings.Contains(r.err, "another account") {
		t.Fatalf("first login: exit %d, %q", r.code, r.err)
	}
	if r := i.run("login", "here"); r.code != 0 || strings.Contains(r.err, "another account") {
		t.Fatalf("the same account: exit %d, %q", r.code, r.err)
	}
	// The same server, but another person approves.
	s, err := sandbox.New(sandbox.Config{Approve: sandbox.ApproveAuto, AutoAfterPolls: -1, Interval: 1, Subject: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	defer srv.Close()
	if err := s.SetIssuer(srv.URL); err != nil {
		t.Fatal(err)
	}
	i.must("provider", "add", "here", "--force", "--issuer", srv.URL, "--client-id", "test", "--scope", "openid")
	if r := i.run("login", "here"); r.code != 0 || !strings.Contains(r.err, "warning: this is another account than before, which was acct-") {
		t.Errorf("another account: exit %d, %q", r.code, r.err)
	}
}

func TestLoginWithoutProvider(t *testing.T) {
	t.Parallel()
	i := install(t)
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close() // nobody listens there now
	i.must("provider", "add", "sandbox", "--issuer", srv.URL)
	r := i.run("login", "sandbox")
	if r.code != api.ExitUnreachable || !strings.Contains(r.err, "Start it with: usher sandbox\n") {
		t.Errorf("exit %d, %q", r.code, r.err)
	}
	if r := i.run("status"); r.out != "" {
		t.Errorf("left behind: %q", r.out)
	}
}
