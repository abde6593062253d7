package cli

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/term"
	"github.com/usherauth/usher/sandbox"
)

// neverLoggedIn is what there is to read without a terminal.
const neverLoggedIn = "usher: not logged in to here\nhint: run: usher login here\n"

// A person who asks for a token and is not logged in gets it all the same: what
// they were asked is gone, and standard output has the token alone.
func TestTokenLogsInInPlace(t *testing.T) {
	for _, columns := range []int{100, 40} {
		inBothModes(t, func(t *testing.T, i *installation) {
			i.sandbox(auto)
			s := i.atTerminal(columns, "token", "here")
			s.awaits("here needs a login: nobody is logged in yet. Log in now? [Y/n]")
			s.types("y\n")
			if code, out := s.wait(); code != 0 || !strings.HasPrefix(out, "at_") || strings.Count(out, "\n") != 1 {
				t.Errorf("exit %d, stdout %q", code, out)
			}
			s.awaits("Logged in to here")
			if shown := s.screen(); strings.Contains(shown, "[Y/n]") || strings.Contains(shown, "needs a login") || !strings.HasPrefix(shown, "Logged in to here") {
				t.Errorf("%d columns: what was asked is still there:\n%s", columns, shown)
			}
			if out := i.must("token", "here"); !strings.HasPrefix(out, "at_") {
				t.Errorf("the next token: %q", out)
			}
		})
	}
}

// The reasons that a person is told, and Enter alone is yes.
func TestTokenSaysWhyALoginIsNeeded(t *testing.T) {
	for _, tt := range []struct {
		name, because string
		faults        sandbox.Faults
		expires       bool // the refresh token
	}{
		{name: "refused", because: "the provider refused to renew it", expires: true},
		{
			name: "no refresh token", because: "it has ended and cannot be renewed",
			faults: sandbox.Faults{{Endpoint: "token.device", Calls: []int{1}, Do: sandbox.Action{Remove: []string{"refresh_token"}}}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			cfg := auto
			cfg.TokenLifetime, cfg.Faults = 2*time.Second, tt.faults
			sb := i.sandbox(cfg)
			i.must("login", "here")
			if tt.expires {
				sb.ExpireRefreshTokens()
			}
			eventually(t, "the token ends", func() bool { return i.run("token", "here").code == api.ExitLoginNeeded })
			s := i.atTerminal(80, "token", "here")
			s.awaits("here needs a login: " + tt.because + ". Log in now? [Y/n]")
			s.types("\n")
			if code, out := s.wait(); code != 0 || !strings.HasPrefix(out, "at_") {
				t.Errorf("exit %d, stdout %q, shown:\n%s", code, out, s.screen())
			}
		})
	}
}

// Whoever does not want to is told what there would have been to read without a
// terminal, and nothing else.
func TestTokenIsNotLoggedInForAgainstOnesWill(t *testing.T) {
	for name, answer := range map[string]string{
		"no": "n\n", "NO in capitals": " NO \n", "end of file": "\x04", "no answer, then no": "what?\nn\n",
		"a word longer than the screen": strings.Repeat("x", 90) + "\nn\n", "a word up to the edge": strings.Repeat("x", 40-len("yet. Log in now? [Y/n] ")) + "\nn\n",
		"a word of many lines": strings.Repeat("x", 400) + "\nn\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			sb := i.sandbox(auto)
			s := i.seated(40, exec.Command("/bin/sh", "-c", `echo before >&2; exec "$0" token here`, self(t)))
			s.awaits("Log in now? [Y/n]")
			s.types(answer)
			if code, out := s.wait(); code != api.ExitLoginNeeded || out != "" {
				t.Errorf("exit %d, stdout %q", code, out)
			}
			eventually(t, "all is shown", func() bool { return s.screen() == "before\n"+neverLoggedIn })
			if n := sb.Record().DeviceAuthorizations; n != 0 {
				t.Errorf("%d logins were started", n)
			}
		})
	}
}

