package cli

import (
	"encoding/base64"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/internal/ptytest"
	"github.com/usherauth/usher/sandbox"
)

// wantModeOfBefore checks that the terminal takes what is typed as a new one does.
func (s *seat) wantModeOfBefore() {
	s.t.Helper()
	fresh, other := openTerminal(s.t, s.columns)
	defer other.Close()
	if diff := cmp.Diff(ptytest.Mode(s.t, fresh), ptytest.Mode(s.t, s.person)); diff != "" {
		s.t.Errorf("the mode of the terminal (-before +after):\n%s", diff)
	}
}

// leaves checks how a login at a terminal ends: its exit code, that the terminal
// shows want alone, and that it takes what is typed as it did before.
func (s *seat) leaves(exit int, want string) {
	s.t.Helper()
	if code, out := s.wait(); code != exit || out != "" {
		s.t.Errorf("exit %d, want %d; stdout %q", code, exit, out)
	}
	whole := regexp.MustCompile("^" + want + "$")
	eventually(s.t, "the terminal shows "+want+" alone", func() bool {
		return whole.MatchString(s.screen()) || s.t.Failed()
	})
	if !whole.MatchString(s.screen()) {
		s.t.Errorf("left on the terminal:\n%s", s.screen())
	}
	s.wantModeOfBefore()
}

// wrote waits until text was shown, which need not stay.
func (s *seat) wrote(text string) {
	s.t.Helper()
	eventually(s.t, "the terminal showed "+text, func() bool { return strings.Contains(s.raw.String(), text) })
}

const cancelled = "usher: the login for here is cancelled\n"

// Esc and what interrupts cancel the login; nothing is left but the line that
// says so.
func TestPersonCancels(t *testing.T) {
	for name, cancel := range map[string]func(s *seat){
		"Esc":     func(s *seat) { s.types("\x1b") },
		"Ctrl-C":  func(s *seat) { s.types("\x03") },
		"SIGTERM": func(s *seat) { s.signal(syscall.SIGTERM) },
		"SIGHUP":  func(s *seat) { s.signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, i *installation) {
				i.sandbox(sandbox.Config{})
				s := i.atTerminal(80, "login", "here")
				s.awaits("waiting for approval")
				s.awaits("Esc cancel")
				cancel(s)
				s.leaves(api.ExitInterrupted, cancelled)
				if left := i.pending(); len(left) != 0 {
					t.Errorf("still pending: %+v", left)
				}
			})
		})
	}
}

// What somebody else has started goes on without this person.
func TestPersonLeavesWhatWasJoined(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(sandbox.Config{})
	_, login := i.pendingLogin()
	s := i.atTerminal(80, "login", "here", "--qr=never")
	s.awaits("Joined the pending login to here")
	s.awaits("If you do not know who started it, do not approve.")
	s.awaits("Esc leave")
	s.types("\x1b")
	s.leaves(api.ExitInterrupted, "usher: left; the login for here stays pending\n")
	if left := i.pending(); len(left) != 1 || left[0].ID != login.ID {
		t.Errorf("pending: %+v", left)
	}
}

// Keys that mean nothing do nothing, such as those that move the cursor, and
// neither does what is pasted where nothing is waited for.
func TestOtherKeysDoNothing(t *testing.T) {
	t.Parallel()
	i := install(t)
	sb := i.sandbox(sandbox.Config{})
	s := i.atTerminal(100, "login", "here", "--qr=never")
	s.awaits("Esc cancel")
	s.types("\x1b[A\x1bOPx\r\x04\x1b[200~\x1b[201~\x1b[200~pasted\x1b[201~c")
	s.wrote("; link copied")
	link := regexp.MustCompile(`(?m)^http\S+user_code=\S+$`).FindString(s.screen())
	if copied := "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(link)) + "\a"; link == "" || !strings.Contains(s.raw.String(), copied) {
		t.Errorf("not copied: %q", link)
	}
	if shown := s.raw.String(); strings.Contains(shown, "pasted") || strings.Contains(shown, "address") {
		t.Error("what is pasted is shown, or taken for an answer")
	}
	if err := sb.Approve(userCodes.FindString(s.screen()), ""); err != nil {
		t.Fatal(err)
	}
	s.leaves(0, `Logged in to here as acct-\w+; the token lasts .* and renews itself\.\n`)
}

// However a login ends, what was shown of it is gone.
func TestOneLineIsLeft(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  sandbox.Config
		exit int
		want string
	}{
		"authorized": {auto, 0, `Logged in to here as acct-\w+; the token lasts .* and renews itself\.\n`},
		"denied": {
			sandbox.Config{Approve: sandbox.ApproveDeny, AutoAfterPolls: -1}, api.ExitDenied,
			"usher: the login for here was denied\nhint: run: usher login here\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, i *installation) {
				i.sandbox(tt.cfg)
				s := i.seated(120, exec.Command("/bin/sh", "-c", `echo before >&2; exec "$0" login here`, self(t)))
				s.leaves(tt.exit, "before\n"+tt.want)
			})
		})
	}
}

