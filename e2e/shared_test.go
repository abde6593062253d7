package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/usherauth/usher/credential"
	"github.com/usherauth/usher/credential/filestore"
	"github.com/usherauth/usher/e2e/oidcprovider"
	"github.com/usherauth/usher/token"
)

// TestSharedOverHTTP has a client of the native surface share a credential with
// a tool whose file is removed, and refuses a second one.
func TestSharedOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "1", "--approve", "auto", "--token-lifetime", "1h")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "shared")
	h.serve()
	w := h.wire()
	events := w.follow(t.Context(), nil, "/v1/events")
	file := filepath.Join(h.base, ".qwen", "oauth_creds.json")

	w.do("POST", "/v1/logins", `{"key":"here","share_with":"vim"}`).want(400, "invalid_request")
	login := w.do("POST", "/v1/logins", `{"key":"here","share_with":"qwen"}`).want(201, "").login()
	w.do("POST", "/v1/logins", `{"key":"here/work","share_with":"qwen"}`).want(409, "conflict")
	w.do("GET", "/v1/logins/"+login.ID+"?wait=30s", "").want(200, "")
	events.wait("credential.stored")
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Fatalf("the tool's file: %v, %v", info, err)
	}
	if got := w.do("GET", "/v1/credentials/here/default", "").want(200, "").str("share_with"); got != "qwen" {
		t.Errorf("the credential is shared with %q", got)
	}
	w.do("POST", "/v1/logins", `{"key":"here/work","share_with":"qwen"}`).want(409, "conflict")

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	events.wait("credential.share_restored")
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if got := w.do("DELETE", "/v1/credentials/here/default", "").want(200, "").str("unshared"); got != "qwen" {
		t.Errorf("the logout ended the sharing with %q", got)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the tool's file after the logout: %v", err)
	}
}

// TestLogoutReachesEveryManager removes a credential beside a daemon and beside
// a program with a manager of its own: neither hands it out any more.
func TestLogoutReachesEveryManager(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	box := h.box("--interval", "1", "--approve", "auto", "--token-lifetime", "1h")
	h.must("provider", "add", "here", "--issuer", box.issuer, "--client-id", "logout")
	h.serve()
	w := h.wire()
	events := w.follow(t.Context(), nil, "/v1/events")
	h.must("login", "here", "--qr=never")
	key := credential.Key{Provider: "here", Account: credential.DefaultAccount}
	open := func() *filestore.Store {
		s, err := filestore.Open(h.dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	program := token.NewManager(token.Config{Store: open()})
	defer program.Close(t.Context())
	if _, err := program.Token(t.Context(), key, 0); err != nil {
		t.Fatal(err)
	}
	w.do("POST", "/v1/token", `{"key":"here"}`).want(200, "")

	elsewhere := open()
	c, err := elsewhere.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.Delete(t.Context(), key, c.Generation); err != nil {
		t.Fatal(err)
	}
	events.wait("credential.removed")
	oidcprovider.Poll(t, "the daemon to know of the logout", func() bool {
		a := w.do("POST", "/v1/token", `{"key":"here"}`)
		return a.status == 409 && a.str("code") == "login_needed"
	})
	oidcprovider.Poll(t, "the program to know of the logout", func() bool {
		_, err := program.Token(t.Context(), key, 0)
		var needed *token.LoginNeededError
		return errors.As(err, &needed) && needed.NeverLoggedIn
	})
}