// An interrupt ends the question and the command, and nothing is left of either.
func TestInterruptAtTheQuestion(t *testing.T) {
	for name, interrupt := range map[string]func(s *seat){
		"Ctrl-C":  func(s *seat) { s.types("\x03") },
		"SIGTERM": func(s *seat) { s.signal(syscall.SIGTERM) },
		"SIGHUP":  func(s *seat) { s.signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.sandbox(auto)
			s := i.atTerminal(80, "token", "here")
			s.awaits("Log in now? [Y/n]")
			interrupt(s)
			if code, out := s.wait(); code != api.ExitInterrupted || out != "" {
				t.Errorf("exit %d, stdout %q", code, out)
			}
			eventually(t, "all is shown", func() bool { return s.screen() == "usher: interrupted\n" })
			if left := i.pending(); len(left) != 0 {
				t.Errorf("still pending: %+v", left)
			}
		})
	}
	t.Run("the terminal is closed", func(t *testing.T) {
		t.Parallel()
		i := install(t)
		i.sandbox(auto)
		s := i.atTerminal(80, "token", "here")
		s.awaits("Log in now? [Y/n]")
		if err := s.person.Close(); err != nil {
			t.Fatal(err)
		}
		// Whichever comes first, the signal or the end of what is typed.
		if code, out := s.wait(); code != api.ExitInterrupted && code != api.ExitLoginNeeded || out != "" {
			t.Errorf("exit %d, stdout %q", code, out)
		}
	})
}

// An interrupt of the login that was offered cancels that.
func TestInterruptOfALoginInPlace(t *testing.T) {
	inBothModes(t, func(t *testing.T, i *installation) {
		i.sandbox(sandbox.Config{})
		s := i.atTerminal(80, "token", "here")
		s.awaits("Log in now? [Y/n]")
		s.types("yes\n")
		s.awaits("waiting for approval")
		s.types("\x03")
		if code, out := s.wait(); code != api.ExitInterrupted || out != "" {
			t.Errorf("exit %d, stdout %q", code, out)
		}
		if left := i.pending(); len(left) != 0 {
			t.Errorf("still pending: %+v", left)
		}
	})
}

// Where nobody can answer, or wants to be asked, nothing is asked, and the error
// comes at once.
func TestNothingIsAsked(t *testing.T) {
	null := func(t *testing.T) *os.File {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	for name, start := range map[string]func(t *testing.T, i *installation) (code int, out, said string){
		"--no-prompt": func(t *testing.T, i *installation) (int, string, string) {
			return i.atTerminal(80, "token", "here", "--no-prompt").all()
		},
		"--json": func(t *testing.T, i *installation) (int, string, string) {
			return i.atTerminal(80, "token", "here", "--json").all()
		},
		"CI": func(t *testing.T, i *installation) (int, string, string) {
			cmd := exec.Command(self(t), "token", "here")
			cmd.Env = []string{"CI=true"}
			return i.seated(80, cmd).all()
		},
		"no standard input": func(t *testing.T, i *installation) (int, string, string) {
			cmd := exec.Command("/bin/sh", "-c", `exec "$0" token here </dev/null`, self(t))
			return i.seated(80, cmd).all()
		},
		"a pipe as standard error": func(t *testing.T, i *installation) (int, string, string) {
			cmd := exec.Command("/bin/sh", "-c", `"$0" token here 2>&1 >/dev/null | cat >/dev/tty; exit 3`, self(t))
			return i.seated(80, cmd).all()
		},
		"in the background": func(t *testing.T, i *installation) (int, string, string) {
			cmd := exec.Command("/bin/sh", "-mc", `"$0" token here & wait $!`, self(t))
			return i.seated(80, cmd).all()
		},
		"no terminal": func(t *testing.T, i *installation) (int, string, string) {
			cmd := exec.Command(self(t), "token", "here")
			cmd.Stdin = null(t)
			p := i.launch(cmd)
			code, out := p.wait()
			return code, out, p.err.String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.sandbox(auto)
			code, out, said := start(t, i)
			if code != api.ExitLoginNeeded || out != "" || said != neverLoggedIn {
				t.Errorf("exit %d, stdout %q, said %q", code, out, said)
			}
		})
	}
	t.Run("no such provider", func(t *testing.T) {
		t.Parallel()
		if code, _, said := install(t).atTerminal(80, "token", "nowhere").all(); code != api.ExitUsage || !strings.HasPrefix(said, "usher: unknown provider \"nowhere\"") {
			t.Errorf("exit %d, said %q", code, said)
		}
	})
}

