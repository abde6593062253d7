//go:build unix

package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/filelock"
	"github.com/usherauth/usher/sandbox"
)

// These tests run the program in processes of its own, for signals and ends.

// inBothModes runs a test without and with a daemon.
func inBothModes(t *testing.T, test func(t *testing.T, i *installation)) {
	for name, daemon := range map[string]bool{"in process": false, "with a daemon": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			if daemon {
				i.serve()
			}
			test(t, i)
		})
	}
}

func (i *installation) pending() (pending []api.Login) {
	i.t.Helper()
	a, _ := talker()
	a.getenv = func(name string) string { return i.env[name] }
	s, err := a.open(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	defer s.close(cancelBound)
	all, err := s.Logins(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	for _, l := range all {
		if !l.Ended() {
			pending = append(pending, l)
		}
	}
	return pending
}

func TestInterruptCancelsTheLoginThatWasStartedHere(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			inBothModes(t, func(t *testing.T, i *installation) {
				i.sandbox(sandbox.Config{})
				p, _ := i.pendingLogin()
				p.signal(s)
				if code, _ := p.wait(); code != api.ExitInterrupted {
					t.Errorf("exit %d, want 130", code)
				}
				if left := i.pending(); len(left) != 0 {
					t.Errorf("still pending: %+v", left)
				}
			})
		})
	}
}

func TestInterruptedJoinerOnlyLeaves(t *testing.T) {
	inBothModes(t, func(t *testing.T, i *installation) {
		s := i.sandbox(sandbox.Config{})
		first, login := i.pendingLogin()
		joiner, joined := i.pendingLogin()
		if joined.ID != login.ID || !joined.Attached || joined.UserCode != login.UserCode {
			t.Fatalf("not joined: %+v", joined)
		}
		joiner.signal(os.Interrupt)
		if code, _ := joiner.wait(); code != api.ExitInterrupted {
			t.Errorf("joiner: exit %d, want 130", code)
		}
		if err := s.Approve(login.UserCode, ""); err != nil {
			t.Fatal(err)
		}
		var ended api.Login
		first.line(&ended)
		if code, rest := first.wait(); code != 0 || rest != "" || ended.ID != login.ID || ended.Status != api.LoginAuthorized {
			t.Errorf("exit %d, ended %+v, then %q", code, ended, rest)
		}
	})
}

// The owner of a login dies; whoever waits with it takes it over.
func TestJoinerTakesOver(t *testing.T) {
	t.Parallel()
	i := install(t)
	s := i.sandbox(sandbox.Config{})
	owner, login := i.pendingLogin()
	joiner, _ := i.pendingLogin()
	owner.signal(syscall.SIGKILL)
	owner.wait()
	if err := s.Approve(login.UserCode, ""); err != nil {
		t.Fatal(err)
	}
	if code, _ := joiner.wait(); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
}

func TestTimeoutLeavesTheLoginPending(t *testing.T) {
	inBothModes(t, func(t *testing.T, i *installation) {
		s := i.sandbox(sandbox.Config{})
		r := i.run("login", "here", "--timeout", "100ms", "--json")
		if r.code != api.ExitPending || !strings.Contains(r.err, "usher login here\n") {
			t.Fatalf("exit %d, stderr %q", r.code, r.err)
		}
		var login api.Login
		if err := json.Unmarshal([]byte(r.out), &login); err != nil {
			t.Fatalf("%q: %v", r.out, err)
		}
		if err := s.Approve(login.UserCode, ""); err != nil {
			t.Fatal(err)
		}
		r = i.run("login", "here", "--no-qr")
		if r.code != 0 || r.out != "" {
			t.Errorf("going on: exit %d, stdout %q", r.code, r.out)
		}
		// The daemon may have ended it meanwhile; then this was another login.
		if n := s.Record().DeviceAuthorizations; n > 2 {
			t.Errorf("%d logins were started", n)
		}
	})
}

// The daemon dies while a command waits for it.
func TestLoginSurvivesTheDaemon(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			i := install(t)
			daemon, _ := i.serve()
			sb := i.sandbox(sandbox.Config{})
			p, login := i.pendingLogin()
			daemon.signal(s)
			daemon.wait()
			eventually(t, "the login notices", func() bool { return strings.Contains(p.err.String(), "going on without it") })
			if err := sb.Approve(login.UserCode, ""); err != nil {
				t.Fatal(err)
			}
			var ended api.Login
			p.line(&ended)
			if code, _ := p.wait(); code != 0 || ended.ID != login.ID || ended.Status != api.LoginAuthorized {
				t.Errorf("exit %d, ended %+v", code, ended)
			}
			if n := sb.Record().DeviceAuthorizations; n != 1 {
				t.Errorf("%d logins were started, want 1", n)
			}
		})
	}
}

