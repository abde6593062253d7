//go:build unix

package cli

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usherauth/usher/api"
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
		first, _, _ := strings.Cut(r.out, "\n")
		var login api.Login
		if err := json.Unmarshal([]byte(first), &login); err != nil {
			t.Fatalf("%q: %v", r.out, err)
		}
		if err := s.Approve(login.UserCode, ""); err != nil {
			t.Fatal(err)
		}
		r = i.run("login", "here", "--qr=never")
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
	cfg.Faults = sandbox.Faults{{Endpoint: "token.refresh", Calls: []int{1}, Do: sandbox.Action{AnswerDelayMS: 5000}}}
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
