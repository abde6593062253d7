package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/e2e/oidcprovider"
)

// A loginView and a credentialView are the documented JSON, as far as the
// tests look at it.
type loginView struct {
	ID                      string
	Key                     string
	Status                  string
	UserCode                string `json:"user_code"`
	VerificationURIComplete string `json:"verification_uri_complete"`
}

type credentialView struct {
	Key        string
	State      string
	Cause      string
	Generation int
}

// inBothModes runs a story without and with a daemon: the same commands must
// lead to the same results.
func inBothModes(t *testing.T, story func(t *testing.T, h *home, daemon bool)) {
	for _, mode := range []struct {
		name   string
		daemon bool
	}{{"in process", false}, {"through the daemon", true}} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			if mode.daemon {
				h.serve()
			}
			story(t, h, mode.daemon)
			h.stop()
		})
	}
}

// login logs in at the provider as the person user and returns when usher says
// so.
func (h *home) login(op *oidcprovider.Server, key, user string) {
	h.t.Helper()
	p := h.start(h.command(binary, "login", key, "--qr=never", "--json"))
	pending := decode[loginView](h.t, p.line())
	if pending.Status != "pending" || pending.UserCode == "" {
		h.t.Fatalf("first line of login: %+v", pending)
	}
	if err := op.Approve(h.t.Context(), pending.VerificationURIComplete, user); err != nil {
		h.t.Fatal(err)
	}
	p.rest()
	r := p.wait()
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	ended := decode[loginView](h.t, lines[len(lines)-1])
	if r.code != exitOK || ended.Status != "authorized" || ended.ID != pending.ID {
		h.t.Fatalf("login ended with exit %d, %+v\nstderr: %s", r.code, ended, r.stderr)
	}
}

// token reads the access token and checks what a script relies on: the token
// and a newline, nothing else.
func (h *home) token(key string) string {
	h.t.Helper()
	out := h.must("token", key)
	token := strings.TrimSuffix(out, "\n")
	if token == "" || strings.ContainsAny(token, " \n") || out != token+"\n" {
		h.t.Fatalf("stdout of token is %q", out)
	}
	return token
}

func (h *home) status(key string, wantCode int) credentialView {
	h.t.Helper()
	r := h.usher("status", key, "--json")
	if r.code != wantCode {
		h.t.Fatalf("status: exit %d, want %d\n%s%s", r.code, wantCode, r.stdout, r.stderr)
	}
	line, _, _ := strings.Cut(r.stdout, "\n")
	return decode[credentialView](h.t, line)
}

// TestMainJob is the main job against a server that usher's authors did not
// write: login by discovery, token, refresh with rotation, a replay that the
// server punishes, a new login, logout.
func TestMainJob(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, h *home, daemon bool) {
		op := oidcprovider.Start(t, oidcprovider.Options{AccessTokenTTL: 6 * time.Second})
		h.must("provider", "add", "op", "--issuer", op.Issuer, "--client-id", "cli",
			"--scope", "openid", "--scope", "offline_access")

		h.login(op, "op", "ada")
		if got := h.status("op", exitOK); got.Key != "op" || got.State != "active" {
			t.Errorf("status after the login: %+v", got)
		}
		first := h.token("op")
		if sub, err := op.Subject(t.Context(), first); err != nil || sub != "ada" {
			t.Fatalf("the token is not ada's: %q, %v", sub, err)
		}

		// A copy from before the rotation is what a restored backup is.
		backup := filepath.Join(h.base, "backup")
		h.restart(daemon, func() { h.copyTo(backup) })

		var second string
		oidcprovider.Poll(t, "a refreshed token", func() bool { second = h.token("op"); return second != first })
		if sub, err := op.Subject(t.Context(), second); err != nil || sub != "ada" {
			t.Fatalf("the refreshed token is not ada's: %q, %v", sub, err)
		}
		op.WaitFor(t, "the refresh", oidcprovider.Granted(oidcprovider.RefreshGrant))
		op.WaitFor(t, "the rotation", func(e oidcprovider.Entry) bool { return e.Event == "refresh_token.consumed" })
		if n := op.Count(func(e oidcprovider.Entry) bool { return e.Event == "grant.revoked" }); n != 0 {
			t.Fatalf("a refresh was taken for a replay %d times", n)
		}

		h.restart(daemon, func() {
			if err := os.RemoveAll(h.dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(backup, h.dir); err != nil {
				t.Fatal(err)
			}
		})
		// The restored access token may have a moment left, and is served then.
		var r result
		oidcprovider.Poll(t, "the refusal", func() bool { r = h.usher("token", "op"); return r.code != exitOK })
		if r.code != exitLoginNeeded || r.stdout != "" || !strings.Contains(r.stderr, "usher login op") {
			t.Errorf("token after the replay: exit %d, stdout %q, stderr %q", r.code, r.stdout, r.stderr)
		}
		op.WaitFor(t, "the refused replay", oidcprovider.Refused(oidcprovider.RefreshGrant, "invalid_grant"))
		op.WaitFor(t, "the end of the family", func(e oidcprovider.Entry) bool { return e.Event == "grant.revoked" })
		if got := h.status("op", exitLoginNeeded); got.State != "needs_login" || got.Cause == "" {
			t.Errorf("status after the replay: %+v", got)
		}

		h.login(op, "op", "ada")
		last := h.token("op")
		if _, err := op.Subject(t.Context(), last); err != nil {
			t.Errorf("the token of the second login: %v", err)
		}
		h.must("logout", "op")
		op.WaitFor(t, "the revocation", oidcprovider.Requested("POST", "/token/revocation", 200))
		if _, err := op.Subject(t.Context(), last); err == nil {
			t.Error("the access token outlived the logout")
		}
		if r := h.usher("token", "op"); r.code != exitLoginNeeded || r.stdout != "" {
			t.Errorf("token after the logout: exit %d, stdout %q, stderr %q", r.code, r.stdout, r.stderr)
		}
		if n := op.Count(func(e oidcprovider.Entry) bool { return e.Event == "server_error" }); n != 0 {
			t.Errorf("the server failed %d times by itself", n)
		}
	})
}

// restart does something to the data folder while no daemon uses it.
func (h *home) restart(daemon bool, meanwhile func()) {
	h.t.Helper()
	h.stop()
	meanwhile()
	if daemon {
		h.serve()
	}
}