// A second interrupt must not cut a refresh off: its token would be lost.
func TestInterruptsDoNotCutARefresh(t *testing.T) {
	t.Parallel()
	i := install(t)
	cfg := auto
	cfg.TokenLifetime = time.Second
	cfg.Faults = sandbox.Faults{{Endpoint: "token.refresh", Calls: []int{1}, Do: sandbox.Action{AnswerDelayMS: 2500}}}
	s := i.sandbox(cfg)
	i.must("login", "here")
	// Times in views are cut off to seconds, so the first one is no proof.
	eventually(t, "the token expires", func() bool {
		out := i.run("status").out
		return strings.Contains(out, " ago") && !strings.Contains(out, " 0 s ago")
	})
	p := i.start("token", "here")
	eventually(t, "the refresh arrives", func() bool { return s.Record().RefreshRequests == 1 })
	p.signal(os.Interrupt)
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGHUP)
	eventually(t, "it says why it takes long", func() bool { return strings.Contains(p.err.String(), "on its way") })
	p.signal(os.Interrupt)
	if code, out := p.wait(); code != api.ExitInterrupted || out != "" {
		t.Errorf("exit %d, stdout %q, want 130 and nothing", code, out)
	}
	if r := i.run("token", "here"); r.code != 0 {
		t.Errorf("the next token: exit %d, %s", r.code, r.err)
	}
	if n := s.Record().ReuseSeen; n != 0 {
		t.Errorf("a spent refresh token was presented %d times", n)
	}
}

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
	for path, want := range map[string]int{"/workspace/auth/status": 200, "/v1/credentials": 401} {
		if got := get(t, f.Listen+path, ""); got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
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

func TestDemo(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env["TMPDIR"] = filepath.Dir(i.dir)
	p := i.start("demo", "--auto")
	code, out := p.wait()
	if code != 0 || !strings.Contains(out, "granted 1 refresh for 5 readers") {
		t.Fatalf("exit %d, stdout %q", code, out)
	}
	if !strings.Contains(p.err.String(), "All 7 steps passed") {
		t.Errorf("said: %s", p.err.String())
	}
	nothingLeft(t, i)
}

// nothingLeft checks that a demo has thrown its folder away.
func nothingLeft(t *testing.T, i *installation) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(i.env["TMPDIR"], "usher-demo-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(i.dir); !os.IsNotExist(err) {
		t.Errorf("the demo touched the person's own data folder: %v", err)
	}
}

func TestDemoNamesTheStepThatFailed(t *testing.T) {
	for name, c := range map[string]struct {
		faults, step string
		code         int
	}{
		"denied":             {`[{"endpoint":"token.device","calls":[2],"do":{"deny":true}}]`, "step 4 (wait for the approval)", api.ExitDenied},
		"revocation refused": {`[{"endpoint":"revoke","do":{"status":500,"body":"no"}}]`, "step 7 (log out)", api.ExitError},
		"refresh answered in vain": {`[{"endpoint":"token.refresh","do":{"oauth_error":"invalid_grant"}}]`,
			"step 6 (let the token expire and read it again)", api.ExitLoginNeeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.env["TMPDIR"] = filepath.Dir(i.dir)
			file := filepath.Join(i.env["TMPDIR"], "faults.json")
			write(t, file, c.faults)
			p := i.start("demo", "--faults", file)
			if code, out := p.wait(); code != c.code || out != "" {
				t.Errorf("exit %d, stdout %q, want %d", code, out, c.code)
			}
			if !strings.Contains(p.err.String(), "usher: "+c.step+" failed: ") {
				t.Errorf("said %q, want %q in it", p.err.String(), c.step)
			}
			nothingLeft(t, i)
		})
	}
}

// The children of a demo that is killed end by themselves.
func TestDemoDoesNotLeaveChildren(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]os.Signal{"killed": syscall.SIGKILL, "interrupted": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.env["TMPDIR"] = filepath.Dir(i.dir)
			p := i.start("demo", "--auto")
			eventually(t, "the login starts", func() bool { return strings.Contains(p.err.String(), "3. start a login") })
			urls := addresses(p.err.String())
			if len(urls) < 2 {
				t.Fatalf("no addresses in %q", p.err.String())
			}
			p.signal(s)
			if code, _ := p.wait(); s == os.Interrupt && code != api.ExitInterrupted {
				t.Errorf("exit %d, want 130", code)
			}
			for _, url := range urls {
				eventually(t, url+" goes away", func() bool {
					resp, err := http.Get(url + "/health")
					if err == nil {
						_ = resp.Body.Close()
					}
					return err != nil
				})
			}
			if s == os.Interrupt {
				nothingLeft(t, i)
			}
		})
	}
}

// The demo ends with the program that started it, as with go run.
func TestDemoEndsWithItsParent(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.env["TMPDIR"] = filepath.Dir(i.dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(i.env["TMPDIR"], "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	// The shell has to come back for the second command, so it stays.
	shell := exec.Command("/bin/sh", "-c", `"$0" demo --auto; true`, self)
	shell.Env = append(os.Environ(), asUsher+"=1", "TMPDIR="+i.env["TMPDIR"])
	shell.Stderr = said
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	text := func() string {
		text, err := os.ReadFile(said.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	eventually(t, "the login starts", func() bool { return strings.Contains(text(), "3. start a login") })
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shell.Wait() // it was killed
	eventually(t, "the demo ends", func() bool { return strings.Contains(text(), "usher: interrupted at step ") })
}

// addresses returns the first two addresses in text: the server's and the
// daemon's.
func addresses(text string) (urls []string) {
	for _, word := range strings.Fields(text) {
		if port, ok := strings.CutPrefix(word, "http://127.0.0.1:"); ok && len(urls) < 2 {
			if _, err := strconv.Atoi(port); err == nil {
				urls = append(urls, word)
			}
		}
	}
	return urls
}