// The page is laid out anew for the size that the window has now.
func TestPageFollowsTheWindow(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.sandbox(sandbox.Config{})
	s := i.atTerminal(80, "login", "here", "--qr=never")
	s.awaits("Esc cancel")
	raw, err := s.person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sized error
	asked := raw.Control(func(fd uintptr) {
		sized = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 40})
	})
	if asked != nil || sized != nil {
		t.Fatal(asked, sized)
	}
	eventually(t, "the page is 40 columns wide", func() bool {
		return strings.Contains(strings.ReplaceAll(s.raw.String(), "\r", ""), "Open this link in a browser on this\nmachine:\n")
	})
	s.types("\x1b")
	if code, _ := s.wait(); code != api.ExitInterrupted {
		t.Errorf("exit %d", code)
	}
}

// Where nothing is to be drawn there are lines of text and nothing else, and
// Ctrl-C still cancels.
func TestPlainLines(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		env  string
	}{
		"--plain": {[]string{"--plain"}, ""}, "TERM=dumb": {nil, "TERM=dumb"}, "CI": {nil, "CI=true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			i.sandbox(sandbox.Config{})
			cmd := exec.Command(self(t), append([]string{"login", "here"}, tt.args...)...)
			if tt.env != "" {
				cmd.Env = []string{tt.env}
			}
			s := i.seated(80, cmd)
			s.awaits("usher: waiting for approval, ")
			s.types("\x03")
			if code, _ := s.wait(); code != api.ExitInterrupted {
				t.Errorf("exit %d", code)
			}
			s.awaits("usher: the login for here is cancelled")
			text := s.raw.String()
			if strings.Contains(text, "\x1b") || strings.Contains(text, "▀") {
				t.Errorf("something is drawn: %q", text)
			}
			for _, want := range []string{`Log in to here\r\n`, `\r\nhttp://\S+user_code=\S+\r\n`, `It shows this code:  \w+-\w+\r\n`, `press Ctrl-C\.\r\n`} {
				if !regexp.MustCompile(want).MatchString(text) {
					t.Errorf("no %s in:\n%s", want, text)
				}
			}
			if !strings.HasSuffix(strings.TrimSpace(text), "\r\n^C\r\nusher: the login for here is cancelled") {
				t.Errorf("what is said after Ctrl-C has no line of its own: %q", text)
			}
		})
	}
}

// A person brings the address that the browser was sent to. A wrong one is
// refused and the login goes on; none is ever shown.
func TestPersonPastesTheAnswer(t *testing.T) {
	inBothModes(t, func(t *testing.T, i *installation) {
		i.sandbox(auto)
		cmd := exec.Command(self(t), "login", "here", "--flow", "code")
		cmd.Env = []string{"SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22"}
		s := i.seated(1000, cmd)
		s.awaits("When it ends on a page that cannot be shown, paste its address here.")
		s.awaits("@192.0.2.2")
		if !regexp.MustCompile(`(?m)^ssh -N -L (\d+):127\.0\.0\.1:\d+ \S+@192\.0\.2\.2$`).MatchString(s.screen()) {
			t.Errorf("no way back through SSH:\n%s", s.screen())
		}
		link := regexp.MustCompile(`(?m)^http\S+response_type=code\S+$`).FindString(s.screen())
		answer := redirected(t, link)
		paste := func(address string) { s.types("\x1b[200~" + address + "\x1b[201~\r") }
		paste("what is this")
		s.wrote("that is not the address that the browser ended on; paste all of it")
		paste(regexp.MustCompile(`state=[^&]*`).ReplaceAllString(answer, "state=another"))
		s.wrote("the answer does not belong to this login")
		paste(answer)
		s.leaves(0, `Logged in to here as acct-\w+; the token lasts .* and renews itself\.\n`)
		if strings.Contains(s.raw.String(), "code="+regexp.MustCompile(`[?&]code=([^&]*)`).FindStringSubmatch(answer)[1]) {
			t.Error("the answer is shown")
		}
	})
}

// redirected is where the page at link sends the browser, which does not go there.
func redirected(t *testing.T, link string) string {
	t.Helper()
	stay := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 20 * time.Second}
	resp, err := stay.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	to := resp.Header.Get("Location")
	if to == "" {
		t.Fatalf("%s answers %s and leads nowhere", link, resp.Status)
	}
	return to
}
