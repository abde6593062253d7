//go:build unix

package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/filelock"
)

func TestServe(t *testing.T) {
	t.Parallel()
	i := install(t)
	old := syscall.Umask(0)
	p, f := i.serve("--socket", filepath.Join(filepath.Dir(i.dir), "extra.sock"))
	syscall.Umask(old)
	if f.Config != i.env["USHER_CONFIG"] || f.Socket != filepath.Join(i.dir, "daemon.sock") || !strings.HasPrefix(f.Listen, "http://127.0.0.1:") {
		t.Errorf("first line: %+v", f)
	}
	for name, want := range map[string]os.FileMode{
		"server-token": 0o600, "daemon.json": 0o600, "daemon.lock": 0o600, "daemon.sock": 0o600 | os.ModeSocket,
		"../extra.sock": 0o600 | os.ModeSocket, ".": 0o700 | os.ModeDir,
	} {
		info, err := os.Stat(filepath.Join(i.dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s is %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	token, err := os.ReadFile(filepath.Join(i.dir, "server-token"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(p.err.String(), strings.TrimSpace(string(token))) {
		t.Error("the token was printed")
	}
	for bearer, want := range map[string]int{strings.TrimSpace(string(token)): 200, "wrong": 401, "": 401} {
		if got := get(t, f.Listen+"/v1/credentials", bearer); got != want {
			t.Errorf("bearer of %d characters: status %d, want %d", len(bearer), got, want)
		}
	}
	second := i.run("serve", "--listen", "127.0.0.1:0")
	if second.code != api.ExitError || !strings.Contains(second.err, "already, at "+f.Listen) {
		t.Errorf("second serve: exit %d, %q", second.code, second.err)
	}

	providers := filepath.Join(filepath.Dir(i.dir), "providers")
	if err := os.MkdirAll(providers, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(providers, "broken.toml"), "nonsense = true\n")
	p.signal(syscall.SIGHUP)
	eventually(t, "the providers are read again", func() bool {
		return strings.Contains(p.err.String(), "broken.toml") && strings.Contains(p.err.String(), "read the providers again")
	})

	p.signal(syscall.SIGTERM)
	if code, out := p.wait(); code != 0 || out != "" {
		t.Errorf("exit %d, stdout %q", code, out)
	}
	for _, name := range []string{"daemon.json", "daemon.sock", "../extra.sock"} {
		if _, err := os.Lstat(filepath.Join(i.dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	if held, err := filelock.Held(filepath.Join(i.dir, "daemon.lock")); held || err != nil {
		t.Errorf("the lock is held: %v, %v", held, err)
	}
	// The token stays the same over a restart, also after a kill.
	p, _ = i.serve()
	p.signal(syscall.SIGKILL)
	p.wait()
	p, f = i.serve()
	if got := get(t, f.Listen+"/v1/credentials", strings.TrimSpace(string(token))); got != 200 {
		t.Errorf("after a restart: status %d", got)
	}
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, f.Listen+"/health", ""); got != 200 {
		t.Errorf("the end of stdin ended the daemon: status %d", got)
	}
}

func get(t *testing.T, url, bearer string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestServeWithoutToken(t *testing.T) {
	t.Parallel()
	i := install(t)
	write(t, i.env["USHER_CONFIG"], "[serve]\nlisten = \"[::1]:0\"\n")
	p := i.start("serve", "--no-auth", "--json")
	var f daemonFile
	p.line(&f)
	if !strings.HasPrefix(f.Listen, "http://[::1]:") {
		t.Errorf("listens on %s, want what config.toml says", f.Listen)
	}
	if _, err := os.Stat(filepath.Join(i.dir, "server-token")); !os.IsNotExist(err) {
		t.Errorf("a token was made: %v", err)
	}
	for path, want := range map[string]int{"/workspace/auth/status": 200, "/v1/logins/nope": 404, "/v1/credentials": 401} {
		if got := get(t, f.Listen+path, ""); got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
	const warning = "start and cancel logins"
	if !strings.Contains(p.err.String(), warning) {
		t.Errorf("it said %q", p.err.String())
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	p = i.start("serve", "--no-auth", "--strict-loopback", "--json")
	p.line(&f)
	for path, want := range map[string]int{"/workspace/auth/status": 200, "/workspace/auth/device-flow/nope": 401, "/v1/logins/nope": 401} {
		if got := get(t, f.Listen+path, ""); got != want {
			t.Errorf("strict, %s: status %d, want %d", path, got, want)
		}
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	if said := p.err.String(); strings.Contains(said, warning) || !strings.Contains(said, "see what is logged in to") {
		t.Errorf("strict, it said %q", said)
	}
}

// On every address of the machine, the address it names is one that answers.
func TestServeOnEveryAddressNamesOneThatAnswers(t *testing.T) {
	t.Parallel()
	i := install(t)
	p := i.start("serve", "--listen", "0.0.0.0:0", "--json")
	var f daemonFile
	p.line(&f)
	if got := get(t, f.Listen+"/health", ""); got != 200 {
		t.Errorf("%s/health: status %d", f.Listen, got)
	}
	eventually(t, "it says what that means", func() bool {
		said := p.err.String()
		return strings.Contains(said, "usher daemon listening on "+f.Listen+" (on every address of this machine)") &&
			strings.Contains(said, "other machines can connect")
	})
}

func TestServersEndWithTheirInput(t *testing.T) {
	t.Parallel()
	i := install(t)
	for _, args := range [][]string{{"serve", "--json"}, {"sandbox"}} {
		p := i.start(append(args, "--listen", "127.0.0.1:0", "--until-eof")...)
		var first map[string]any
		p.line(&first)
		if err := p.in.Close(); err != nil {
			t.Fatal(err)
		}
		if code, _ := p.wait(); code != 0 {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}
