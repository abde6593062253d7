package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/sandbox"
)

// fakeTerminal is a terminal of a certain size.
type fakeTerminal struct {
	bytes.Buffer
	columns, rows int
}

func (f *fakeTerminal) Size() (columns, rows int) { return f.columns, f.rows }

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