// all waits for the end, and returns the exit code, standard output, and what
// the terminal shows.
func (s *seat) all() (code int, out, said string) {
	s.t.Helper()
	code, out = s.wait()
	eventually(s.t, "all is shown", func() bool { return strings.Contains(s.screen(), "hint: ") })
	return code, out, s.screen()
}

// A login that came to nothing begins again if the person wants it to.
func TestLoginStartsOver(t *testing.T) {
	const lost = "answer was lost and its code is spent; log in again. Start over? [Y/n]"
	lostAnswer := sandbox.Faults{{Endpoint: "token.device", Calls: []int{1}, Do: sandbox.Action{Drop: "after"}}}
	// The first code runs out soon, the second one does not.
	soon := sandbox.Faults{{Endpoint: "device", Calls: []int{1}, Do: sandbox.Action{Set: map[string]json.RawMessage{"expires_in": json.RawMessage("1")}}}}
	for name, tt := range map[string]struct {
		cfg      sandbox.Config
		args     []string
		question string
		answer   string
	}{
		"expired":           {sandbox.Config{Faults: soon}, nil, codeHasRunOut, "\r"},
		"expired and plain": {sandbox.Config{Faults: soon}, []string{"--plain"}, "the login for here expired before it was approved. Start over? [Y/n]", "y\n"},
		"lost":              {sandbox.Config{Faults: lostAnswer, Approve: sandbox.ApproveAuto, AutoAfterPolls: -1}, nil, lost, "y\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			sb := i.sandbox(tt.cfg)
			s := i.atTerminal(160, append([]string{"login", "here", "--qr=never"}, tt.args...)...)
			s.awaits(tt.question)
			asked := len(s.raw.String())
			s.types(tt.answer)
			if tt.cfg.Approve == "" {
				var code string
				eventually(t, "a second code", func() bool {
					code = userCodes.FindString(s.raw.String()[asked:])
					return code != ""
				})
				if err := sb.Approve(code, ""); err != nil {
					t.Fatal(err)
				}
			}
			if code, out := s.wait(); code != 0 || out != "" {
				t.Errorf("exit %d, stdout %q", code, out)
			}
			s.awaits("Logged in to here")
			if strings.Contains(s.screen(), "[Y/n]") && tt.args == nil {
				t.Errorf("what was asked is still there:\n%s", s.screen())
			}
		})
	}
}

// codeHasRunOut is what a person is asked then.
const codeHasRunOut = "The code has run out. Press Enter for a fresh one, Esc to leave."

// Whoever does not want to start over gets the end there was.
func TestLoginEndsAsItDid(t *testing.T) {
	for name, tt := range map[string]struct {
		args   []string
		answer string
	}{
		"Esc": {nil, "\x1b"}, "Ctrl-D": {nil, "\x04"},
		"--no-prompt": {[]string{"--no-prompt"}, ""}, "--json": {[]string{"--json"}, ""}, "--timeout": {[]string{"--timeout", "1m"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.sandbox(sandbox.Config{CodeLifetime: time.Second})
			s := i.atTerminal(100, append([]string{"login", "here", "--qr=never"}, tt.args...)...)
			if tt.answer != "" {
				s.awaits(codeHasRunOut)
				s.types(tt.answer)
			}
			if code, _, said := s.all(); code != api.ExitExpired || !strings.HasSuffix(said, "\nhint: run: usher login here\n") ||
				strings.Contains(said, "[Y/n]") || strings.Contains(said, "run out") {
				t.Errorf("exit %d, said:\n%s", code, said)
			}
		})
	}
}

// Nobody answers.
func TestSilenceIsNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, typed := io.Pipe()
		f := &fakeTerminal{columns: 80, rows: 24}
		a := &app{in: in, err: term.New(f, func(string) string { return "" })}
		began := time.Now()
		yes, err := a.agree(t.Context(), "Well?")
		if yes || err != nil || time.Since(began) != time.Minute {
			t.Errorf("answered %v, %v after %v", yes, err, time.Since(began))
		}
		if shown := screenOf(f.String(), 80); shown != "\n" {
			t.Errorf("left on the terminal: %q", shown)
		}
		_ = typed.Close()
	})
}
